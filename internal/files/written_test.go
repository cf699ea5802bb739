package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// What was stored or written is never taken for a hole, whether it reached the disk
// or not.
func TestWrittenUntil(t *testing.T) {
	const size = 1 << 20
	f, err := files.CreateAllocated(filepath.Join(t.TempDir(), "file"), size, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := mapping.File(f, size, true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	least := func(what string, from, want int64) {
		t.Helper()
		if got := files.WrittenUntil(f, from, size); got < want || got > size {
			t.Errorf("%s: written until %d, want %d or more", what, got, want)
		}
	}
	least("nothing", 4096, 4096)
	if _, err := f.WriteAt([]byte{1}, 9000); err != nil {
		t.Fatal(err)
	}
	least("a byte written", 4096, 9001)
	m.Bytes()[500_000] = 1
	least("a byte stored behind a hole", 4096, 500_001)
	if err := files.SyncData(f); err != nil {
		t.Fatal(err)
	}
	least("both on disk", 4096, 500_001)
	least("begun in the middle of data", 500_000, 500_001)
	least("begun behind it", 600_000, 600_000)
	m.Bytes()[size-1] = 1
	least("the last byte", 4096, size)
	least("begun at the end", size, size)

	closed, err := os.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if got := files.WrittenUntil(closed, 0, size); got != size {
		t.Errorf("a file that cannot be asked is written until %d, want %d", got, size)
	}
}
