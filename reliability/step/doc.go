// Package step kills producers at chosen machine instructions: the test of the
// promise that a process may die anywhere.
//
// A child process does one operation of the log under ptrace, instruction by
// instruction, and is killed after the k-th. Then this process goes on with the
// log, and the checker reads all of it. See step_linux_test.go.
package step
