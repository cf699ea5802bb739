// Package group keeps the committed offset of a consumer group: the next offset
// that its consumers want to read.
//
// A group's file holds two places for the offset. Commits alternate between
// them and count up a sequence number, so a commit cut short leaves the one
// before it whole.
//
//	 0              64                    88                   112  128
//	┌──────────────┬─────────────────────┬─────────────────────┬─────┐
//	│ header       │ sequence,offset,sum │ sequence,offset,sum │  0  │
//	└──────────────┴─────────────────────┴─────────────────────┴─────┘
package group

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
)

const (
	fileBytes = 128
	magic     = "mloggrup"
	version   = 1

	offVersion = 8
	offLogID   = 16
	offSum     = 56
	offPlaces  = 64
	placeBytes = 24
)

// ErrNotMember says that a commit needs Join first.
var ErrNotMember = errors.New("not the active member of the group")

// A Group is a consumer group of one log. It is safe for concurrent use.
type Group struct {
	dir   layout.Dir
	name  string
	logID [16]byte
	mode  fs.FileMode // of the group's files

	mu     sync.Mutex
	file   *os.File // which may have lost its name while there is no lock
	lock   *filelock.Lock
	latest place
}

// A place is one of the two records of a committed offset. Sequence 0 means that
// nothing was committed.
type place struct {
	sequence uint64
	offset   int64
}

// Encode returns the bytes of a group file whose committed offset is offset, or
// of one in which nothing was committed if it is negative.
func Encode(logID [16]byte, offset int64) []byte {
	b := make([]byte, fileBytes)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[offVersion:], version)
	copy(b[offLogID:], logID[:])
	binary.LittleEndian.PutUint64(b[offSum:], xxhash.Sum64(b[:offSum]))
	if offset >= 0 {
		p := place{sequence: 1, offset: offset}
		copy(b[p.position():], p.encode(logID))
	}
	return b
}

// Decode reads the bytes of a group file. committed is false when there is no
// committed offset.
func Decode(b []byte, logID [16]byte) (offset int64, committed bool, err error) {
	p, err := decode(b, logID)
	return p.offset, p.sequence > 0, err
}

func decode(b []byte, logID [16]byte) (place, error) {
	var latest place
	if len(b) < offVersion+4 || string(b[:len(magic)]) != magic {
		return latest, errors.New("not a group file")
	}
	if v := binary.LittleEndian.Uint32(b[offVersion:]); v != version && !layout.OnlyVersionDiffers(b, version, offSum) {
		return latest, fmt.Errorf("%w: group file version %d, this build knows %d", layout.ErrIncompatible, v, version)
	}
	if len(b) != fileBytes {
		return latest, fmt.Errorf("group file of %d bytes, %d are expected: it was cut or is foreign", len(b), fileBytes)
	}
	if binary.LittleEndian.Uint64(b[offSum:]) != xxhash.Sum64(b[:offSum]) {
		return latest, errors.New("checksum mismatch, the file is damaged")
	}
	if [16]byte(b[offLogID:offLogID+16]) != logID {
		return latest, errors.New("the file belongs to another log")
	}
	for i := range 2 {
		raw := b[offPlaces+i*placeBytes:][:placeBytes]
		p := place{binary.LittleEndian.Uint64(raw), int64(binary.LittleEndian.Uint64(raw[8:]))}
		if p.position() == offPlaces+int64(i)*placeBytes && p.sequence > latest.sequence &&
			p.offset >= 0 && string(p.encode(logID)) == string(raw) {
			latest = p
		}
	}
	return latest, nil
}

func (p place) encode(logID [16]byte) []byte {
	b := make([]byte, 32)
	binary.LittleEndian.PutUint64(b, p.sequence)
	binary.LittleEndian.PutUint64(b[8:], uint64(p.offset))
	copy(b[16:], logID[:])
	return binary.LittleEndian.AppendUint64(b[:16], xxhash.Sum64(b))
}

func (p place) position() int64 { return offPlaces + int64(p.sequence%2)*placeBytes }

// Open opens the group of this name, or makes it.
func Open(dir layout.Dir, name string, meta *layout.Meta) (*Group, error) {
	if err := layout.CheckGroupName(name); err != nil {
		return nil, err
	}
	g := &Group{dir: dir, name: name, logID: meta.LogID, mode: layout.ModesFor(meta.Mode).Shared}
	var err error
	if g.file, err = openOrCreate(dir, name, meta.LogID, g.mode); err != nil {
		return nil, fmt.Errorf("group %s: %w", name, err)
	}
	if err := g.read(); err != nil {
		g.file.Close()
		return nil, err
	}
	return g, nil
}

