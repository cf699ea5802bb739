package recordfmt

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/seed27ccf144/mlog/segment"
)

const (
	// bufferBytes is what a Reader starts with: a full pipe several times over.
	bufferBytes = 256 << 10
	// overheadBytes is how much of a record's input may be other than its key,
	// value and headers, before the record counts as too large.
	overheadBytes = 64 << 10
	// defaultBatchBytes bounds a batch for which the caller names no bound.
	defaultBatchBytes = 1 << 20
)

// A Reader reads records in one format from a stream. It is for one goroutine
// at a time.
//
// The keys and values of the records it returns are views, valid until the
// next call of Next or ReadBatch. It buffers 256 KiB, and more only while one
// record does not fit: as much as maxRecord bytes take in the format (the same,
// twice that for hex and base64, six times for JSON) and 64 KiB.
type Reader struct {
	input    io.Reader
	inputErr error // what the input returned last: io.EOF, or a failure
	program  *program
	line     int   // the byte that ends a record of the format %v\n and its like, or -1
	max      int64 // bytes of key, value and headers
	err      error // why there will be no more records

	// buf[start:end] is what was read and not returned yet.
	buf        []byte
	start, end int
	textLimit  int   // bytes of input that one record may take
	consumed   int64 // bytes of input before buf[start]
	records    int64 // returned

	// The record at start, as far as it is known. Positions count from start.
	ready        bool // all of it is there, and ends at pos
	pos          int  // everything before has been understood
	scanned      int  // everything before has been searched for a delimiter
	outer, inner frame
	headerSpans  [][2]span

	// What the records that were returned last point into, beside buf.
	arena   []byte
	headers []segment.Header
}

// NewReader makes a Reader of an input format. A record whose key, value and
// headers take more than maxRecord bytes ends the reading with a
// *TooLargeError. An error of the format is a *FormatError.
func NewReader(input io.Reader, format string, maxRecord int64) (*Reader, error) {
	if maxRecord <= 0 {
		return nil, fmt.Errorf("maximum record size %d is not positive", maxRecord)
	}
	p, err := compileProgram(format)
	if err != nil {
		return nil, err
	}
	r := &Reader{input: input, program: p, max: maxRecord, line: -1, buf: make([]byte, bufferBytes)}
	r.textLimit = math.MaxInt / 4
	if limit := int64(math.MaxInt/4-overheadBytes) / p.expansion; maxRecord < limit {
		r.textLimit = int(maxRecord*p.expansion) + overheadBytes
	}
	if s := &p.steps[0]; len(p.steps) == 1 && s.kind == stepDelimited && s.text == partValue &&
		s.encoding == plainText && len(s.literal) == 1 && !p.json {
		r.line = int(s.literal[0])
	}
	r.nextRecord()
	return r, nil
}

// Next returns the next record. At the end of the input that is io.EOF, and
// for input that ends inside a record a *TruncatedError. After any error every
// further call returns the same one.
func (r *Reader) Next() (segment.Record, error) {
	r.release()
	r.frame(true)
	if !r.ready {
		return segment.Record{}, r.err
	}
	return r.take()
}

// ReadBatch waits for one record, appends it to dst together with those that
// follow it in memory already, and returns the longer slice. All of them are
// valid until the next call.
//
// It stops at maxRecords, and before the records take more than maxBytes,
// where the first one always fits. A record takes the bytes of its key, value
// and headers, plus 32, plus 16 for each header. A bound of 0 or less means no
// limit for maxRecords, and 1 MiB for maxBytes.
//
// An error comes with no records. What Next says of errors holds here too.
func (r *Reader) ReadBatch(dst []segment.Record, maxRecords, maxBytes int) ([]segment.Record, error) {
	if maxRecords <= 0 {
		maxRecords = math.MaxInt
	}
	if maxBytes <= 0 {
		maxBytes = defaultBatchBytes
	}
	first, err := r.Next()
	if err != nil {
		return dst, err
	}
	dst = append(dst, first)
	bytesLeft := maxBytes - cost(&first)
	if r.line >= 0 {
		return r.takeLines(dst, maxRecords-1, bytesLeft), nil
	}
	for n := 1; n < maxRecords && bytesLeft > 0; n++ {
		r.frame(false)
		if !r.ready {
			break
		}
		mark := len(r.headers)
		rec, err := r.peek()
		if err != nil {
			break // for the next call
		}
		bytesLeft -= cost(&rec)
		if bytesLeft < 0 {
			r.headers = r.headers[:mark]
			break
		}
		r.advance()
		dst = append(dst, rec)
	}
	return dst, nil
}

