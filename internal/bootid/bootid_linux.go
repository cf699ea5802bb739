package bootid

import (
	"encoding/hex"
	"os"
	"strings"
)

// Current returns the id of this boot.
func Current() ID {
	var id ID
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ID{}
	}
	digits := strings.ReplaceAll(strings.TrimSpace(string(text)), "-", "")
	if n, err := hex.Decode(id[:], []byte(digits[:min(len(digits), 2*len(id))])); err != nil || n != len(id) {
		return ID{}
	}
	return id
}
