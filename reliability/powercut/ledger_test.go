package powercut

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	mlog "github.com/seed27ccf144/mlog/log"
)

// A ledger is what is known outside of the log of what was appended to it.
type ledger struct {
	seed    uint64
	lastID  uint32
	batches map[uint32]*batch // begun, and not known to be lost
	durable int64             // all below this offset was acknowledged as durable
	// committed is the highest offset that any group ever committed.
	committed int64
	limits
}

// A batch is one append.
type batch struct {
	records []mlog.Record
	offset  int64 // -1 until it is acknowledged
}

func newLedger(seed uint64) *ledger {
	return &ledger{seed: seed, batches: make(map[uint32]*batch)}
}

func (l *ledger) clone() *ledger {
	c := *l
	c.bases = slices.Clone(l.bases)
	c.batches = make(map[uint32]*batch)
	for id, b := range l.batches {
		other := *b
		c.batches[id] = &other
	}
	return &c
}

// begin makes up a batch that is about to be appended. The sizes are such that a
// segment of 64 KiB is soon full.
func (l *ledger) begin(rng *rand.Rand, s sizes) *batch {
	l.lastID++
	b := &batch{offset: -1}
	l.batches[l.lastID] = b
	if s == alike && rng.IntN(3) > 0 {
		const extra = 60
		r := l.record(rng, l.lastID, 0, 1, extra)
		b.records = []mlog.Record{{Value: r.Value}}
		return b
	}
	count := 1
	if rng.IntN(3) == 0 {
		count = 2 + rng.IntN(6)
	}
	for i := range count {
		longest := []int{40, 600, 6000, 24_000 / count}[rng.IntN(4)]
		if s != mixed {
			longest = 24_000 / count
		}
		b.records = append(b.records, l.record(rng, l.lastID, i, count, rng.IntN(longest)))
	}
	return b
}

const nameBytes = 12 // of the value: id, place in the batch, count of the batch

func (l *ledger) record(rng *rand.Rand, id uint32, i, count, extra int) mlog.Record {
	value := make([]byte, nameBytes+extra)
	binary.LittleEndian.PutUint32(value, id)
	binary.LittleEndian.PutUint32(value[4:], uint32(i))
	binary.LittleEndian.PutUint32(value[8:], uint32(count))
	filler := value[nameBytes:]
	for ; len(filler) >= 8; filler = filler[8:] {
		binary.LittleEndian.PutUint64(filler, rng.Uint64())
	}
	r := mlog.Record{Value: value}
	if rng.IntN(4) == 0 {
		r.Key = fmt.Appendf(nil, "key-%d", id%7)
	}
	if rng.IntN(6) == 0 {
		r.Headers = []mlog.Header{{Key: "n", Value: fmt.Append(nil, id)}}
	}
	return r
}

func (b *batch) end() int64 { return b.offset + int64(len(b.records)) }

// A row is what was read of a log.
type row struct {
	start, end int64
	records    []mlog.Record
}

// check compares a row with the ledger: nothing that was not appended, everything
// in its place, once, batches whole, and all that was acknowledged as durable.
func (l *ledger) check(r row) error {
	if err := l.checkContent(r); err != nil {
		return err
	}
	if r.end < l.durable {
		return fmt.Errorf("the log ends at offset %d, and all before %d was acknowledged as durable", r.end, l.durable)
	}
	return nil
}

func (l *ledger) checkContent(r row) error {
	if r.start+int64(len(r.records)) != r.end {
		return fmt.Errorf("offsets %d to %d hold %d records", r.start, r.end, len(r.records))
	}
	if highest := l.highestStart(); r.start > highest {
		return fmt.Errorf("the log starts at offset %d, and its limits keep all from offset %d on", r.start, highest)
	}
	seen := make(map[uint32]bool)
	for at := 0; at < len(r.records); {
		offset := r.start + int64(at)
		id, b, err := l.batchAt(r.records[at], offset)
		if err != nil {
			return err
		}
		if seen[id] {
			return fmt.Errorf("offset %d: batch %d stands there a second time", offset, id)
		}
		seen[id] = true
		if len(r.records)-at < len(b.records) {
			return fmt.Errorf("offset %d: of batch %d only %d records of %d are there", offset, id, len(r.records)-at, len(b.records))
		}
		for i, want := range b.records {
			if !same(r.records[at+i], want, offset+int64(i)) {
				return fmt.Errorf("offset %d is not record %d of batch %d, or not as it was appended", offset+int64(i), i, id)
			}
		}
		at += len(b.records)
	}
	return nil
}

// batchAt returns the batch that begins with a record.
func (l *ledger) batchAt(r mlog.Record, offset int64) (uint32, *batch, error) {
	if len(r.Value) < nameBytes {
		return 0, nil, fmt.Errorf("offset %d holds what was never appended", offset)
	}
	id := binary.LittleEndian.Uint32(r.Value)
	b := l.batches[id]
	if b == nil {
		return id, nil, fmt.Errorf("offset %d holds batch %d, which was never appended, or lost in an earlier cut", offset, id)
	}
	if b.offset >= 0 && b.offset != offset {
		return id, nil, fmt.Errorf("offset %d holds batch %d, which was acknowledged at offset %d", offset, id, b.offset)
	}
	return id, b, nil
}

func same(got, want mlog.Record, offset int64) bool {
	if got.Offset != offset || !bytes.Equal(got.Value, want.Value) || !bytes.Equal(got.Key, want.Key) ||
		(got.Key == nil) != (want.Key == nil) || len(got.Headers) != len(want.Headers) {
		return false
	}
	for i, h := range want.Headers {
		if h.Key != got.Headers[i].Key || !bytes.Equal(h.Value, got.Headers[i].Value) {
			return false
		}
	}
	return true
}

// adopt makes the ledger that of a log that has been recovered, and read: what is
// there is durable, what is not must never come again.
func (l *ledger) adopt(r row) {
	kept := make(map[uint32]bool)
	for at := 0; at < len(r.records); {
		id, b, _ := l.batchAt(r.records[at], r.start+int64(at))
		b.offset = r.start + int64(at)
		kept[id] = true
		at += len(b.records)
	}
	maps.DeleteFunc(l.batches, func(id uint32, b *batch) bool { return !kept[id] && !(b.offset >= 0 && b.end() <= r.start) })
	l.durable = r.end
	l.cutBack(r.end)
}

// forgetBefore drops what retention has dropped.
func (l *ledger) forgetBefore(start int64) {
	maps.DeleteFunc(l.batches, func(_ uint32, b *batch) bool { return b.end() <= start })
}
