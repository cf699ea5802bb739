package mapping

import (
	"os"
	"path/filepath"
	"testing"
)

const fileBytes = 16 << 10

func open(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(fileBytes); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSharedWithTheFile: what one mapping stores, another one and the file have,
// after the file was closed too.
func TestSharedWithTheFile(t *testing.T) {
	f := open(t)
	w, err := File(f, fileBytes, true)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := File(f, fileBytes, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f.Close()
	w.Populate(0, fileBytes, false)
	w.Populate(-1, 1<<40, true) // advice that makes no sense does no harm
	w.Populate(fileBytes, 0, true)
	Uint64(w.Bytes(), 8).Store(0x0807060504030201)
	if got := Uint32(r.Bytes(), 8).Load(); got != 0x04030201 {
		t.Errorf("read %#x through the other mapping", got)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil || string(b[8:16]) != "\x01\x02\x03\x04\x05\x06\x07\x08" {
		t.Errorf("the file has %x, %v", b[8:16], err)
	}
	if err := w.Close(); err != nil || w.Close() != nil {
		t.Errorf("close: %v", err)
	}
}

func TestLengthIsChecked(t *testing.T) {
	f := open(t)
	for _, length := range []int64{0, -1} {
		if m, err := File(f, length, false); err == nil {
			t.Errorf("%d bytes were mapped", length)
			m.Close()
		}
	}
}

// TestWordsLieWithin: a word outside the slice, or not aligned, is a panic and
// never an access.
func TestWordsLieWithin(t *testing.T) {
	b := make([]byte, 64)
	panics := func(name string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f()
	}
	panics("32 bits over the end", func() { Uint32(b, 62) })
	panics("64 bits over the end", func() { Uint64(b, 60) })
	panics("32 bits misaligned", func() { Uint32(b, 2) })
	panics("64 bits misaligned", func() { Uint64(b, 4) })
	panics("negative", func() { Uint64(b, -8) })
	panics("words over the end", func() { Words(b, 8, 8) })
	panics("words misaligned", func() { Words(b, 4, 1) })
	Uint32(b, 60).Store(1)
	Uint64(b, 56).Store(2)
	words := Words(b, 8, 7)
	if len(words) != 7 || words[6].Load() != 2 {
		t.Errorf("%d words, the last is %d", len(words), words[6].Load())
	}
	if Words(b, 64, 0) != nil {
		t.Error("no words are some")
	}
}
