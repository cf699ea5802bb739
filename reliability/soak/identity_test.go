//go:build linux

package soak

import (
	"bytes"
	"encoding/binary"
	"fmt"

	mlog "github.com/seed27ccf144/mlog/log"
)

// An identity says which record it is: by which producer, of which of its
// goroutines, which one in the order of that goroutine, and where in its batch.
type identity struct {
	Producer     uint64 // the process in the upper half; each opening of the log has its own
	Stream       uint16
	Index, Count uint16
	Seq          uint64
}

// process is the number of the process that sent it.
func (id identity) process() uint32 { return uint32(id.Producer >> 32) }

// A streamName is one goroutine of one producer.
type streamName struct {
	producer uint64
	stream   uint16
}

func (id identity) name() streamName { return streamName{id.Producer, id.Stream} }

const identityBytes = 32

// value makes the value of the record: all of it follows from the identity and the
// length, so a torn, forged or foreign one is seen.
func (id identity) value(length int) []byte {
	length = max(length, identityBytes)
	v := make([]byte, 0, length+8)
	v = binary.LittleEndian.AppendUint64(v, id.Producer)
	v = binary.LittleEndian.AppendUint64(v, id.Seq)
	v = binary.LittleEndian.AppendUint16(v, id.Stream)
	v = binary.LittleEndian.AppendUint16(v, id.Index)
	v = binary.LittleEndian.AppendUint16(v, id.Count)
	v = binary.LittleEndian.AppendUint16(v, 0)
	v = binary.LittleEndian.AppendUint64(v, uint64(length))
	state := id.Producer ^ uint64(id.Stream)<<48 ^ id.Seq
	for len(v) < length {
		state += 0x9e3779b97f4a7c15
		z := (state ^ state>>30) * 0xbf58476d1ce4e5b9
		v = binary.LittleEndian.AppendUint64(v, z^z>>27)
	}
	return v[:length]
}

// identify tells which record has this value. It is an error if none has.
func identify(v []byte) (identity, error) {
	if len(v) < identityBytes {
		return identity{}, fmt.Errorf("nobody sent a value of %d bytes", len(v))
	}
	id := identity{
		Producer: binary.LittleEndian.Uint64(v),
		Seq:      binary.LittleEndian.Uint64(v[8:]),
		Stream:   binary.LittleEndian.Uint16(v[16:]),
		Index:    binary.LittleEndian.Uint16(v[18:]),
		Count:    binary.LittleEndian.Uint16(v[20:]),
	}
	if !bytes.Equal(v, id.value(len(v))) {
		return id, fmt.Errorf("nobody sent this value of %d bytes, which says that it is %+v", len(v), id)
	}
	return id, nil
}

// A tracker follows one reader, and proves that it is given records that were sent,
// each where the last one ended, and no time before the last one's.
type tracker struct {
	due  int64
	time int64
	read int64
	gone int64 // how often retention was quicker
}

func (t *tracker) take(rec mlog.Record) error {
	if _, err := identify(rec.Value); err != nil {
		return fmt.Errorf("offset %d: %w", rec.Offset, err)
	}
	if rec.Offset != t.due {
		return fmt.Errorf("a reader was given offset %d where %d is due", rec.Offset, t.due)
	}
	at := rec.Time.UnixNano()
	if at < t.time {
		return fmt.Errorf("offset %d was appended %d ns before the record before it", rec.Offset, t.time-at)
	}
	t.due, t.time = rec.Offset+1, at
	t.read++
	return nil
}

// skipTo notes that a reader was told that records are gone, and goes on here.
func (t *tracker) skipTo(offset int64) error {
	if offset <= t.due {
		return fmt.Errorf("a reader was told that offset %d is gone, and goes on at %d", t.due, offset)
	}
	t.due = offset
	t.gone++
	return nil
}
