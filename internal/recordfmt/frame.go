package recordfmt

import (
	"bytes"
	"fmt"
	"io"
)

// maxHeaders bounds the headers of one record, and with them the memory that a
// count in the input can ask for.
const maxHeaders = 1<<16 - 1

// A frame is one run of a program over the bytes of a record. It holds
// positions and no slices, since the buffer may move while a record grows.
type frame struct {
	program *program
	step    int // the one that runs now
	numbers numbers
	texts   [2]span
	json    jsonScan
}

// A span is a place in a record, counted from the record's first byte.
type span struct{ from, to int }

func (f *frame) reset(p *program) {
	*f = frame{program: p, numbers: p.fixed}
}

type status uint8

const (
	complete  status = iota
	needInput        // what is buffered ends before the step does
	failed           // r.err says why
)

// run goes on with f from where it stopped, over what is buffered.
func (r *Reader) run(f *frame) status {
	for f.step < len(f.program.steps) {
		if st := r.runStep(f, &f.program.steps[f.step]); st != complete {
			return st
		}
		f.step++
	}
	return complete
}

func (r *Reader) runStep(f *frame, s *step) status {
	rest := r.buf[r.start+r.pos : r.end]
	switch s.kind {
	case stepLiteral:
		return r.runLiteral(s, rest)
	case stepNumber:
		n, used, err := s.layout.parse(rest, r.inputErr == io.EOF)
		if err != nil {
			return r.malformed("where "+s.name+" is expected", err)
		}
		if used == 0 {
			return needInput
		}
		f.numbers[s.number] = n
		r.pos += used
		return complete
	case stepSized:
		size := f.numbers[s.text]
		if size > uint64(r.textLimit-min(r.pos, r.textLimit)) {
			return r.tooLarge()
		}
		if uint64(len(rest)) < size {
			return needInput
		}
		return r.textFound(f, s, int(size), 0)
	case stepDelimited:
		// The delimiter may have begun in bytes that an earlier try looked at.
		from := max(r.scanned-r.pos-len(s.literal)+1, 0)
		if i := index(rest[from:], s.literal); i >= 0 {
			return r.textFound(f, s, from+i, len(s.literal))
		}
		r.scanned = r.pos + len(rest)
		return needInput
	case stepRest:
		if r.inputErr != io.EOF {
			return needInput
		}
		return r.textFound(f, s, len(rest), 0)
	case stepJSON:
		from := max(r.scanned-r.pos, 0)
		if end, ok := f.json.find(rest[from:]); ok {
			f.json = jsonScan{}
			return r.textFound(f, s, from+end, 0)
		}
		r.scanned = r.pos + len(rest)
		if r.inputErr == io.EOF && f.json.scalar {
			f.json = jsonScan{}
			return r.textFound(f, s, len(rest), 0)
		}
		return needInput
	default:
		return r.runHeaders(f)
	}
}

// textFound notes a text of the given size, and steps over it and what ended it.
func (r *Reader) textFound(f *frame, s *step, size, delimiter int) status {
	f.texts[s.text] = span{r.pos, r.pos + size}
	r.pos += size + delimiter
	r.scanned = r.pos
	return complete
}

func (r *Reader) runLiteral(s *step, rest []byte) status {
	n := min(len(rest), len(s.literal))
	if !bytes.Equal(rest[:n], s.literal[:n]) {
		return r.malformed(fmt.Sprintf("the format has %q where the input has %q", s.literal, rest[:n]), nil)
	}
	if n < len(s.literal) {
		return needInput
	}
	r.pos += n
	return complete
}

func (r *Reader) runHeaders(f *frame) status {
	count := f.numbers[headerCount]
	if count > maxHeaders {
		return r.malformed(fmt.Sprintf("%d headers announced, more than %d", count, maxHeaders), nil)
	}
	for uint64(len(r.headerSpans)) < count {
		if st := r.run(&r.inner); st != complete {
			return st
		}
		r.headerSpans = append(r.headerSpans, r.inner.texts)
		r.inner.reset(f.program.inner)
	}
	return complete
}

// finish decides what the end of the input means for a record that wants more.
func (r *Reader) finish() {
	f := &r.outer
	s := &f.program.steps[f.step]
	rest := r.end - r.start - r.pos
	last := f.step == len(f.program.steps)-1
	switch {
	case s.kind == stepJSON && f.step == 0 && !f.json.started:
		r.err = io.EOF // white space after the last value
	case last && s.kind == stepDelimited:
		r.textFound(f, s, rest, 0)
		r.ready = true
	case last && s.kind == stepLiteral:
		r.pos += rest
		r.ready = true
	default:
		r.err = &TruncatedError{Record: r.records + 1, Missing: r.missing(f, rest)}
	}
}

// missing says what f waits for, with rest bytes of it there.
func (r *Reader) missing(f *frame, rest int) string {
	s := &f.program.steps[f.step]
	switch s.kind {
	case stepLiteral:
		return s.name
	case stepSized:
		return fmt.Sprintf("%d of the %d bytes of %s", f.numbers[s.text]-uint64(rest), f.numbers[s.text], s.name)
	case stepDelimited:
		return fmt.Sprintf("the %q that ends %s", s.literal, s.name)
	case stepJSON:
		return "the end of the JSON value of " + s.name
	case stepHeaders:
		return fmt.Sprintf("in header %d of %d, %s", len(r.headerSpans)+1, f.numbers[headerCount], r.missing(&r.inner, rest))
	default:
		return s.name
	}
}

func (r *Reader) malformed(reason string, err error) status {
	r.err = &MalformedError{Record: r.records + 1, Position: r.consumed, Reason: reason, Err: err}
	return failed
}

func (r *Reader) tooLarge() status {
	r.err = &TooLargeError{Record: r.records + 1, Max: r.max}
	return failed
}

func index(b, literal []byte) int {
	if len(literal) == 1 {
		return bytes.IndexByte(b, literal[0])
	}
	return bytes.Index(b, literal)
}
