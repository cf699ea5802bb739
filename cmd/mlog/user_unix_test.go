//go:build unix

package main

import (
	"os"
	"strconv"
	"syscall"
)

// becomeTestUser lets a script that runs as root try what another user may do:
// 'env MLOG_TEST_UID=65534'.
func becomeTestUser() {
	uid, err := strconv.Atoi(os.Getenv("MLOG_TEST_UID"))
	if err != nil {
		return
	}
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(uid) },
		func() error { return syscall.Setuid(uid) },
	} {
		if err := step(); err != nil {
			panic(err)
		}
	}
}
