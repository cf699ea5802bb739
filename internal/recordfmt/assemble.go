package recordfmt

import (
	"math"
	"time"

	"github.com/seed27ccf144/mlog/segment"
)

// peek makes a record of what frame found. An error stays as r.err.
func (r *Reader) peek() (rec segment.Record, err error) {
	if r.program.json {
		if rec, err = decodeJSONRecord(r.bytesOf(r.outer.texts[partValue])); err != nil {
			r.malformed("the format is json", err)
		}
	} else {
		rec, err = r.assemble()
	}
	if err == nil && r.payload(&rec) > r.max {
		r.tooLarge()
	}
	if r.err != nil {
		r.ready = false
		return segment.Record{}, r.err
	}
	return rec, nil
}

func (r *Reader) payload(rec *segment.Record) int64 {
	n := int64(len(rec.Key)) + int64(len(rec.Value))
	for i := range rec.Headers {
		n += int64(len(rec.Headers[i].Key)) + int64(len(rec.Headers[i].Value))
	}
	return n
}

func (r *Reader) assemble() (rec segment.Record, err error) {
	f := &r.outer
	if rec.Key, rec.Value, err = r.decodeTexts(f.program, f.texts); err != nil {
		return rec, err
	}
	if f.numbers[offsetGiven] > math.MaxInt64 || f.numbers[millisGiven] > math.MaxInt64 {
		r.malformed("an offset or a time of more than 63 bits", nil)
		return rec, r.err
	}
	rec.Offset = int64(f.numbers[offsetGiven])
	if ms := f.numbers[millisGiven]; ms > 0 {
		rec.Time = time.UnixMilli(int64(ms))
	}
	first := len(r.headers)
	for _, texts := range r.headerSpans {
		key, value, err := r.decodeTexts(f.program.inner, texts)
		if err != nil {
			return rec, err
		}
		r.headers = append(r.headers, segment.Header{Key: string(key), Value: value})
	}
	if len(r.headers) > first {
		rec.Headers = r.headers[first:len(r.headers):len(r.headers)]
	}
	return rec, nil
}

// decodeTexts returns a nil key only where there is none.
func (r *Reader) decodeTexts(p *program, texts [2]span) (key, value []byte, err error) {
	value = r.bytesOf(span{}) // present and empty, for a format without %v
	for i := range p.steps {
		s := &p.steps[i]
		if s.kind < stepSized || s.kind == stepHeaders {
			continue
		}
		text, present := r.bytesOf(texts[s.text]), true
		if s.encoding != plainText {
			from := len(r.arena)
			if r.arena, present, err = s.encoding.appendDecoded(r.arena, text); err != nil {
				r.malformed("cannot decode "+s.name, err)
				return nil, nil, r.err
			}
			// Where the arena grows it moves, and what points into the old one stays.
			text = r.arena[from:len(r.arena):len(r.arena)]
		}
		if text == nil {
			text = []byte{}
		}
		if s.text == partValue {
			value = text
		} else if present {
			key = text
		}
	}
	return key, value, nil
}
