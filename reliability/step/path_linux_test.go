//go:build amd64 || arm64

package step

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sort"

	"golang.org/x/sys/unix"
)

// A path is the way of the thread through an operation, from one that was
// followed to its end. Later children are not stepped from the start, which would
// take long, but run to the system call before the instruction, from there to a
// breakpoint near it, and are stepped from that on.
type path struct {
	places []uint64 // address of each instruction; the last is where the operation ended
	calls  []int    // how many instructions were executed when 0, 1, 2, … system calls were over
	times  []int    // how often the thread had come to the same address since the last of these calls, this one included
}

// A moment is a number of instructions of an operation. It is counted from the
// last system call, since what Go does before that is not always the same.
type moment struct {
	syscalls, steps int
	k               int // all instructions up to then; -1: not known
}

func (m moment) String() string { return fmt.Sprintf("%d+%d", m.syscalls, m.steps) }

func parseMoment(s string) (moment, error) {
	m := moment{k: -1}
	_, err := fmt.Sscanf(s, "%d+%d", &m.syscalls, &m.steps)
	return m, err
}

// length is how many instructions the operation has.
func (p *path) length() int { return len(p.places) - 1 }

// moment returns when k instructions were executed.
func (p *path) moment(k int) moment {
	k = min(k, p.length())
	n := sort.SearchInts(p.calls, k+1) - 1
	return moment{syscalls: n, steps: k - p.calls[n], k: k}
}

// route returns the way to a moment, which is quicker if the path is known.
func (p *path) route(m moment) route {
	const farthest, pricePerTime = 500, 5 // in steps: a breakpoint is several requests
	best := route{syscalls: m.syscalls, steps: m.steps}
	if m.k < 0 {
		return best
	}
	least := best.steps
	for i := m.k; i > max(m.k-m.steps, m.k-farthest); i-- {
		if price := p.times[i]*pricePerTime + m.k - i; price < least && inProgram(p.places[i]) {
			best, least = route{m.syscalls, p.places[i], p.times[i], m.k - i}, price
		}
	}
	return best
}

// inProgram reports whether an address is in this program, which the child is too,
// and not in the kernel's code for reading the clock.
func inProgram(place uint64) bool { return runtime.FuncForPC(uintptr(place)) != nil }

// follow steps to the end of the operation, or until at tells to stop, which is
// called before each instruction.
func (t *tracee) follow(at func(k int) (stop bool)) (*path, error) {
	p := &path{calls: []int{0}}
	isCall, times := make(map[uint64]bool), make(map[uint64]int)
	for k := 0; ; k++ {
		const often = 1 << 12
		if k%often == 0 {
			t.watchdog.Reset(stallBound)
		}
		place, err := t.place()
		if err != nil {
			return nil, err
		}
		times[place]++
		p.places, p.times = append(p.places, place), append(p.times, times[place])
		if at(k) {
			return p, nil
		}
		call, known := isCall[place]
		if !known {
			if call, err = t.atSyscall(place); err != nil {
				return nil, err
			}
			isCall[place] = call
		}
		on, err := t.step()
		if err != nil {
			return nil, err
		}
		if call {
			p.calls = append(p.calls, k+1)
			clear(times)
		}
		if !on {
			p.places, p.times = append(p.places, 0), append(p.times, 1)
			return p, nil
		}
	}
}

// countSyscalls runs to the end of the operation and returns how many system calls
// it took. at is called after each.
func (t *tracee) countSyscalls(at func(n int)) (n int, err error) {
	for {
		for range 2 {
			if on, err := t.toSyscall(); !on || err != nil {
				return n, err
			}
		}
		n++
		at(n)
	}
}

// atSyscall reports whether the instruction at place is a system call.
func (t *tracee) atSyscall(place uint64) (bool, error) {
	var b [4]byte
	if _, err := unix.PtracePeekText(t.tid, uintptr(place), b[:]); err != nil {
		return false, fmt.Errorf("read the code at %#x: %w", place, err)
	}
	if runtime.GOARCH == "arm64" {
		return binary.LittleEndian.Uint32(b[:]) == 0xd4000001, nil // SVC #0
	}
	return b[0] == 0x0f && b[1] == 0x05, nil // SYSCALL
}
