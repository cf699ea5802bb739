package recordfmt

// A jsonScan finds where a JSON value ends, in input that arrives in pieces.
// It counts brackets and quotes; whether what is between them is JSON is for
// the decoder to say.
type jsonScan struct {
	started  bool // something other than white space was seen
	scalar   bool // the value is a number or a word, which ends before what follows it
	inString bool
	escaped  bool // the byte before was a backslash in a string
	depth    int  // brackets open
}

// find looks at the next bytes of the value and returns the index after its
// end, or false when the value goes on past b.
func (s *jsonScan) find(b []byte) (end int, ok bool) {
	for i, c := range b {
		switch {
		case s.inString:
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.inString = false
				if s.depth == 0 {
					return i + 1, true
				}
			}
		case !s.started && isJSONSpace(c):
		case s.scalar:
			if !isJSONScalar(c) {
				return i, true
			}
		case c == '"':
			s.started, s.inString = true, true
		case c == '{' || c == '[':
			s.started = true
			s.depth++
		case s.depth > 0 && (c == '}' || c == ']'):
			s.depth--
			if s.depth == 0 {
				return i + 1, true
			}
		case !s.started:
			s.started, s.scalar = true, true
		}
	}
	return 0, false
}

func isJSONSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r'
}

func isJSONScalar(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '+' || c == '-' || c == '.'
}
