package recordfmt

import (
	"fmt"
	"strconv"
	"strings"
)

// formatJSON is the format that is a name and no pattern.
const formatJSON = "json"

// An item is one piece of a format: text that stands for itself, or a verb.
type item struct {
	pos     int    // where it begins in the format
	literal []byte // text, when verb is 0
	verb    byte   // one of v V k K h H o d, after kcat's letters became ours
	mod     string // what stands in the braces; of go[…] and strftime[…] the word
	layout  string // of go[…] and strftime[…] what stands in the brackets
	braced  bool   // whether braces were there at all
	inner   []item // of h, the format in the braces
}

// lex splits a format into items. Neighbouring text becomes one item.
func lex(format string) ([]item, error) {
	l := lexer{format: format}
	return l.items(false)
}

type lexer struct {
	format string
	at     int
}

func (l *lexer) errorAt(pos int, reason string, args ...any) error {
	return &FormatError{Format: l.format, Position: pos, Reason: fmt.Sprintf(reason, args...)}
}

// items reads to the end of the format, or inside %h{…} to its closing brace.
func (l *lexer) items(inHeader bool) ([]item, error) {
	var (
		out   []item
		depth int // braces that the text of a header format opened itself
	)
	open := l.at
	text := func(pos int, c byte) {
		if n := len(out); n > 0 && out[n-1].verb == 0 {
			out[n-1].literal = append(out[n-1].literal, c)
			return
		}
		out = append(out, item{pos: pos, literal: []byte{c}})
	}
	for l.at < len(l.format) {
		pos, c := l.at, l.format[l.at]
		l.at++
		switch {
		case c == '\\':
			b, err := l.escape(pos)
			if err != nil {
				return nil, err
			}
			text(pos, b)
		case c == '%' && l.at < len(l.format) && strings.IndexByte("%{}", l.format[l.at]) >= 0:
			text(pos, l.format[l.at])
			l.at++
		case c == '%':
			it, err := l.verb(pos, inHeader)
			if err != nil {
				return nil, err
			}
			out = append(out, it)
		case c == '}' && inHeader && depth == 0:
			return out, nil
		default:
			if inHeader && c == '{' {
				depth++
			} else if inHeader && c == '}' {
				depth--
			}
			text(pos, c)
		}
	}
	if inHeader {
		return nil, l.errorAt(open, "the brace of %%h{ is not closed; write }, and %%} for a brace that is text")
	}
	return out, nil
}

// escape reads what follows a backslash.
func (l *lexer) escape(pos int) (byte, error) {
	if l.at == len(l.format) {
		return 0, l.errorAt(pos, `a backslash ends the format; write \\ for a backslash`)
	}
	c := l.format[l.at]
	l.at++
	switch c {
	case 'n':
		return '\n', nil
	case 't':
		return '\t', nil
	case 'r':
		return '\r', nil
	case '\\':
		return '\\', nil
	case '0':
		// Elsewhere \012 is octal. Here it would be three bytes: ask.
		if l.at < len(l.format) && isDigit(l.format[l.at]) {
			return 0, l.errorAt(pos, `a digit follows \0; write \x00 for a zero byte and \xNN for others`)
		}
		return 0, nil
	case 'x':
		if len(l.format)-l.at >= 2 {
			if n, err := strconv.ParseUint(l.format[l.at:l.at+2], 16, 8); err == nil {
				l.at += 2
				return byte(n), nil
			}
		}
		return 0, l.errorAt(pos, `\x needs two hexadecimal digits, as in \x00`)
	default:
		return 0, l.errorAt(pos, `unknown escape; known are \n \t \r \\ \0 \xNN`)
	}
}

// verb reads what follows a percent sign.
func (l *lexer) verb(pos int, inHeader bool) (item, error) {
	if l.at == len(l.format) {
		return item{}, l.errorAt(pos, "a percent sign ends the format; write %%%% for a percent sign")
	}
	it := item{pos: pos, verb: l.format[l.at]}
	l.at++
	known, instead := "vVkKhHod", ""
	if inHeader {
		known, instead = "vVkK", " inside %h{…}"
	}
	switch it.verb {
	case 's':
		it.verb = 'v'
	case 'S':
		it.verb = 'V'
	case 'R':
		it.verb, it.mod = 'V', "big32"
		return it, nil
	}
	if strings.IndexByte(known, it.verb) < 0 {
		hint := ""
		switch {
		case it.verb == 'T':
			hint = "; kcat's timestamp is %d here, and there are no topics"
		case strings.IndexByte("tpexyai[|]", it.verb) >= 0:
			hint = "; a log has no topics, partitions or producer ids"
		}
		return item{}, l.errorAt(pos, "unknown field%s; known are %%%s%s", instead, strings.Join(strings.Split(known, ""), " %"), hint)
	}
	if l.at == len(l.format) || l.format[l.at] != '{' {
		return it, nil
	}
	l.at++
	it.braced = true
	var err error
	switch it.verb {
	case 'h':
		it.inner, err = l.items(true)
	case 'd':
		err = l.timeModifier(&it)
	default:
		err = l.modifier(&it)
	}
	return it, err
}

// modifier reads a word up to its closing brace.
func (l *lexer) modifier(it *item) error {
	end := strings.IndexByte(l.format[l.at:], '}')
	if end < 0 {
		return l.errorAt(it.pos, "the brace after %%%c is not closed; write %%{ after a field for a brace that is text", it.verb)
	}
	it.mod = l.format[l.at : l.at+end]
	l.at += end + 1
	return nil
}

// timeModifier reads go[…], strftime[…] or a number layout, and the brace.
func (l *lexer) timeModifier(it *item) error {
	for _, word := range []string{"strftime", "go"} {
		if !strings.HasPrefix(l.format[l.at:], word) {
			continue
		}
		l.at += len(word)
		it.mod = word
		opened := l.at
		var ok bool
		if it.layout, ok = l.bracketed(); !ok {
			return l.errorAt(opened, "%s needs its layout in brackets, as in %%d{%s}",
				word, map[string]string{"go": "go[2006-01-02]", "strftime": "strftime[%F]"}[word])
		}
		if l.at == len(l.format) || l.format[l.at] != '}' {
			return l.errorAt(l.at, "the brace of %%d{%s… is not closed; write } after the brackets", word)
		}
		l.at++
		return nil
	}
	return l.modifier(it)
}

// bracketed reads text between a run of one opening sign and as many closing
// ones, so that a layout can hold brackets of its own: ##[%H]##.
func (l *lexer) bracketed() (string, bool) {
	const opening, closing = "[{(<#", "]})>#"
	if l.at == len(l.format) {
		return "", false
	}
	kind := strings.IndexByte(opening, l.format[l.at])
	if kind < 0 {
		return "", false
	}
	run := 0
	for l.at < len(l.format) && l.format[l.at] == opening[kind] {
		l.at++
		run++
	}
	end := strings.Index(l.format[l.at:], strings.Repeat(closing[kind:kind+1], run))
	if end < 0 {
		return "", false
	}
	text := l.format[l.at : l.at+end]
	l.at += end + run
	return text, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
