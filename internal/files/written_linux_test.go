package files_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/files"
)

// What nobody wrote is not looked at, where the file system can tell.
func TestNothingWritten(t *testing.T) {
	const size = 1 << 20
	f, err := files.CreateAllocated(filepath.Join(t.TempDir(), "file"), size, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if hole, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_HOLE); err != nil || hole == size {
		t.Skipf("this file system knows no holes: %d, %v", hole, err)
	}
	for _, from := range []int64{0, 4096, 5000} {
		if got := files.WrittenUntil(f, from, size); got != from {
			t.Errorf("from %d on nothing is written, and %d told", from, got)
		}
	}
	if _, err := f.WriteAt([]byte{1}, 9000); err != nil {
		t.Fatal(err)
	}
	if got := files.WrittenUntil(f, 0, size); got < 9001 || got > 64<<10 {
		t.Errorf("a byte at 9000 is written, and %d told", got)
	}
}
