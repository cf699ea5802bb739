// Package control is the control file of a log: the words that its producers
// share. They are volatile. After a reboot, or in a copy of the directory, the
// file is not valid and is made anew by recovery.
package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/bootid"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// Layout of the file. Words that different processes write at different times
// lie 64 bytes apart or more.
const (
	Bytes   = 4096
	magic   = "mlogctrl"
	version = 1

	offVersion = 8
	offBoot    = 16
	offLogID   = 32
	offDev     = 48
	offIno     = 56
	offSum     = 64
	endOfFixed = 72

	offLock      = 128
	offActive    = 192
	offSyncLock  = 256
	offDurable   = 320
	offSyncFrom  = 328
	offNamed     = 336
	offPoison    = 344
	offTakeovers = 384
	offRolls     = 392
	offSyncs     = 400
)

// ErrStale says that a control file is not of this boot, or not of this
// directory, or not readable as one: recovery has to make it anew.
var ErrStale = errors.New("control file is stale")

// A Control is the mapped control file: every word that producers share, with
// who writes it and when.
type Control struct {
	// Lock is the producers' lock. Its holder, and nobody else, writes to the
	// active segment, creates segments and stores Active.
	Lock Lock

	// Active is the base offset of the segment that is appended to. The holder
	// of Lock stores it after the end marker of the segment before. It may be
	// behind by one segment if its writer died: the end marker tells.
	Active *atomic.Uint64

	// SyncLock lets one process at a time sync for all. It spares work and
	// guards nothing: the marks below are right whoever moves them.
	SyncLock Lock

	// Durable is the offset below which every record is on disk. It only grows,
	// by RaiseDurable, after a sync whose range was read before it began.
	Durable    *atomic.Uint64
	durableLow *atomic.Uint32 // slept on, see AwaitSync

	// SyncFrom is the base offset of the segment where the next sync begins: all
	// segments before it are wholly on disk. It only grows.
	SyncFrom *atomic.Uint64

	// Named is one more than the highest base offset whose directory entry is on
	// disk. It only grows.
	Named *atomic.Uint64

	// Poison is zero, or the errno of the sync that failed. It is set before
	// that error is returned to anybody and never cleared.
	Poison *atomic.Uint32

	// Counters, for information only.
	Takeovers *atomic.Uint64 // repairs, after deaths mostly
	Rolls     *atomic.Uint64
	Syncs     *atomic.Uint64

	m        *mapping.Map
	apart    *mapping.Map // of a producer: a second mapping, for Leave
	dev, ino uint64       // of the file
}

// State is what a new control file begins with: the result of recovery.
type State struct {
	Active  int64
	Durable int64
	Poison  uint32
}

// identity ties a control file to a boot and to its own inode, so that neither
// a reboot nor a copy can pass for the living thing.
type identity struct {
	boot     bootid.ID
	logID    [16]byte
	dev, ino uint64
}

func (id *identity) encode() []byte {
	b := make([]byte, endOfFixed)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[offVersion:], version)
	copy(b[offBoot:], id.boot[:])
	copy(b[offLogID:], id.logID[:])
	binary.LittleEndian.PutUint64(b[offDev:], id.dev)
	binary.LittleEndian.PutUint64(b[offIno:], id.ino)
	binary.LittleEndian.PutUint64(b[offSum:], xxhash.Sum64(b[:offSum]))
	return b
}

// Create makes the control file at path, valid from the moment it has that
// name. Nobody else may be using the log.
func Create(path string, logID [16]byte, mode fs.FileMode, s State) error {
	tmp := path + ".new"
	f, err := files.CreateAllocated(tmp, Bytes, mode)
	if err != nil {
		return err
	}
	defer f.Close()
	id := identity{logID: logID}
	if id.boot, err = bootid.Current(); err != nil {
		return err
	}
	if id.dev, id.ino, err = files.Identity(f); err != nil {
		return err
	}
	b := make([]byte, Bytes)
	copy(b, id.encode())
	binary.LittleEndian.PutUint64(b[offActive:], uint64(s.Active))
	binary.LittleEndian.PutUint64(b[offDurable:], uint64(s.Durable))
	binary.LittleEndian.PutUint64(b[offSyncFrom:], uint64(s.Active))
	binary.LittleEndian.PutUint64(b[offNamed:], uint64(s.Active)+1)
	binary.LittleEndian.PutUint32(b[offPoison:], s.Poison)
	if err := files.WriteAt(f, b, 0); err != nil {
		return fmt.Errorf("write %s: %w", tmp, err)
	}
	return files.Rename(tmp, path)
}

