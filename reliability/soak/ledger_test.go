//go:build linux

package soak

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/seed27ccf144/mlog/reliability/check"
)

// An ack is what a producer was told: its batch, whose first record this is, has
// this offset, and is durable or not.
type ack struct {
	Offset  int64
	First   identity
	Durable uint16
}

// A ledger is what was acknowledged of the records that retention has kept. It
// forgets the others, as it lives as long as the log.
type ledger struct {
	mu           sync.Mutex
	acks         map[int64]identity // by the offset of a batch, its first record
	killed       map[uint32]bool    // processes of which the last batch may not be acknowledged
	durable      int64
	acknowledged int64
}

func newLedger() *ledger {
	return &ledger{acks: make(map[int64]identity), killed: make(map[uint32]bool)}
}

func (l *ledger) add(a ack) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, ok := l.acks[a.Offset]; ok {
		return fmt.Errorf("offset %d was acknowledged for %+v and for %+v", a.Offset, other, a.First)
	}
	l.acks[a.Offset] = a.First
	l.acknowledged += int64(a.First.Count)
	if a.Durable != 0 {
		l.durable = max(l.durable, a.Offset+int64(a.First.Count))
	}
	return nil
}

// bury notes that a process was killed.
func (l *ledger) bury(process uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.killed[process] = true
}

// judge compares the log, of which nobody changes anything, with what was
// acknowledged, and then forgets what the log has dropped.
func (l *ledger) judge(log *check.Log) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int64(len(log.Records)) != log.End-log.Start {
		return fmt.Errorf("%d records from offset %d to %d", len(log.Records), log.Start, log.End)
	}
	if log.Control == nil || log.Control.Durable < l.durable {
		return fmt.Errorf("offset %d was acknowledged as durable; the shared words are %+v", l.durable-1, log.Control)
	}
	last := make(map[streamName]identity)
	unacked := make(map[streamName]uint64) // by stream, the batch that nobody was told of
	for i, r := range log.Records {
		id, err := identify(r.Value)
		if err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		if r.Offset != log.Start+int64(i) || r.Batch != r.Offset-int64(id.Index) || r.BatchCount != int(id.Count) {
			return fmt.Errorf("offset %d, in a batch of %d from %d on, is %+v", r.Offset, r.BatchCount, r.Batch, id)
		}
		if before, ok := last[id.name()]; ok && id.Seq != before.Seq+1 {
			return fmt.Errorf("offset %d is %+v, behind %+v", r.Offset, id, before)
		}
		last[id.name()] = id
		if err := l.judgeAck(r, id, unacked); err != nil {
			return err
		}
	}
	for offset, first := range l.acks {
		if offset+int64(first.Count) > log.End {
			return fmt.Errorf("offset %d was acknowledged for %+v, and the log ends at %d", offset, first, log.End)
		}
	}
	l.forget(log, last)
	return nil
}

// judgeAck proves that a batch was acknowledged to its producer at just this
// offset, or else was the last one of a producer that was killed.
func (l *ledger) judgeAck(r check.Record, id identity, unacked map[streamName]uint64) error {
	first := id
	first.Index, first.Seq = 0, id.Seq-uint64(id.Index)
	if told, ok := l.acks[r.Batch]; ok {
		if told != first {
			return fmt.Errorf("offset %d is of batch %+v, but was acknowledged for %+v", r.Offset, first, told)
		}
		if seq, ok := unacked[id.name()]; ok {
			return fmt.Errorf("offset %d: %+v was acknowledged, but not the batch from %d on before it", r.Offset, first, seq)
		}
		return nil
	}
	if !l.killed[id.process()] {
		return fmt.Errorf("offset %d is of batch %+v, which was never acknowledged, though its producer lived", r.Offset, first)
	}
	if seq, ok := unacked[id.name()]; ok && seq != first.Seq {
		return fmt.Errorf("offset %d: batches from %d and from %d on of the killed producer %d were not acknowledged",
			r.Offset, seq, first.Seq, id.Producer)
	}
	unacked[id.name()] = first.Seq
	return nil
}

// forget makes new maps, as a map never gives back what it once needed.
func (l *ledger) forget(log *check.Log, present map[streamName]identity) {
	kept := make(map[int64]identity)
	for offset, first := range l.acks {
		if offset >= log.Start {
			kept[offset] = first
		}
	}
	killed := make(map[uint32]bool)
	for _, id := range present {
		if l.killed[id.process()] {
			killed[id.process()] = true
		}
	}
	l.acks, l.killed = kept, killed
}

// A report is the file in which a process keeps what it was told. What was written
// to it outlives the process, and it is no part of the log.
type report struct {
	mu   sync.Mutex
	file *os.File
}

func openReport(path string) (*report, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &report{file: f}, err
}

func (r *report) add(a ack) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, err := binary.Append(nil, binary.LittleEndian, a)
	if err != nil {
		return err
	}
	_, err = r.file.Write(b)
	return err
}

// collect takes over what a process has reported, which does not write meanwhile,
// and empties the report.
func (l *ledger) collect(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was killed before it began
	}
	if err != nil {
		return err
	}
	// Its death may have cut the last one short.
	acks := make([]ack, len(b)/binary.Size(ack{}))
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, acks); err != nil {
		return err
	}
	for _, a := range acks {
		if err := l.add(a); err != nil {
			return err
		}
	}
	return os.Truncate(path, 0)
}
