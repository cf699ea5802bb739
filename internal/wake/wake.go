// Package wake is how producers wake the consumers that sleep. Both share two
// words of one file, which whoever may read the log may write: the worst that a
// hostile consumer can do with it is to cause needless wake-ups.
//
// A consumer that found nothing loads the sequence, raises the flag, looks once
// more, and sleeps while the sequence stays as it was. A producer, after each
// commit, looks at the flag, and only if it is raised lowers it, counts the
// sequence up and wakes all sleepers. Each of the two stores its own word before
// it loads the other's, so at least one of them sees the other.
package wake

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/futex"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

const (
	offSequence = 0
	offFlag     = 64
)

// A File is a mapped wake file.
type File struct {
	dir      layout.Dir
	sequence *atomic.Uint32 // counted up by producers before they wake; slept on by consumers
	flag     *atomic.Uint32 // 1: raised by a consumer before its last look; lowered by the producer that wakes
	writable bool
	m        *mapping.Map
}

// Open maps the wake file of a log. Without write permission it can be slept on
// but the flag not be raised, see Sleep.
func Open(dir layout.Dir) (*File, error) {
	restore(dir)
	f, err := files.OpenSized(dir.Wake(), layout.WakeBytes, true)
	writable := err == nil
	if errors.Is(err, fs.ErrPermission) || isReadOnly(err) {
		f, err = files.OpenSized(dir.Wake(), layout.WakeBytes, false)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := mapping.File(f, layout.WakeBytes, writable)
	if err != nil {
		return nil, err
	}
	return &File{
		dir:      dir,
		sequence: mapping.Uint32(m.Bytes(), offSequence),
		flag:     mapping.Uint32(m.Bytes(), offFlag),
		writable: writable,
		m:        m,
	}, nil
}

// Restore gives a wake file that was cut its length back, so that the mappings of
// it work again. Whoever may read a log may write this file, and so cut it: that
// must hold up nobody.
func (f *File) Restore() { restore(f.dir) }

func restore(dir layout.Dir) {
	f, err := files.Open(dir.Wake(), true)
	if err != nil {
		return // no permission, or not there: opening it says so
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.Size() != layout.WakeBytes {
		_ = files.Truncate(f, layout.WakeBytes)
	}
}

// Leave has nothing that this process stores in the words reach the file any more.
func (f *File) Leave() error { return f.m.Detach() }

// Close unmaps the file.
func (f *File) Close() error { return f.m.Close() }

// Raised reports whether a consumer has raised the flag, so that Signal has
// something to do. The caller guards against memory faults.
func (f *File) Raised() bool { return f.flag.Load() != 0 }

// Signal wakes all consumers if one has raised the flag. Producers call it after
// what the consumers wait for is visible. One of several producers does the
// work: the one that lowers the flag.
func (f *File) Signal() {
	lowered := false
	err := fault.Run(func() error {
		lowered = f.flag.Load() != 0 && f.flag.Swap(0) != 0
		return nil
	})
	if lowered || err != nil { // with the file cut, nobody knows whether the flag was up
		f.SignalAlways()
	}
}

// SignalAlways wakes all consumers whatever the flag says: after a repair, since
// the dead producer may have lowered the flag and not come to the wake.
func (f *File) SignalAlways() {
	signal := func() error {
		f.sequence.Add(1)
		futex.Wake(f.sequence, futex.All)
		return nil
	}
	if fault.Run(signal) != nil {
		f.Restore()
		_ = fault.Run(signal)
	}
}

// Backstop bounds a consumer's sleep. It covers a producer that was killed
// between its commit and its wake, and nothing else relies on it. A wake-up costs
// a Go process some 150 µs of CPU (measured), so this is also what an idle
// consumer costs.
const Backstop = 2 * time.Second

// pollPause is the sleep of a consumer that cannot raise the flag, because it
// has no write permission: nobody will wake it.
const pollPause = 10 * time.Millisecond

// raise tells producers that somebody sleeps, or is about to.
func (f *File) raise() {
	if f.writable && f.flag.Load() == 0 {
		f.flag.Store(1)
	}
}

// sleep waits until the sequence is no longer seen, for at most bound.
func (f *File) sleep(seen uint32, bound time.Duration) {
	if !f.writable {
		bound = min(bound, pollPause)
	}
	futex.Wait(f.sequence, seen, min(bound, Backstop))
}

// kick wakes the sleeper of this process (and, harmlessly, those of others).
func (f *File) kick() {
	if f.writable {
		f.sequence.Add(1)
	}
	futex.Wake(f.sequence, futex.All)
}
