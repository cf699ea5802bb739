//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

func isTerminal(f *os.File) bool {
	fd, ok := descriptor(f)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(fd), termiosRequest)
	return err == nil
}
