//go:build unix

package storm

import "fmt"

// A truth is all that anybody ever learnt of a log: which record stands at which
// offset. Who says something else about an offset lies, or was lied to.
type truth struct {
	at     []identity // by offset; the zero identity: not known
	source []string
	// acked are the records of each stream that were acknowledged.
	acked map[streamName]uint64
	// durable is the end of the last batch that was acknowledged as durable.
	durable int64
	groups  map[int]*groupTruth
}

// A streamName is one goroutine of one producer.
type streamName struct {
	producer uint32
	stream   uint16
}

// A groupTruth is what the members of a group were told.
type groupTruth struct {
	committed int64 // the highest offset whose commit returned; -1: none
	attempted int64 // the highest offset whose commit was begun
}

func newTruth() *truth {
	t := &truth{acked: make(map[streamName]uint64), groups: make(map[int]*groupTruth)}
	for i := range groups {
		t.groups[i] = &groupTruth{committed: -1, attempted: -1}
	}
	return t
}

// learn takes in that somebody found a record at an offset.
func (t *truth) learn(offset int64, id identity, source string) error {
	for int64(len(t.at)) <= offset {
		t.at = append(t.at, identity{})
		t.source = append(t.source, "")
	}
	switch t.at[offset] {
	case identity{}:
		t.at[offset], t.source[offset] = id, source
		return nil
	case id:
		return nil
	}
	return fmt.Errorf("offset %d is %+v by %s, and %+v by %s", offset, t.at[offset], t.source[offset], id, source)
}

// acknowledge takes in what a producer was told.
func (t *truth) acknowledge(e entry, source string) error {
	name := streamName{e.Producer, e.Stream}
	if t.acked[name] != e.Seq {
		return fmt.Errorf("%s was acknowledged record %d after %d", source, e.Seq, t.acked[name])
	}
	t.acked[name] += uint64(e.Count)
	for i := range e.Count {
		id := e.identity()
		id.Index, id.Seq = i, id.Seq+uint64(i)
		if err := t.learn(e.Offset+int64(i), id, source); err != nil {
			return err
		}
	}
	if e.Durable != 0 {
		t.durable = max(t.durable, e.Offset+int64(e.Count))
	}
	return nil
}

// judgeStreams proves that each stream's records are there once, in the order in
// which they were sent, and no more than the one batch that was on its way when
// its producer died (died says who did) beyond those that were acknowledged.
func (t *truth) judgeStreams(died func(producer uint32) bool) error {
	next := make(map[streamName]uint64)
	last := make(map[streamName]identity)
	for offset, id := range t.at {
		if id == (identity{}) {
			continue // never acknowledged, and dropped before anybody saw it
		}
		name := streamName{id.Producer, id.Stream}
		if next[name] != id.Seq {
			return fmt.Errorf("offset %d: record %d of producer %d stream %d where %d is due",
				offset, id.Seq, id.Producer, id.Stream, next[name])
		}
		next[name], last[name] = id.Seq+1, id
	}
	for name, sent := range next {
		acked := t.acked[name]
		switch {
		case sent < acked:
			return fmt.Errorf("producer %d stream %d: %d records are there, %d were acknowledged", name.producer, name.stream, sent, acked)
		case sent > acked && !died(name.producer):
			return fmt.Errorf("producer %d stream %d, which left in good order: %d records are there, %d were acknowledged",
				name.producer, name.stream, sent, acked)
		case sent > acked && last[name].batchSeq() != acked:
			return fmt.Errorf("producer %d stream %d: more than one batch beyond the %d records that were acknowledged: %+v",
				name.producer, name.stream, acked, last[name])
		}
	}
	for name, acked := range t.acked {
		if next[name] < acked {
			return fmt.Errorf("producer %d stream %d: %d of %d acknowledged records are there", name.producer, name.stream, next[name], acked)
		}
	}
	return nil
}
