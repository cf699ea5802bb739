//go:build !linux

package filelock

import "os"

// CanShare reports whether Share locks anything here. Where it does not, nobody
// can tell whether a file is in use.
const CanShare = false

// Share does nothing here, and reports true.
func Share(*os.File) (bool, error) { return true, nil }

// Unshare does nothing here.
func Unshare(*os.File) error { return nil }

// IsShared reports true: nobody knows.
func IsShared(*os.File) (bool, error) { return true, nil }
