//go:build unix && !linux

package writer_test

import "syscall"

func newPIDNamespace() *syscall.SysProcAttr { return nil }
