package fault

import (
	"os"
	"strconv"
	"strings"
)

// fileAt returns the file that is mapped at an address, as the kernel tells, or
// "" if it does not.
func fileAt(addr uintptr) string {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(maps)) {
		// 7f0c1000-7f0c5000 rw-s 00000000 fe:00 1234      /path, which may have spaces
		bounds, _, _ := strings.Cut(line, " ")
		from, to, _ := strings.Cut(bounds, "-")
		first, err := strconv.ParseUint(from, 16, 64)
		if err != nil || uint64(addr) < first {
			continue
		}
		if end, err := strconv.ParseUint(to, 16, 64); err != nil || uint64(addr) >= end {
			continue
		}
		if _, path, found := strings.Cut(line, "/"); found {
			return "/" + strings.TrimSuffix(path, "\n")
		}
		return ""
	}
	return ""
}
