package harness

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Peer says what is measured. Only Name, Version, Produce and Consume must be set.
type Peer struct {
	Name    string
	Version func() string // of what is measured; called once, in the parent, after Setup
	Notes   string        // stands in the result

	Keeps     bool // it keeps records: append and replay are possible
	Durable   bool // it can acknowledge when the record is on disk
	Spins     bool // both sides can poll
	Checksums bool // it hashes what it is given and checks what it hands out, so that the harness need not
	// InProcess has producers and consumers run as threads of one process, for logs that only one process may
	// open. For Replay they are processes also then, first the one and then the other.
	InProcess bool

	// Goroutines has the roles run on whatever thread the runtime chooses: for peers whose goroutines wait for each
	// other, which costs a switch of threads each time for one that is locked to its thread. (With InProcess a role
	// that is pinned is locked nevertheless.)
	Goroutines bool

	// Has returns a reason if the peer has no such thing, beyond what the fields above say, or "".
	Has func(s Settings) string

	// Setup prepares: files, directories, servers. It runs in the parent, before the roles; with InProcess in the
	// process in which roles run.
	Setup func(e *Env) error
	// Produce sends what Fill gives, and returns when all of it is acknowledged (or handed over, by a peer that
	// acknowledges nothing). Consume takes records until Take says done.
	Produce func(p *Producer) error
	Consume func(c *Consumer) error
}

// Kernel returns the system and its version, for peers that are part of it.
func Kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "Linux"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// Skip is an error to return from Setup, Produce or Consume: the measurement cannot be made on this machine.
func Skip(format string, args ...any) error { return &skipError{reason: fmt.Sprintf(format, args...)} }

type skipError struct{ reason string }

func (e *skipError) Error() string { return e.reason }

// An Env is what the parent prepares for the roles.
type Env struct {
	Settings
	Files  []*os.File // open ones that every role inherits, as File(0), File(1), …
	Shared any        // for the roles of the same process (InProcess)

	vars     map[string]string
	cleanups []func() error
	servers  []int
}

const varPrefix = "MLOG_BENCH_VAR_"

// Set stores a text that roles read by Get.
func (e *Env) Set(key, value string) {
	if e.vars == nil {
		e.vars = map[string]string{}
	}
	e.vars[key] = value
}

// Get returns what Setup stored by Set, or "".
func (e *Env) Get(key string) string {
	if v, ok := e.vars[key]; ok {
		return v
	}
	return os.Getenv(varPrefix + key)
}

// File returns the i-th file of Files. In a role's process it is a descriptor of its own, in the mode (blocking or
// not) that the open file has.
func (e *Env) File(i int) *os.File { return e.Files[i] }

// Cleanup has f called at the end, the last one first, also after a failure; not if the process is killed.
func (e *Env) Cleanup(f func() error) { e.cleanups = append(e.cleanups, f) }

// AddServer has the CPU time of a process counted, while the measurement lasts.
func (e *Env) AddServer(pid int) { e.servers = append(e.servers, pid) }

func (e *Env) clean() error {
	var errs []error
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		errs = append(errs, e.cleanups[i]())
	}
	e.cleanups = nil
	return errors.Join(errs...)
}

// inapplicable returns the reason why the peer does not have what is to be measured, or "".
func (p *Peer) inapplicable(s Settings) string {
	switch {
	case !p.Keeps && (s.Work == Append || s.Work == Replay):
		return "it keeps nothing"
	case !p.Durable && s.Durable:
		return "it cannot acknowledge when a record is on disk"
	case !p.Spins && s.Spin:
		return "it has no way to poll"
	case s.Batch != 1 && s.Work != Append && s.Work != Stream:
		return "batches of " + strconv.Itoa(s.Batch) + " are for append and stream"
	case p.Has != nil:
		return p.Has(s)
	}
	return ""
}
