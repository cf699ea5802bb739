package main

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// A message is what the demo sends: a producer's number and a count, printed
// as "p2 17". No two are alike, so a message that is in the log twice shows.
type message struct {
	producer uint16
	number   uint32
}

func (m message) String() string { return fmt.Sprintf("p%d %d", m.producer, m.number) }

// parseLine reads "OFFSET pP N", what all processes of the demo print.
func parseLine(line []byte) (offset int64, m message, err error) {
	fields := bytes.Fields(line)
	if len(fields) != 3 || fields[1][0] != 'p' {
		return 0, m, fmt.Errorf("unexpected line %q", line)
	}
	offset, err = strconv.ParseInt(string(fields[0]), 10, 64)
	if err == nil {
		var p, n uint64
		p, err = strconv.ParseUint(string(fields[1][1:]), 10, 16)
		if err == nil {
			n, err = strconv.ParseUint(string(fields[2]), 10, 32)
		}
		m = message{producer: uint16(p), number: uint32(n)}
	}
	if err != nil || offset < 0 || m.number == 0 {
		return 0, m, fmt.Errorf("unexpected line %q: %v", line, err)
	}
	return offset, m, nil
}

// A sheet is what one process printed: which message at which offset.
type sheet struct {
	mu       sync.Mutex
	messages []message // by offset; number 0: not seen
	count    int64     // offsets seen
	again    int64     // lines for an offset seen before
	disorder int64     // lines whose offset is below the one before
	last     int64     // offset of the last line
	lastTime time.Time
	longest  time.Duration // between two lines, since resetPause
	broken   error         // a line that makes no sense
}

func newSheet() *sheet { return &sheet{last: -1} }

// line takes in a line of output.
func (s *sheet) line(text []byte) {
	offset, m, err := parseLine(text)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.broken = err
		return
	}
	if offset < s.last {
		s.disorder++
	}
	s.last = offset
	if !s.lastTime.IsZero() {
		s.longest = max(s.longest, now.Sub(s.lastTime))
	}
	s.lastTime = now
	for int64(len(s.messages)) <= offset {
		s.messages = append(s.messages, message{})
	}
	if s.messages[offset].number != 0 {
		s.again++
		return
	}
	s.messages[offset] = m
	s.count++
}

func (s *sheet) resetPause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest = 0
}

// progress returns how many offsets were seen, and the last one.
func (s *sheet) progress() (count, last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, s.last
}

func (s *sheet) longestPause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.longest
}

// at returns the message at an offset, the zero message if there was none.
func (s *sheet) at(offset int64) message {
	if offset >= int64(len(s.messages)) {
		return message{}
	}
	return s.messages[offset]
}

// A verdict is the demo's account.
type verdict struct {
	acknowledged int64 // records whose producers know that they are in the log
	kept         int64 // in the log although their killed producer never heard so
	received     int64 // records that the follower printed
	lost         int64 // acknowledged, but somebody who had to print it did not
	doubled      int64 // messages in the log twice, and lines printed twice by one process
	strange      int64 // in the log, but acknowledged to nobody who lived to hear it
	again        int64 // printed by the group's second consumer after its first
	problems     []string
}

func (v *verdict) good() bool { return v.lost == 0 && v.doubled == 0 && v.strange == 0 }

// evidence is what the processes of the demo printed.
type evidence struct {
	acks     []*sheet  // of the producers
	victim   uint16    // the producer that was killed
	replay   *sheet    // of a consumer that read everything at the end
	follower *sheet    // of one that read everything as it came
	group    [2]*sheet // of the two consumers of the group, the first was killed
}

// judge compares what producers were told with what consumers saw.
func judge(e evidence) verdict {
	j := judgement{evidence: e, first: make(map[message]int64, e.replay.count)}
	j.verdict.received = e.follower.count
	for _, s := range append([]*sheet{e.replay, e.follower, e.group[0], e.group[1]}, e.acks...) {
		if s.broken != nil {
			j.verdict.strange++
			j.problem("%v", s.broken)
		}
		// Each process alone prints each offset once and in order, and each
		// offset is given to one record.
		j.verdict.doubled += s.again + s.disorder
	}
	for offset := range int64(len(e.replay.messages)) {
		j.inLog(offset)
	}
	for _, ack := range e.acks {
		for offset, m := range ack.messages {
			if m.number != 0 {
				j.acknowledged(int64(offset), m)
			}
		}
	}
	return j.verdict
}

type judgement struct {
	evidence
	verdict verdict
	first   map[message]int64 // the offset where a message was seen first
}

// problem notes what to tell; the first few are enough.
func (j *judgement) problem(format string, args ...any) {
	if len(j.verdict.problems) < 10 {
		j.verdict.problems = append(j.verdict.problems, fmt.Sprintf(format, args...))
	}
}

// acknowledged checks that everybody who had to see a record saw it.
func (j *judgement) acknowledged(offset int64, m message) {
	j.verdict.acknowledged++
	who := ""
	switch {
	case j.replay.at(offset) != m:
		who = "replay"
	case j.follower.at(offset) != m:
		who = "follower"
	case j.group[0].at(offset) != m && j.group[1].at(offset) != m:
		who = "group"
	default:
		return
	}
	j.verdict.lost++
	j.problem("%q was acknowledged at offset %d, but the %s did not print it there", m, offset, who)
}

// inLog checks one record of the replay.
func (j *judgement) inLog(offset int64) {
	m := j.replay.at(offset)
	if m.number == 0 {
		j.verdict.lost++
		j.problem("offset %d is a hole", offset)
		return
	}
	if at, ok := j.first[m]; ok {
		j.verdict.doubled++
		j.problem("%q is in the log twice, at offsets %d and %d", m, at, offset)
	}
	j.first[m] = offset
	if j.group[0].at(offset).number != 0 && j.group[1].at(offset).number != 0 {
		j.verdict.again++
	}
	for _, ack := range j.acks {
		if ack.at(offset) == m {
			return
		}
	}
	if m.producer == j.victim {
		j.verdict.kept++
		return
	}
	j.verdict.strange++
	j.problem("%q at offset %d was acknowledged to nobody", m, offset)
}
