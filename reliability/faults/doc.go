// Package faults makes the system fail under a log, and holds the log to this:
// a clear error, no panic and no death, what was acknowledged before intact, and,
// when the cause is gone, the log goes on. There is nothing to import here.
//
// Four ways of failing, each a test by itself:
//
//   - Seam (seam_test.go): each call of the system that the engine makes fails,
//     once, or from then on, or is made and then reported as failed.
//   - Strace (strace_linux_test.go): the same from outside, to the real command.
//   - Disk, Limits (disk_linux_test.go, limits_linux_test.go): disks, descriptors,
//     file sizes and address space that really run out.
//   - Stranger (stranger_linux_test.go): files cut under those who have them mapped.
//
// In their long form:
//
//	go test ./reliability/faults -every -v -timeout 0
//	go test ./reliability/faults -run Seam -only 'roll.*rename' -every -v
package faults
