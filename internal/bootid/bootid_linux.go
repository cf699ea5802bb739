package bootid

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const path = "/proc/sys/kernel/random/boot_id"

// Current returns the id of this boot. An error means that the system tells it,
// but not now, for want of descriptors for instance.
func Current() (ID, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return ID{}, nil // a sandbox, which will not tell later either
	}
	if err != nil {
		return ID{}, fmt.Errorf("tell this boot from others: %w", err)
	}
	return parse(string(text)), nil
}

func parse(text string) ID {
	var id ID
	digits := strings.ReplaceAll(strings.TrimSpace(text), "-", "")
	if n, err := hex.Decode(id[:], []byte(digits[:min(len(digits), 2*len(id))])); err != nil || n != len(id) {
		return ID{}
	}
	return id
}
