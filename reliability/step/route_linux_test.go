//go:build amd64 || arm64

package step

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// A route is a quick way to an instruction.
type route struct {
	syscalls   int    // to let pass
	breakpoint uint64 // to be run to then; 0: none
	times      int    // how often
	steps      int    // to do then
}

// step executes one instruction.
func (t *tracee) step() (bool, error) { return t.move(unix.PtraceSingleStep, unix.SIGTRAP) }

// toSyscall lets the thread run to the entry of its next system call, or, from
// there, to its end.
func (t *tracee) toSyscall() (bool, error) {
	return t.move(func(tid int) error { return unix.PtraceSyscall(tid, 0) }, syscallStop)
}

// run takes a route. It ends early if the operation does.
func (t *tracee) run(r route) error {
	for range 2 * r.syscalls {
		if on, err := t.toSyscall(); !on || err != nil {
			return err
		}
	}
	for range r.times {
		if on, err := t.toBreakpoint(r.breakpoint); !on || err != nil {
			return err
		}
	}
	for range r.steps {
		if on, err := t.step(); !on || err != nil {
			return err
		}
	}
	return nil
}

// toBreakpoint runs until the thread comes to the address. It steps off first if it
// is there because it was told so before.
func (t *tracee) toBreakpoint(address uint64) (bool, error) {
	if t.broke == address {
		t.broke = 0
		if on, err := t.step(); !on || err != nil {
			return on, err
		}
	}
	if place, err := t.place(); err != nil || place == address {
		t.broke = address
		return true, err
	}
	was := make([]byte, len(breakpoint()))
	if _, err := unix.PtracePeekText(t.tid, uintptr(address), was); err != nil {
		return false, fmt.Errorf("read the code at %#x: %w", address, err)
	}
	if _, err := unix.PtracePokeText(t.tid, uintptr(address), breakpoint()); err != nil {
		return false, fmt.Errorf("set a breakpoint at %#x: %w", address, err)
	}
	on, err := t.move(resume, unix.SIGTRAP)
	if !on || err != nil {
		return on, err
	}
	if _, err := unix.PtracePokeText(t.tid, uintptr(address), was); err != nil {
		return false, fmt.Errorf("remove the breakpoint at %#x: %w", address, err)
	}
	t.broke = address
	return true, t.goTo(address)
}

// breakpoint returns the instruction that stops the thread.
func breakpoint() []byte {
	if runtime.GOARCH == "arm64" {
		return []byte{0x00, 0x00, 0x20, 0xd4} // BRK #0
	}
	return []byte{0xcc} // INT3, behind which the thread then is
}

// goTo sets the address of the next instruction.
func (t *tracee) goTo(address uint64) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(t.tid, &regs); err != nil {
		return fmt.Errorf("registers: %w", err)
	}
	regs.SetPC(address)
	if err := unix.PtraceSetRegs(t.tid, &regs); err != nil {
		return fmt.Errorf("registers: %w", err)
	}
	return nil
}

// place returns the address of the next instruction.
func (t *tracee) place() (uint64, error) {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(t.tid, &regs); err != nil {
		return 0, fmt.Errorf("registers: %w", err)
	}
	return regs.PC(), nil
}
