package main

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/shm"
)

// A ring is the limit loop of appending: the bare work that is left when one takes
// away from a log everything that makes it one. A record must get a place that no
// other producer has (an atomic add), be copied there, be given a checksum
// (without it a reader cannot know what a power cut left), and be published by one
// store that readers see last. The file is as large as the log may grow, since a
// log keeps its records and a cache-sized buffer does not; its pages are in memory
// before, since a log can see to that in the background.
//
// There is no end marker, no next commit word to zero, no lock, no time, no index,
// no death of a producer to think of, and nobody to wake: that is what mlog's
// share of the time goes to.
//
// A frame is, as in mlog, 32 bytes and the record: its commit word (sequence
// number plus one), its place, a word for the time, its checksum.
type ring struct {
	b     []byte
	data  []byte
	frame int
	slots int64
}

const (
	ringReserved = 0   // next sequence number to give away
	ringConsumed = 128 // what the consumer has done with, in a cache line of its own
	ringData     = 4096
	frameHeader  = 32
	// ringSlack is how seldom the two sides tell each other where they are.
	ringSlack = 1024
)

// openRing maps the file, making it with all its pages present if it is not there.
// All users of a file must use one size of record.
func (w *worker) openRing(path string, bytes int64, size int) (*ring, error) {
	key := fmt.Sprintf("%s %d", path, size)
	if r, ok := w.rings[key]; ok {
		return r, nil
	}
	var b []byte
	if _, err := os.Stat(path); err == nil {
		b, err = shm.Open(path)
		if err != nil {
			return nil, err
		}
	} else {
		b, err = shm.Create(path, bytes)
		if err != nil {
			return nil, err
		}
		clear(b) // all pages are made, and made dirty
	}
	for at := 0; at < len(b); at += 4096 { // and each in this process's map, writable
		shm.Uint64(b, at).Add(0)
	}
	frame := frameHeader + (size+7)&^7
	data := b[ringData:]
	w.rings[key] = &ring{b: b, data: data, frame: frame, slots: int64(len(data) / frame)}
	return w.rings[key], nil
}

func (r *ring) at(seq int64) []byte {
	off := int(seq%r.slots) * r.frame
	return r.data[off : off+r.frame]
}

// put is the whole of the loop's work for one record.
func (r *ring) put(payload []byte) {
	seq := int64(shm.Uint64(r.b, ringReserved).Add(1)) - 1
	frame := r.at(seq)
	copy(frame[frameHeader:], payload)
	binary.LittleEndian.PutUint64(frame[8:], uint64(seq))
	binary.LittleEndian.PutUint64(frame[24:], xxhash.Sum64(payload))
	shm.Uint64(frame, 0).Store(uint64(seq) + 1)
}

// get waits, spinning, for a record, and reports whether its checksum is right.
func (r *ring) get(seq int64) bool {
	frame := r.at(seq)
	for commit := shm.Uint64(frame, 0); commit.Load() != uint64(seq)+1; {
	}
	return xxhash.Sum64(frame[frameHeader:]) == binary.LittleEndian.Uint64(frame[24:])
}

// ringWriteJob puts N records, waiting for the consumer before it overwrites what
// that has not had.
func (w *worker) ringWriteJob(t task) (reply, error) {
	r, err := w.openRing(t.Dir, t.Bytes, t.Size)
	if err != nil {
		return reply{}, err
	}
	first := int64(shm.Uint64(r.b, ringReserved).Load())
	consumed := shm.Uint64(r.b, ringConsumed)
	proc.Until(t.At)
	began := shm.Now()
	for i := range t.N {
		if i%ringSlack == 0 {
			for first+i+2*ringSlack-int64(consumed.Load()) > r.slots {
			}
		}
		r.put(w.payload(i, t.Size))
	}
	return reply{Records: t.N, Began: began, Ended: shm.Now()}, nil
}

// ringReadJob takes the next N records.
func (w *worker) ringReadJob(t task) (reply, error) {
	r, err := w.openRing(t.Dir, t.Bytes, t.Size)
	if err != nil {
		return reply{}, err
	}
	consumed := shm.Uint64(r.b, ringConsumed)
	first := int64(consumed.Load())
	proc.Until(t.At)
	began := shm.Now()
	for i := range t.N {
		if !r.get(first + i) {
			return reply{}, fmt.Errorf("record %d of the ring has a wrong checksum", i)
		}
		if i%ringSlack == 0 {
			consumed.Store(uint64(first + i))
		}
	}
	consumed.Store(uint64(first + t.N))
	return reply{Records: t.N, Began: began, Ended: shm.Now()}, nil
}