// Buffered reports whether Next would return without reading from the input:
// with a record that is all there, or with an error that is known. It leaves
// the records that were returned last valid.
func (r *Reader) Buffered() bool {
	r.frame(false)
	return r.ready || r.err != nil
}

func cost(rec *segment.Record) int {
	n := 32 + len(rec.Key) + len(rec.Value)
	for i := range rec.Headers {
		n += 16 + len(rec.Headers[i].Key) + len(rec.Headers[i].Value)
	}
	return n
}

// takeLines is the loop of ReadBatch for records that are a value and one
// byte: nothing to decode, no state to keep.
func (r *Reader) takeLines(dst []segment.Record, records, bytesLeft int) []segment.Record {
	delimiter := byte(r.line)
	for ; records > 0; records-- {
		rest := r.buf[r.start:r.end]
		n := bytes.IndexByte(rest, delimiter)
		if n < 0 {
			r.scanned = len(rest)
			return dst
		}
		if n+32 > bytesLeft || int64(n) > r.max {
			return dst
		}
		bytesLeft -= n + 32
		dst = append(dst, segment.Record{Value: rest[:n:n]})
		r.start += n + 1
		r.consumed += int64(n + 1)
		r.records++
	}
	return dst
}

// frame finds the end of the next record, unless that is done already. It
// reads only when it may wait; then it returns with ready or err set.
func (r *Reader) frame(wait bool) {
	for !r.ready && r.err == nil {
		st := needInput
		if r.start < r.end {
			st = r.run(&r.outer)
		}
		switch {
		case st == failed:
			return
		case st == complete:
			r.ready = true
		case r.inputErr == io.EOF && r.start == r.end:
			r.err = io.EOF
		case r.inputErr == io.EOF:
			r.finish()
		case r.inputErr != nil:
			r.err = r.inputErr
		case !wait:
			return
		default:
			r.fill()
		}
		if r.ready && r.pos > r.textLimit {
			// As fill would have said, had it come in smaller pieces.
			r.ready = false
			r.tooLarge()
		}
		if r.ready && r.program.json && len(bytes.TrimSpace(r.bytesOf(r.outer.texts[partValue]))) == 0 {
			r.nextRecord() // a blank line
		}
	}
}

// take returns the record that frame found, and goes on to the next.
func (r *Reader) take() (segment.Record, error) {
	rec, err := r.peek()
	if err == nil {
		r.advance()
	}
	return rec, err
}

func (r *Reader) advance() {
	r.records++
	r.nextRecord()
}

// nextRecord steps over the record at start.
func (r *Reader) nextRecord() {
	r.start += r.pos
	r.consumed += int64(r.pos)
	r.pos, r.scanned, r.ready = 0, 0, false
	r.headerSpans = r.headerSpans[:0]
	r.outer.reset(r.program)
	if r.program.inner != nil {
		r.inner.reset(r.program.inner)
	}
}

// release gives up what the records returned last point into.
func (r *Reader) release() {
	r.arena = r.arena[:0]
	clear(r.headers)
	r.headers = r.headers[:0]
}

func (r *Reader) bytesOf(s span) []byte {
	return r.buf[r.start+s.from : r.start+s.to : r.start+s.to]
}
