// Package fault turns a memory fault in a mapped file (the file was cut by a
// stranger, or its disk gave an I/O error) into an ordinary error, where the
// process would otherwise die of SIGBUS.
//
// The pattern, in every function that touches mapped bytes:
//
//	defer fault.Recover(fault.Guard(), &err)
package fault

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// An Error says that mapped memory could not be read or written.
type Error struct {
	Addr uintptr // the address that faulted; of use only in a debugger
	File string  // the file that is mapped there; empty where the system does not tell
}

func (e *Error) Error() string {
	if e.File != "" {
		return fmt.Sprintf("memory fault in %s: the mapped file was truncated or its disk failed", e.File)
	}
	return fmt.Sprintf("memory fault at %#x: a mapped file was truncated or its disk failed", e.Addr)
}

// Guard makes faults of the calling goroutine recoverable and returns what
// Recover needs to undo that.
func Guard() (previous bool) { return debug.SetPanicOnFault(true) }

// Recover must be deferred directly. It restores the goroutine's setting, and
// if a fault is on its way, ends it and stores an *Error in *err. Every other
// panic goes on.
func Recover(previous bool, err *error) {
	debug.SetPanicOnFault(previous)
	r := recover()
	if r == nil {
		return
	}
	if f, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	}); ok {
		*err = &Error{Addr: f.Addr(), File: fileAt(f.Addr())}
		return
	}
	panic(r)
}

// Run calls f with faults turned into errors.
func Run(f func() error) (err error) {
	defer Recover(Guard(), &err)
	return f()
}
