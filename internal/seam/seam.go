// Package seam is where a test comes between the log and the system. Every call
// that the log makes of the system, and that can fail, goes through Do: so a test
// can have each of them fail in turn, and can see what was synced, and when,
// which is what a power loss leaves.
//
// Nothing is watched in a program that runs normally; Do is then one load and
// the call itself.
package seam

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A Call is one of the system that is about to be made.
type Call struct {
	// Op is the system call's name, as Linux has it: open, fallocate, fdatasync, …
	Op string
	// Path is the file that it is about, by the name under which it was opened, or
	// the name that a rename or a link is about to take away or to copy. It is
	// empty for a futex.
	Path string
	// File is the open file, for calls that take one; nil for those that take a name.
	File *os.File
	// From and To are the bytes of the file that the call is about, if it is about a
	// part of it; else both are zero.
	From, To int64
}

// A Hook is called in the place of the call: do makes it. What the hook returns
// is what the log sees. Hooks run concurrently.
type Hook func(c Call, do func() error) error

type watch struct {
	dir  string
	hook Hook
}

var (
	watches atomic.Pointer[[]*watch]
	mu      sync.Mutex // held while watches is replaced
)

// Watch has hook called for all calls about files in dir, and for those about no
// file, until the returned function is called. Of several hooks for one call the
// newest is the outermost. It is for tests.
func Watch(dir string, hook Hook) (stop func()) {
	w := &watch{dir: filepath.Clean(dir) + string(filepath.Separator), hook: hook}
	replace(func(all []*watch) []*watch { return append(all, w) })
	return func() {
		replace(func(all []*watch) []*watch {
			return slices.DeleteFunc(all, func(have *watch) bool { return have == w })
		})
	}
}

func replace(change func([]*watch) []*watch) {
	mu.Lock()
	defer mu.Unlock()
	var now []*watch
	if have := watches.Load(); have != nil {
		now = slices.Clone(*have)
	}
	if now = change(now); len(now) == 0 {
		watches.Store(nil)
		return
	}
	watches.Store(&now)
}

// Do makes a call of the system, or has those who watch it make it.
func Do(op, path string, do func() error) error {
	return through(Call{Op: op, Path: path}, do)
}

// DoFile is Do for a call that takes an open file.
func DoFile(op string, f *os.File, do func() error) error {
	return through(Call{Op: op, Path: f.Name(), File: f}, do)
}

// DoRange is DoFile for a call about the bytes from from up to to of the file.
func DoRange(op string, f *os.File, from, to int64, do func() error) error {
	return through(Call{Op: op, Path: f.Name(), File: f, From: from, To: to}, do)
}

func through(c Call, do func() error) error {
	all := watches.Load()
	if all == nil {
		return do()
	}
	for _, w := range *all {
		if c.Path == "" || strings.HasPrefix(c.Path+string(filepath.Separator), w.dir) {
			inner := do
			do = func() error { return w.hook(c, inner) }
		}
	}
	return do()
}

// Watched reports whether anybody watches. Who makes a call so often that the
// closure for Do would tell asks first.
func Watched() bool { return watches.Load() != nil }
