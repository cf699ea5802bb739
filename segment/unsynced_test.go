package segment

import (
	"path/filepath"
	"testing"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// The header must never be on disk in parts: it is there, by one call, before
// anybody can store to the file.
func TestFormatWritesHeaderAtOnce(t *testing.T) {
	f := newFile(t, make([]byte, MinBytes))
	writes, stopped := 0, false
	defer seam.Watch(filepath.Dir(f.Name()), func(c seam.Call, do func() error) error {
		switch c.Op {
		case "write":
			writes++
		case "mmap":
			stopped = true
			head := make([]byte, HeaderBytes)
			if _, err := f.ReadAt(head, 0); err != nil || !IsHeaderWhole(head) {
				t.Errorf("when the file is mapped its header is not whole (%v)", err)
			}
		}
		return do()
	})()
	s, err := Format(f, FileHeader{Size: MinBytes, Epoch: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if writes != 1 || !stopped {
		t.Errorf("%d writes, and mapped: %t", writes, stopped)
	}
}

func TestRestoreHeader(t *testing.T) {
	s := newSegment(t, FileHeader{Size: MinBytes, Epoch: 7, Floor: 9}, 0)
	whole := string(s.data[:HeaderBytes])
	for _, at := range []int{0, offCopy} {
		clear(s.data[at : at+endOfFixed])
		if s.RestoreHeader(); string(s.data[:HeaderBytes]) != whole {
			t.Errorf("the part at %d was not restored", at)
		}
	}
}

func TestNeverSynced(t *testing.T) {
	h := FileHeader{Size: MinBytes, Epoch: 7}
	marked := h.page()
	marked[offDurable+4] = 1 // some records
	tests := map[string]struct {
		head []byte
		size int64
		want Proof
	}{
		"empty":                    {nil, 0, Zeros},
		"short and zero":           {nil, 100, Zeros},
		"full size and zero":       {nil, MinBytes, Zeros},
		"header but short":         {h.page(), MinBytes / 2, Zeros},
		"marked and short":         {marked, MinBytes / 2, NoProof},
		"header and longer":        {h.page(), 2 * MinBytes, NoProof},
		"foreign":                  {[]byte("junk"), MinBytes, NoProof},
		"foreign and short":        {[]byte("junk"), 100, NoProof},
		"no fixed part, but words": {append(make([]byte, offTail), 1), MinBytes, NoProof},
	}
	for name, test := range tests {
		f := newFile(t, test.head)
		if err := f.Truncate(test.size); err != nil {
			t.Fatal(err)
		}
		if got, err := NeverSynced(f, h.LogID, h.Base); got != test.want || err != nil {
			t.Errorf("%s: proof %d (%v), want %d", name, got, err, test.want)
		}
	}
}
