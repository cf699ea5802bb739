//go:build amd64 || arm64

package step

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// A batch is some records with names that no other batch has.
type batch struct {
	name  string
	count int
	bytes int // of each value, about
}

func (b batch) value(i int) string {
	name := fmt.Sprintf("%s%d", b.name, i)
	return name + strings.Repeat(".", max(0, b.bytes-len(name)))
}

// records have all that a record may have, each with another length.
func (b batch) records() []log.Record {
	records := make([]log.Record, b.count)
	for i := range records {
		records[i] = log.Record{
			Key:     []byte(b.name),
			Value:   []byte(b.value(i)),
			Headers: []log.Header{{Key: "number", Value: fmt.Append(nil, i)}},
		}
	}
	return records
}

func (b batch) matches(records []check.Record) bool {
	if len(records) < b.count || records[0].BatchCount != b.count {
		return false
	}
	for i, want := range b.records() {
		have := records[i]
		if string(have.Key) != string(want.Key) || string(have.Value) != string(want.Value) ||
			have.Batch != records[0].Offset || len(have.Headers) != 1 ||
			string(have.Headers[0].Name) != want.Headers[0].Key ||
			string(have.Headers[0].Value) != string(want.Headers[0].Value) {
			return false
		}
	}
	return true
}

// A story is what was appended, in order.
type story struct {
	batches []batch
	doubt   int // index of the batch that may be there or not; -1: none
}

func (s *story) tell(batches ...batch) { s.batches = append(s.batches, batches...) }

// judge compares the story with what the checker found: each batch once, whole
// and in its place. It reports whether the doubtful one is there. The log may have
// dropped what lies before start, if that is one of starts.
func (s *story) judge(l *check.Log, starts []int64) (doubtful bool, err error) {
	if !slices.Contains(starts, l.Start) {
		return false, fmt.Errorf("the log starts at %d, want one of %d", l.Start, starts)
	}
	rest, offset := l.Records, int64(0)
	for i, b := range s.batches {
		switch {
		case offset < l.Start:
			offset += int64(b.count)
		case len(rest) > 0 && b.matches(rest):
			rest = rest[b.count:]
			doubtful = doubtful || i == s.doubt
		case i != s.doubt:
			return doubtful, fmt.Errorf("batch %q is missing or not whole: the log goes on with %s", b.name, brief(rest))
		}
	}
	if len(rest) > 0 {
		return doubtful, fmt.Errorf("%s in the log that were never appended, or were twice", brief(rest))
	}
	return doubtful, nil
}

func brief(records []check.Record) string {
	const most = 5
	var names []string
	for _, r := range records[:min(len(records), most)] {
		names = append(names, fmt.Sprintf("%d:%.12q", r.Offset, strings.TrimRight(string(r.Value), ".")))
	}
	return fmt.Sprintf("%d records %s", len(records), strings.Join(names, " "))
}
