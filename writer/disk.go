package writer

import (
	"os"

	"github.com/seed27ccf144/mlog/internal/files"
)

// A disk holds the calls that make things survive power loss. Recovery, the
// syncer and retention make them through it and nowhere else, so that tests can
// see their order, come between, and have them fail.
type disk struct {
	data    func(f *os.File) error   // what a file holds
	dir     func(path string) error  // the names in a directory
	openDir func(dir *os.File) error // the same, of one that is open
}

func systemDisk() disk {
	return disk{data: files.SyncData, dir: files.SyncDir, openDir: files.SyncOpenDir}
}
