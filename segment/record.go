package segment

import (
	"bytes"
	"time"
)

// A Record is one message of the log.
//
// Offset and Time are set by the log; an append ignores what the caller put
// there. A nil Key is an absent key, which is not the same as an empty one. A
// nil Value and an empty Value are the same: a record always has a value, of
// zero bytes or more.
//
// The slices of a record that comes from a reader are views into the mapped
// log: read-only, and valid until the next call on that reader. Clone makes a
// copy that lasts.
type Record struct {
	Offset  int64     // position in the log: 0, 1, 2, … without holes
	Time    time.Time // append time; never runs backwards within a log
	Key     []byte    // nil when absent
	Value   []byte
	Headers []Header // in the order in which they were appended

	// Records are copied at every call, 16 bytes at a time. If their size is no
	// multiple of that, the last two stores of a copy overlap, and the copy of a copy
	// waits until they have left the processor's store buffer: 5 ns each (measured).
	_ uint64
}

// A Header is one name and value that travels with a record. Names need not be
// unique within a record.
type Header struct {
	Key   string
	Value []byte
}

// Plain reports whether r has neither key nor headers.
func (r *Record) Plain() bool { return r.Key == nil && len(r.Headers) == 0 }

// Clone returns a copy of r that shares no memory with it and so outlives the
// reader it came from.
func (r Record) Clone() Record {
	r.Key = bytes.Clone(r.Key)
	r.Value = bytes.Clone(r.Value)
	if r.Headers != nil {
		headers := make([]Header, len(r.Headers))
		for i, h := range r.Headers {
			headers[i] = Header{Key: string([]byte(h.Key)), Value: bytes.Clone(h.Value)}
		}
		r.Headers = headers
	}
	return r
}
