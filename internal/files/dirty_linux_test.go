package files

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDirtyPages: what was stored and not synced counts, page by page, and within the
// range only.
func TestDirtyPages(t *testing.T) {
	f, err := CreateAllocated(filepath.Join(t.TempDir(), "f"), 1<<20, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := int64(os.Getpagesize())
	if _, ok := DirtyPages(f, 0, 1<<20); !ok {
		t.Skip("this system cannot tell which pages are dirty (cachestat: Linux 6.5)")
	}
	if err := SyncData(f); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{3 * page, 4*page + 100, 200 * page} {
		if err := WriteAt(f, []byte("x"), at); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := DirtyPages(f, 0, 1<<20); n == 0 {
		t.Skip("the filesystem of the temporary directory has no dirty pages to tell of, as tmpfs")
	}
	for _, tt := range []struct{ from, to, want int64 }{
		{0, 1 << 20, 3}, {0, 4 * page, 1}, {3 * page, 5 * page, 2}, {5 * page, 200 * page, 0}, {8, 8, 0}, {9, 8, 0},
	} {
		if n, ok := DirtyPages(f, tt.from, tt.to); n != tt.want || !ok {
			t.Errorf("bytes %d to %d: %d pages, %v, want %d", tt.from, tt.to, n, ok, tt.want)
		}
	}
	if err := SyncData(f); err != nil {
		t.Fatal(err)
	}
	if n, ok := DirtyPages(f, 0, 1<<20); n != 0 || !ok {
		t.Errorf("%d pages, %v, after a sync", n, ok)
	}
}
