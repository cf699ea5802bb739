package filelock

import (
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/seed27ccf144/mlog/internal/files"
)

// OpenShared opens a file that must be there, and takes a shared lock on it, which
// lasts until it is closed. Only then it looks whether the name still leads to that
// file: somebody may have taken the name away, found the file not locked, and begun
// to use it for something else. The error is fs.ErrNotExist if the name is gone.
func OpenShared(path string, writable bool) (*os.File, error) {
	const attempts, pause = 10, time.Millisecond
	for attempt := 1; ; attempt++ {
		f, err := files.Open(path, writable)
		if err != nil {
			return nil, err
		}
		got, err := Share(f)
		same := false
		if err == nil {
			same, err = leadsTo(path, f)
		}
		switch {
		case err == nil && got && same:
			return f, nil
		case err == nil && attempt == attempts && !got:
			err = fmt.Errorf("%s: another program holds an exclusive lock on it", path)
		case err == nil && attempt == attempts:
			err = fmt.Errorf("%s: other files come to have its name all the time", path)
		}
		f.Close()
		if err != nil {
			return nil, err
		}
		time.Sleep(pause)
	}
}

func leadsTo(path string, f *os.File) (bool, error) {
	var mine, now fs.FileInfo
	mine, err := f.Stat()
	if err == nil {
		now, err = files.Lstat(path)
	}
	return err == nil && os.SameFile(mine, now), err
}
