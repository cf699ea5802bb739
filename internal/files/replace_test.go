package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/seam"
)

// Another process sweeps up the unfinished file just before it gets its name.
func TestReplaceMakesAgainWhatWasSweptUp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "name")
	var swept atomic.Bool
	stop := seam.Watch(dir, func(c seam.Call, do func() error) error {
		if c.Op == "rename" && swept.CompareAndSwap(false, true) {
			if err := os.Remove(c.Path); err != nil {
				t.Error(err)
			}
		}
		return do()
	})
	defer stop()
	if err := files.Replace(path, []byte("whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "whole" || !swept.Load() {
		t.Errorf("the file holds %q, %v; swept up: %v", got, err, swept.Load())
	}
}

// That the directory is gone is an error all the same.
func TestReplaceWithoutDirectory(t *testing.T) {
	if err := files.Replace(filepath.Join(t.TempDir(), "none", "name"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replacing a file in a directory that is not there: %v", err)
	}
}
