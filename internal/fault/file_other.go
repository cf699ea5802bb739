//go:build !linux

package fault

// fileAt cannot tell on this system.
func fileAt(uintptr) string { return "" }
