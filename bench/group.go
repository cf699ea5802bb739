package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/internal/shm"
)

// The bare group is what is left of durable appends by several processes, when nobody ever
// dies and nothing is kept but bytes: a lock, a copy of the record into a mapped file, and one
// sync for all who wait, by one of them. The others sleep until it is over. It is a
// reference for a log whose producers share syncs and do not burn the cores while they wait: so
// many wake-ups, on so few cores, lie between two syncs. It is no limit: one that lets all
// producers yield in turns instead of sleeping can be quicker.
type group struct {
	file, words []byte
}

// What the processes share: each word in a cache line of its own.
const (
	groupLock   = 64 * iota // of the tail
	groupTail               // records there are
	groupSynced             // records that are on disk
	groupLead               // taken by who syncs
	groupTurn               // counts syncs; sleepers wait for the next
	groupLast               // how many records the last one had
	groupWords
)

// How long who leads waits for as many records as the last sync had, since those
// who were in that are about to append again: as long as they come, and not for ever.
const (
	groupQuiet  = 40_000  // ns
	groupAtMost = 150_000 // ns
)

// limitGroupJob appends durably, together with the other workers that have the same task.
func (w *worker) limitGroupJob(t task) (reply, error) {
	g, err := w.openGroup(t)
	if err != nil {
		return reply{}, err
	}
	return timed(t, func(i int64) (int64, error) { return 1, g.append(w.payload(i, t.Size)) })
}

// openGroup maps the file, making it if it is not there; so one worker does first.
func (w *worker) openGroup(t task) (*group, error) {
	if w.group != nil {
		return w.group, nil
	}
	words, err := shm.Create(t.Dir+".words", groupWords)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(t.Dir, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < t.Bytes {
		// A page at a time: what is written in larger pieces is synced in larger pieces.
		if err := fill(int(f.Fd()), t.Bytes, os.Getpagesize()); err != nil {
			return nil, err
		}
		clear(words)
	}
	file, err := shm.Open(t.Dir)
	if err != nil {
		return nil, err
	}
	for at := 0; at < len(file); at += os.Getpagesize() {
		shm.Uint64(file, at).Add(0) // present, and writable
	}
	w.group = &group{file, words}
	return w.group, nil
}

// append returns when the record is on disk.
func (g *group) append(record []byte) error {
	lock, tail := shm.Uint32(g.words, groupLock), shm.Uint64(g.words, groupTail)
	for !lock.CompareAndSwap(0, 1) {
		shm.Yield()
	}
	own := tail.Load()
	copy(g.file[g.position(own, len(record)):], record)
	tail.Store(own + 1)
	lock.Store(0)

	synced, lead, turn := shm.Uint64(g.words, groupSynced), shm.Uint32(g.words, groupLead), shm.Uint32(g.words, groupTurn)
	for {
		seen := turn.Load()
		if synced.Load() > own {
			return nil
		}
		if !lead.CompareAndSwap(0, 1) {
			shm.Wait(turn, seen)
			continue
		}
		var err error
		if synced.Load() <= own {
			err = g.sync(len(record))
		}
		lead.Store(0)
		turn.Add(1)
		shm.Wake(turn)
		if err != nil {
			return err
		}
	}
}

func (g *group) position(record uint64, size int) int {
	return int(record % uint64(len(g.file)/size) * uint64(size))
}

// sync makes all records durable that are there, and waits for those that are about to be.
func (g *group) sync(size int) error {
	tail, synced, last := shm.Uint64(g.words, groupTail), shm.Uint64(g.words, groupSynced), shm.Uint64(g.words, groupLast)
	from := synced.Load()
	began := shm.Now()
	for quiet, seen := began, uint64(0); tail.Load()-from < last.Load(); shm.Yield() {
		now := shm.Now()
		if there := tail.Load(); there != seen {
			seen, quiet = there, now
		}
		if now-quiet > groupQuiet || now-began > groupAtMost {
			break
		}
	}
	to := tail.Load()
	page := os.Getpagesize()
	begin, end := g.position(from, size)/page*page, g.position(to-1, size)+size
	if begin >= end { // around the end of the file
		begin, end = 0, len(g.file)
	}
	if err := unix.Msync(g.file[begin:end], unix.MS_SYNC); err != nil {
		return fmt.Errorf("sync of %d records: %w", to-from, err)
	}
	last.Store(to - from)
	synced.Store(to)
	return nil
}
