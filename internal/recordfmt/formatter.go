package recordfmt

import "github.com/seed27ccf144/mlog/segment"

// A Formatter writes records in one format. It never changes, so that many
// goroutines may use one at the same time.
type Formatter struct {
	json bool
	ops  []op

	// For the formats %v and text, as the default is, nothing else is looked at.
	valueOnly bool
	after     []byte
}

// An op writes one piece of a record.
type op struct {
	kind     opKind
	literal  []byte
	encoding textEncoding
	number   numberLayout
	goLayout string
	strftime strftime
	inner    []op // for each header
}

type opKind uint8

const (
	opLiteral opKind = iota
	opValue
	opKey
	opValueLength
	opKeyLength
	opHeaderCount
	opOffset
	opMillis
	opGoTime
	opStrftime
	opHeaders
	opHeadersJoined // kcat's bare %h
)

// Compile makes a Formatter of an output format; an error is a *FormatError.
func Compile(format string) (*Formatter, error) {
	if format == formatJSON {
		return &Formatter{json: true}, nil
	}
	items, err := lex(format)
	if err != nil {
		return nil, err
	}
	ops, err := compileOps(format, items)
	if err != nil {
		return nil, err
	}
	f := &Formatter{ops: ops}
	if n := len(ops); n > 0 && n <= 2 && ops[0].kind == opValue && ops[0].encoding == plainText {
		f.valueOnly = n == 1 || ops[1].kind == opLiteral
		f.after = ops[n-1].literal
	}
	return f, nil
}

// AppendTo appends r in the format to dst and returns the longer slice.
func (f *Formatter) AppendTo(dst []byte, r *segment.Record) []byte {
	if f.valueOnly {
		dst = append(dst, r.Value...)
		return append(dst, f.after...)
	}
	if f.json {
		return appendJSONRecord(dst, r)
	}
	for i := range f.ops {
		dst = f.ops[i].appendTo(dst, r)
	}
	return dst
}

func compileOps(format string, items []item) ([]op, error) {
	ops := make([]op, 0, len(items))
	for i := range items {
		o, err := compileOp(format, &items[i])
		if err != nil {
			return nil, err
		}
		ops = append(ops, o)
	}
	return ops, nil
}

func compileOp(format string, it *item) (op, error) {
	fail := func(reason string) (op, error) {
		return op{}, &FormatError{Format: format, Position: it.pos, Reason: reason}
	}
	var o op
	switch it.verb {
	case 0:
		return op{kind: opLiteral, literal: it.literal}, nil
	case 'v', 'k':
		var ok bool
		if o.encoding, ok = textEncodingOf(it.mod); !ok {
			return fail("unknown spelling of text; known are " + textEncodingNames)
		}
		o.kind = opValue
		if it.verb == 'k' {
			o.kind = opKey
		}
		return o, nil
	case 'h':
		if !it.braced {
			return op{kind: opHeadersJoined}, nil
		}
		inner, err := compileOps(format, it.inner)
		return op{kind: opHeaders, inner: inner}, err
	case 'd':
		switch it.mod {
		case "go":
			return op{kind: opGoTime, goLayout: it.layout}, nil
		case "strftime":
			layout, err := compileStrftime(it.layout)
			if err != nil {
				return fail(err.Error())
			}
			return op{kind: opStrftime, strftime: layout}, nil
		}
	}
	o.kind = map[byte]opKind{'V': opValueLength, 'K': opKeyLength, 'H': opHeaderCount, 'o': opOffset, 'd': opMillis}[it.verb]
	var ok bool
	if o.number, ok = numberLayoutOf(it.mod); !ok {
		reason := "unknown spelling of a number; known are " + numberLayoutNames + ", hex"
		if it.verb == 'd' {
			reason += ", go[2006-01-02], strftime[%F]"
		}
		return fail(reason)
	}
	return o, nil
}

func (o *op) appendTo(dst []byte, r *segment.Record) []byte {
	switch o.kind {
	case opLiteral:
		return append(dst, o.literal...)
	case opValue:
		if o.encoding == plainText {
			return append(dst, r.Value...)
		}
		return o.encoding.appendTo(dst, r.Value, true)
	case opKey:
		return o.encoding.appendTo(dst, r.Key, r.Key != nil)
	case opValueLength:
		return o.number.appendTo(dst, int64(len(r.Value)))
	case opKeyLength:
		return o.number.appendTo(dst, int64(len(r.Key)))
	case opHeaderCount:
		return o.number.appendTo(dst, int64(len(r.Headers)))
	case opOffset:
		return o.number.appendTo(dst, r.Offset)
	case opMillis:
		return o.number.appendTo(dst, unixMillis(r))
	case opGoTime:
		return r.Time.UTC().AppendFormat(dst, o.goLayout)
	case opStrftime:
		return o.strftime.appendTo(dst, r.Time.UTC())
	case opHeaders:
		for i := range r.Headers {
			for j := range o.inner {
				dst = o.inner[j].appendHeader(dst, &r.Headers[i])
			}
		}
		return dst
	default:
		return appendHeadersJoined(dst, r.Headers)
	}
}

// appendHeader is appendTo for the ops inside %h{…}.
func (o *op) appendHeader(dst []byte, h *segment.Header) []byte {
	switch o.kind {
	case opLiteral:
		return append(dst, o.literal...)
	case opValue:
		return o.encoding.appendTo(dst, h.Value, true)
	case opValueLength:
		return o.number.appendTo(dst, int64(len(h.Value)))
	case opKeyLength:
		return o.number.appendTo(dst, int64(len(h.Key)))
	default:
		if o.encoding == plainText {
			return append(dst, h.Key...)
		}
		return o.encoding.appendTo(dst, []byte(h.Key), true)
	}
}

func appendHeadersJoined(dst []byte, headers []segment.Header) []byte {
	for i := range headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, headers[i].Key...)
		dst = append(dst, '=')
		dst = append(dst, headers[i].Value...)
	}
	return dst
}

// unixMillis is 0 for a record whose time was never set.
func unixMillis(r *segment.Record) int64 {
	if r.Time.IsZero() {
		return 0
	}
	return r.Time.UnixMilli()
}
