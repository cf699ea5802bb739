package files

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// NoFollow and NonBlock have no counterpart here.
const (
	NoFollow = 0
	NonBlock = 0
)

func allocate(f *os.File, size int64) error { return writeZeros(f, 0, size) }

// No call of this system zeroes a range.
func zeroRange(*os.File, int64, int64) error  { return errors.ErrUnsupported }
func reallocate(*os.File, int64, int64) error { return nil }

// Unlinked cannot be true: a name stays as long as somebody has the file open.
func Unlinked(*os.File) bool { return false }

// settle and settleDir set the mode: there are no owner and group to set here.
func settle(f *os.File, _ string, mode fs.FileMode) error { return f.Chmod(mode) }

func settleDir(path, _ string, mode fs.FileMode) error { return os.Chmod(path, mode) }

// SyncData makes what was written to f survive power loss.
func syncData(f *os.File) error { return f.Sync() }

func cachedDirty(*os.File, int64, int64) (int64, error) { return 0, errors.ErrUnsupported }

func syncMapped(f *os.File, _ []byte) error { return syncData(f) }

// SyncDir does nothing: this system has no call for it.
func SyncDir(string) error { return nil }

// SyncOpenDir does nothing, likewise.
func SyncOpenDir(*os.File) error { return nil }

// NetworkFilesystem cannot tell on this system, and so never refuses.
func NetworkFilesystem(string) (string, error) { return "", nil }

// Identity returns volume and file index.
func Identity(f *os.File) (dev, ino uint64, err error) {
	var fi windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &fi); err != nil {
		return 0, 0, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return uint64(fi.VolumeSerialNumber), uint64(fi.FileIndexHigh)<<32 | uint64(fi.FileIndexLow), nil
}
