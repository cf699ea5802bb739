package hostile_test

import (
	"os"
	"syscall"
)

// peakMemory is what the kernel calls VmHWM while the process lives.
func peakMemory(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return int64(usage.Maxrss) << 10
}
