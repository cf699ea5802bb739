package indexfile

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed27ccf144/mlog/index"
)

var (
	want  = index.Header{Base: 1000, Epoch: 7, SegmentBytes: 1 << 16}
	entry = index.Entry{Position: 8192, Count: 3, Time: 5}
)

func anyEntry(index.Entry) bool { return true }

func open(t *testing.T, path string) *File {
	t.Helper()
	x, err := OpenOrCreate(path, want, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func TestEntriesSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.idx")
	open(t, path).Note(entry)
	if got, ok := open(t, path).Last(anyEntry); got != entry || !ok {
		t.Errorf("%+v, %v", got, ok)
	}
	r, err := Open(path, want, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, ok := r.Last(anyEntry); got != entry || !ok {
		t.Errorf("read-only: %+v, %v", got, ok)
	}
	table := index.NewMemoryTable(want.SegmentBytes)
	table.Note(index.Entry{Position: 4096, Count: 1, Time: 2})
	if err := Write(path, want, table, 0o640); err != nil {
		t.Fatal(err)
	}
	if got, ok := open(t, path).Last(anyEntry); got.Position != 4096 || !ok {
		t.Errorf("after Write: %+v, %v", got, ok)
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() != index.FileBytes(want.SegmentBytes) || fi.Mode() != 0o640 {
		t.Errorf("file is %v, %v", fi, err)
	}
}

// TestUnusableIsReplaced: an index that is not this segment's is no error but
// one that has to be made anew.
func TestUnusableIsReplaced(t *testing.T) {
	other := func(change func(*index.Header)) []byte {
		h := want
		change(&h)
		return index.NewMemoryTable(h.SegmentBytes).AppendTo(h.Encode())
	}
	cases := map[string][]byte{
		"empty":           nil,
		"foreign":         make([]byte, index.FileBytes(want.SegmentBytes)),
		"cut":             other(func(*index.Header) {})[:100],
		"another base":    other(func(h *index.Header) { h.Base++ }),
		"another life":    other(func(h *index.Header) { h.Epoch++ }),
		"another size":    other(func(h *index.Header) { h.SegmentBytes *= 2 }),
		"another stretch": other(func(h *index.Header) { h.SegmentBytes *= 1024 }),
	}
	for name, content := range cases {
		path := filepath.Join(t.TempDir(), "x.idx")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if x, err := Open(path, want, false); err == nil {
			t.Errorf("%s: opened", name)
			x.Close()
		}
		if e, ok := open(t, path).Last(anyEntry); ok {
			t.Errorf("%s: the new index has %+v", name, e)
		}
	}
}

// TestWrittenAtOnce: whoever wins, the index is whole, and nothing else is left.
func TestWrittenAtOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.idx")
	table := index.NewMemoryTable(want.SegmentBytes)
	table.Note(entry)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if err := Write(path, want, table, 0o600); err != nil {
					t.Error(err)
				}
				x, err := Open(path, want, false)
				if err != nil {
					t.Error(err)
					continue
				}
				if got, ok := x.Last(anyEntry); got != entry || !ok {
					t.Errorf("half an index: %+v, %v", got, ok)
				}
				x.Close()
			}
		})
	}
	wg.Wait()
	if names, err := os.ReadDir(dir); len(names) != 1 || err != nil {
		t.Errorf("left: %v, %v", names, err)
	}
}
