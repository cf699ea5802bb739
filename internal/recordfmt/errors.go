package recordfmt

import (
	"fmt"
	"io"
	"strconv"
)

// A FormatError says where in a format something is wrong, and what to write
// instead.
type FormatError struct {
	Format   string
	Position int // byte of Format, from 0
	Reason   string
}

func (e *FormatError) Error() string {
	rest := e.Format[min(e.Position, len(e.Format)):]
	if rest == "" {
		return fmt.Sprintf("format %s: at its end: %s", quote(e.Format), e.Reason)
	}
	const shown = 12
	if len(rest) > shown {
		rest = rest[:shown] + "…"
	}
	return fmt.Sprintf("format %s: at %s (byte %d): %s", quote(e.Format), quote(rest), e.Position+1, e.Reason)
}

// quote shows a format as it was typed: a backslash in it stays one backslash.
func quote(format string) string {
	for _, c := range []byte(format) {
		if c < ' ' || c >= 0x7f || c == '`' {
			return strconv.Quote(format)
		}
	}
	return "'" + format + "'"
}

// A TooLargeError says that a record of the input is larger than the limit.
// The records before it have been returned.
type TooLargeError struct {
	Record int64 // 1 is the first record of the input
	Max    int64 // bytes of key, value and headers
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("record %d of the input is larger than %d bytes", e.Record, e.Max)
}

// A TruncatedError says that the input ended inside a record. It is
// io.ErrUnexpectedEOF.
type TruncatedError struct {
	Record  int64 // 1 is the first record of the input
	Missing string
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("input ends inside record %d: missing %s", e.Record, e.Missing)
}

func (e *TruncatedError) Unwrap() error { return io.ErrUnexpectedEOF }

// A MalformedError says that the input does not fit the format.
type MalformedError struct {
	Record   int64 // 1 is the first record of the input
	Position int64 // byte of the input at which the record begins, from 0
	Reason   string
	Err      error // nil, or what a decoder said
}

func (e *MalformedError) Error() string {
	text := fmt.Sprintf("record %d of the input (byte %d): %s", e.Record, e.Position, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *MalformedError) Unwrap() error { return e.Err }
