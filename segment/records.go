package segment

import (
	"encoding/binary"
	"errors"
	"time"
)

var errBody = errors.New("body does not hold the records that its header promises")

// Records walks over the records of a batch. The zero value has none left.
type Records struct {
	rest    []byte
	attrs   uint32
	left    int
	lone    bool
	offset  int64
	time    time.Time
	headers []Header
	names   map[string]string
}

// Reset makes it walk over f. What it handed out before is no longer valid.
func (it *Records) Reset(f *Frame) {
	it.rest = f.Body
	it.attrs = f.attrs
	it.left = f.Count
	it.lone = f.Count == 1
	it.offset = f.Base
	it.time = time.Unix(0, f.Time)
}

// Clear makes it empty and forgets the mapping it pointed into.
func (it *Records) Clear() { it.rest, it.left = nil, 0 }

// Left returns how many records are still to come.
func (it *Records) Left() int { return it.left }

// Next decodes the next record into r: slices of r are views into the batch and
// r.Headers is reused by the following call. The caller checks Left before. An
// error means that the body is malformed although its checksum is right, which
// no honest producer brings about.
func (it *Records) Next(r *Record) error {
	r.Offset, r.Time, r.Key, r.Headers = it.offset, it.time, nil, nil
	if it.attrs&attrKeys != 0 {
		n, err := it.uvarint()
		if err != nil {
			return err
		}
		if n > 0 {
			if r.Key, err = it.take(n - 1); err != nil {
				return err
			}
		}
	}
	if it.attrs&attrHeaders != 0 {
		if err := it.nextHeaders(r); err != nil {
			return err
		}
	}
	size := uint64(len(it.rest))
	if !it.lone {
		var err error
		if size, err = it.uvarint(); err != nil {
			return err
		}
	}
	value, err := it.take(size)
	if err != nil {
		return err
	}
	r.Value = value
	it.left--
	it.offset++
	if it.left == 0 && len(it.rest) != 0 {
		return errBody
	}
	return nil
}

func (it *Records) nextHeaders(r *Record) error {
	n, err := it.uvarint()
	if err != nil {
		return err
	}
	if n > MaxHeaders {
		return errBody
	}
	it.headers = it.headers[:0]
	for range n {
		var field [2][]byte
		for i := range field {
			size, err := it.uvarint()
			if err != nil {
				return err
			}
			if field[i], err = it.take(size); err != nil {
				return err
			}
		}
		it.headers = append(it.headers, Header{Key: it.intern(field[0]), Value: field[1]})
	}
	if n > 0 {
		r.Headers = it.headers
	}
	return nil
}

// maxNames and maxNameBytes bound the memory of intern.
const (
	maxNames     = 256
	maxNameBytes = 256
)

// intern returns name as a string of the Go heap, since a string must never
// change or vanish as a view may. Names repeat from record to record, so this
// rarely allocates.
func (it *Records) intern(name []byte) string {
	if s, ok := it.names[string(name)]; ok {
		return s
	}
	s := string(name)
	if len(s) <= maxNameBytes {
		if it.names == nil || len(it.names) >= maxNames {
			it.names = make(map[string]string)
		}
		it.names[s] = s
	}
	return s
}

func (it *Records) uvarint() (uint64, error) {
	n, size := binary.Uvarint(it.rest)
	if size <= 0 {
		return 0, errBody
	}
	it.rest = it.rest[size:]
	return n, nil
}

func (it *Records) take(n uint64) ([]byte, error) {
	if n > uint64(len(it.rest)) {
		return nil, errBody
	}
	field := it.rest[:n:n]
	it.rest = it.rest[n:]
	return field, nil
}