func openOrCreate(dir layout.Dir, name string, logID [16]byte, mode fs.FileMode) (*os.File, error) {
	const attempts = 100 // each one fails only if somebody deletes the group meanwhile
	for attempt := 1; ; attempt++ {
		f, err := files.OpenSized(dir.Group(name), fileBytes, true)
		if !errors.Is(err, fs.ErrNotExist) || attempt == attempts {
			return f, err
		}
		if err := create(dir, name, logID, mode); err != nil {
			return nil, err
		}
	}
}

// create makes the file whole under the group's lock, so that two processes that
// do so at once do not undo each other's first commit.
func create(dir layout.Dir, name string, logID [16]byte, mode fs.FileMode) error {
	const looks, pause = 5000, time.Millisecond
	for n := 0; ; n++ {
		lock, err := filelock.TryExclusive(dir.GroupLock(name), mode)
		if err != nil {
			return err
		}
		if _, err := files.Lstat(dir.Group(name)); !errors.Is(err, fs.ErrNotExist) { // its maker may be a member by now, and keep the lock
			lock.Release()
			return err
		}
		if lock != nil {
			defer lock.Release()
			return files.Replace(dir.Group(name), Encode(logID, -1), mode)
		}
		if n == looks {
			return errors.New("its file is missing while it has an active consumer; stop that one")
		}
		time.Sleep(pause)
	}
}

func (g *Group) read() error {
	b := make([]byte, fileBytes)
	if _, err := files.ReadAt(g.file, b, 0); err != nil {
		return fmt.Errorf("group %s: %w", g.name, err)
	}
	p, err := decode(b, g.logID)
	if err != nil {
		return fmt.Errorf("group %s: %w", g.name, err)
	}
	g.latest = p
	return nil
}

// TryJoin makes the caller the group's active member and reports true, or false
// if there is another one. The membership ends with Close, or with the process.
func (g *Group) TryJoin() (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lock != nil {
		return true, nil
	}
	lock, err := filelock.TryExclusive(g.dir.GroupLock(g.name), g.mode)
	if lock == nil || err != nil {
		return false, err
	}
	if err = g.renew(); err == nil {
		err = g.read() // the member before us may have committed since
	}
	if err != nil {
		lock.Release()
		return false, err
	}
	g.lock = lock
	return true, nil
}

// renew makes g.file the one that has the group's name. Since it was opened the
// group may have been deleted, and made again by somebody else: commits to a file
// without a name would be lost. The caller holds the group's lock, so nobody
// deletes it now.
func (g *Group) renew() error {
	path := g.dir.Group(g.name)
	named, err := files.Lstat(path)
	if err == nil {
		mine, err := g.file.Stat()
		if err != nil || os.SameFile(mine, named) {
			return err
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		err = files.Replace(path, Encode(g.logID, -1), g.mode)
	}
	if err != nil {
		return fmt.Errorf("group %s: %w", g.name, err)
	}
	f, err := files.OpenSized(path, fileBytes, true)
	if err != nil {
		return fmt.Errorf("group %s: %w", g.name, err)
	}
	g.file.Close()
	g.file = f
	return nil
}

// Committed returns the committed offset as of Open or TryJoin, or what was
// committed through g since; false when there is none.
func (g *Group) Committed() (int64, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.latest.offset, g.latest.sequence > 0
}

// Commit stores the next offset to read. It survives the death of every process
// at once, and power loss once the system has written it back.
func (g *Group) Commit(offset int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lock == nil {
		return fmt.Errorf("group %s: %w", g.name, ErrNotMember)
	}
	if offset < 0 {
		return fmt.Errorf("group %s: cannot commit offset %d", g.name, offset)
	}
	if g.latest.sequence == math.MaxUint64 { // nobody counts so far; 0 would mean that nothing was committed
		return fmt.Errorf("group %s: the file counts its commits no further, so it was forged; delete the group", g.name)
	}
	p := place{sequence: g.latest.sequence + 1, offset: offset}
	if err := files.WriteAt(g.file, p.encode(g.logID), p.position()); err != nil {
		return fmt.Errorf("group %s: commit: %w", g.name, err)
	}
	g.latest = p
	return nil
}

// Close ends the membership.
func (g *Group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lock.Release()
	g.lock = nil
	return g.file.Close()
}

// Read returns the committed offset of a group without opening it.
func Read(dir layout.Dir, name string, logID [16]byte) (offset int64, committed bool, err error) {
	f, err := files.OpenSized(dir.Group(name), fileBytes, false)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	b := make([]byte, fileBytes)
	if _, err := files.ReadAt(f, b, 0); err != nil {
		return 0, false, err
	}
	return Decode(b, logID)
}
