//go:build unix && !linux

package files

import (
	"errors"
	"os"
)

func allocate(f *os.File, size int64) error { return writeZeros(f, 0, size) }

// No call of this system zeroes a range.
func zeroRange(*os.File, int64, int64) error  { return errors.ErrUnsupported }
func reallocate(*os.File, int64, int64) error { return nil }

func syncData(f *os.File) error { return f.Sync() }

func cachedDirty(*os.File, int64, int64) (int64, error) { return 0, errors.ErrUnsupported }

func syncMapped(f *os.File, _ []byte) error { return syncData(f) }

// NetworkFilesystem cannot tell on this system, and so never refuses.
func NetworkFilesystem(string) (string, error) { return "", nil }