// Open maps the control file. The error is ErrStale or fs.ErrNotExist when there
// is no valid one. On a system that does not tell its boots apart, a file that an
// earlier boot left looks valid, and a caller that relies on it has to make sure
// that a producer lives.
func Open(path string, logID [16]byte, writable bool) (c *Control, err error) {
	f, err := files.Open(path, writable)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	want := identity{logID: logID}
	if want.boot, err = bootid.Current(); err != nil {
		return nil, err
	}
	if want.dev, want.ino, err = files.Identity(f); err != nil {
		return nil, err
	}
	have := make([]byte, endOfFixed)
	if n, err := files.ReadAt(f, have, 0); n != len(have) {
		if !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read %s: %w", path, err) // which says nothing of what the file holds
		}
		return nil, ErrStale
	}
	if fi, err := f.Stat(); err != nil || fi.Size() != Bytes {
		return nil, ErrStale
	}
	if v := binary.LittleEndian.Uint32(have[offVersion:]); v != version && string(have[:len(magic)]) == magic &&
		bootid.ID(have[offBoot:offBoot+16]) == want.boot && !layout.OnlyVersionDiffers(have, version, offSum) {
		return nil, fmt.Errorf("%w: %s: layout version %d, this build knows %d: another build of mlog is using the log; use that one, or a newer mlog",
			layout.ErrIncompatible, path, v, version)
	}
	if string(have) != string(want.encode()) {
		return nil, ErrStale
	}
	m, err := mapping.File(f, Bytes, writable)
	if err != nil {
		return nil, err
	}
	c = view(m)
	c.dev, c.ino = want.dev, want.ino
	if writable && mapping.CanDetach {
		if c.apart, err = mapping.File(f, Bytes, true); err != nil {
			m.Close()
			return nil, err
		}
	}
	return c, nil
}

func view(m *mapping.Map) *Control {
	b := m.Bytes()
	return &Control{
		Lock:       Lock{word: mapping.Uint32(b, offLock)},
		Active:     mapping.Uint64(b, offActive),
		SyncLock:   Lock{word: mapping.Uint32(b, offSyncLock)},
		Durable:    mapping.Uint64(b, offDurable),
		durableLow: mapping.Uint32(b, offDurable),
		SyncFrom:   mapping.Uint64(b, offSyncFrom),
		Named:      mapping.Uint64(b, offNamed),
		Poison:     mapping.Uint32(b, offPoison),
		Takeovers:  mapping.Uint64(b, offTakeovers),
		Rolls:      mapping.Uint64(b, offRolls),
		Syncs:      mapping.Uint64(b, offSyncs),
		m:          m,
	}
}

// IsAt reports whether the file of this name is the one that is mapped.
func (c *Control) IsAt(path string) bool {
	f, err := files.Open(path, false)
	if err != nil {
		return false
	}
	defer f.Close()
	dev, ino, err := files.Identity(f)
	return err == nil && dev == c.dev && ino == c.ino
}

// ErrSyncFailed says that a sync of the log failed at some time in this boot.
// What is on disk is unknown since, so nothing more can be promised.
var ErrSyncFailed = errors.New("an earlier sync of this log failed")

// CheckPoison returns an error that is ErrSyncFailed, and the errno of the sync
// that failed, if one did.
func (c *Control) CheckPoison() error {
	errno := c.Poison.Load()
	if errno == 0 {
		return nil
	}
	return fmt.Errorf("%w (%w); what was acknowledged as durable before is safe, check the disk, then repair the log or reboot", ErrSyncFailed, syscall.Errno(errno))
}

// Leave is called by a producer that has opened the file for writing, and before it
// gives up its slot. From then on nothing that this process stores in the words of c
// reaches the file. Until then its goroutines may have taken Lock, without doing
// anything under it: if one has it just now, it is given back here, as that one's own
// way to do so leads nowhere any more. It is given back unclean, for the slot may also be
// one that a dead producer had, holding the lock, and that this one could not repair.
func (c *Control) Leave(slot uint32) error {
	if err := c.m.Detach(); err != nil {
		return err
	}
	lock := Lock{word: mapping.Uint32(c.apart.Bytes(), offLock)}
	_ = fault.Run(func() error { // if it faults the file was cut, and there is no lock to give back
		if lock.Owner() == slot {
			lock.ReleaseUnclean(1)
		} else {
			lock.wake(1) // the wake-up of one who gave it back just now may have gone to the zeros
		}
		return nil
	})
	return c.apart.Close()
}

// Close unmaps the file.
func (c *Control) Close() error {
	if c.apart != nil {
		c.apart.Close()
	}
	return c.m.Close()
}

// Raise moves a word that only grows up to at least value.
func Raise(word *atomic.Uint64, value uint64) {
	for {
		old := word.Load()
		if old >= value || word.CompareAndSwap(old, value) {
			return
		}
	}
}

// DurableOffset and the following read one word each without risk of a fault.
func (c *Control) DurableOffset() (offset int64, err error) {
	defer fault.Recover(fault.Guard(), &err)
	return int64(c.Durable.Load()), nil
}

// ActiveBase returns the word Active.
func (c *Control) ActiveBase() (base int64, err error) {
	defer fault.Recover(fault.Guard(), &err)
	return int64(c.Active.Load()), nil
}

// firstBound and longBound limit a sleep on a lock. The sum of what a kill costs
// (the kernel tears the mappings down, then frees the file locks) and longBound
// stays well under the 50 ms in which producers must go on.
const (
	firstBound = time.Millisecond
	longBound  = 10 * time.Millisecond
)
