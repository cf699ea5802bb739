package writer_test

import "syscall"

// newPIDNamespace has a child be process 1 of a PID namespace of its own, so that
// neither of two such children can name the other.
func newPIDNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
}
