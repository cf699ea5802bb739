package harness

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The phases of a measurement. The parent sets them; roles look at them with each record.
const (
	phaseWait    uint32 = iota // not everybody is ready
	phaseWarm                  // at work, not counted
	phaseMeasure               // counted
	phaseStop                  // producers send one more record, their last
)

const (
	maxRoles = 64 // producers, and consumers
	line     = 64 // bytes of a cache line
)

// A control is what parent and roles share in memory. Each word has one writer and its own cache line.
type control struct {
	phase    paddedUint32           // parent
	start    paddedInt64            // parent, before phase leaves phaseWait: the schedule's first instant, ns
	sent     [maxRoles]paddedUint64 // each producer: records so far, now and then
	received [maxRoles]paddedUint64 // each consumer: the same
}

type (
	paddedUint32 struct {
		atomic.Uint32
		_ [line - 4]byte
	}
	paddedUint64 struct {
		atomic.Uint64
		_ [line - 8]byte
	}
	paddedInt64 struct {
		atomic.Int64
		_ [line - 8]byte
	}
)

// newControl makes a control, and a file by which other processes map it.
func newControl() (*control, *os.File, error) {
	fd, err := unix.MemfdCreate("mlog-bench", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "control")
	if err := f.Truncate(int64(unsafe.Sizeof(control{}))); err != nil {
		return nil, nil, err
	}
	c, err := mapControl(f)
	return c, f, err
}

// mapControl maps a control for the rest of the process's life.
func mapControl(f *os.File) (*control, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(control{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the control page: %w", err)
	}
	return (*control)(unsafe.Pointer(&mem[0])), nil
}

// await returns when the parent has started the measurement.
func (c *control) await() {
	for c.phase.Load() == phaseWait {
		time.Sleep(200 * time.Microsecond)
	}
}

// ahead returns by how many records the producers are ahead of the slowest consumer.
func (c *control) ahead(producers, consumers int) int64 {
	slowest := ^uint64(0)
	for i := range consumers {
		slowest = min(slowest, c.received[i].Load())
	}
	var sent uint64
	for i := range producers {
		sent += c.sent[i].Load()
	}
	return int64(sent - slowest)
}
