//go:build unix && !linux

package files

import "os"

func allocate(f *os.File, size int64) error { return writeZeros(f, 0, size) }

func syncData(f *os.File) error { return f.Sync() }

func syncMapped(f *os.File, _ []byte) error { return syncData(f) }

// NetworkFilesystem cannot tell on this system, and so never refuses.
func NetworkFilesystem(string) (string, error) { return "", nil }
