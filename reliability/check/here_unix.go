//go:build unix

package check

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// isHere reports whether a control file is of this boot of the machine and of
// the place where it lies.
func (c *checker) isHere(control []byte) bool {
	info, err := os.Lstat(filepath.Join(c.dir, controlName))
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	return u64(control, 48) == uint64(stat.Dev) && u64(control, 56) == uint64(stat.Ino) &&
		[16]byte(control[16:32]) == bootID()
}

// bootID returns the id of this boot, zero where the system has none.
func bootID() (id [16]byte) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	digits := strings.ReplaceAll(strings.TrimSpace(string(text)), "-", "")
	if decoded, err := hex.DecodeString(digits); err == nil && len(decoded) == len(id) {
		copy(id[:], decoded)
	}
	return id
}
