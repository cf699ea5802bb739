package recordfmt

import (
	"fmt"
	"strconv"
)

// A program is an input format, compiled: the steps that read one record.
type program struct {
	steps     []step
	fixed     numbers // sizes that the format itself gives, as in %V{4}
	inner     *program
	json      bool  // the format json: one step that takes the line
	expansion int64 // bytes of input that one byte of a record takes at most
}

type step struct {
	kind     stepKind
	number   numberPart // of stepNumber
	text     textPart   // of the steps that read text
	literal  []byte     // of stepLiteral the text, of stepDelimited what ends it
	layout   numberLayout
	encoding textEncoding
	name     string // as in the format, for errors
}

type stepKind uint8

const (
	stepLiteral   stepKind = iota // text of the format
	stepNumber                    // a size, a count, an offset or a time
	stepSized                     // text whose size is known
	stepDelimited                 // text up to a literal
	stepRest                      // text up to the end of the input
	stepJSON                      // one JSON value
	stepHeaders                   // the inner program, as often as %H said
)

// A textPart names the parts of a record that are text, and with them their sizes.
type textPart uint8

const (
	partKey textPart = iota
	partValue
)

// numbers are what a record's number steps read.
type numbers [5]uint64

type numberPart uint8

const (
	keySize     = numberPart(partKey)
	valueSize   = numberPart(partValue)
	headerCount = numberPart(2)
	offsetGiven = numberPart(3)
	millisGiven = numberPart(4)
)

// compileProgram compiles an input format.
func compileProgram(format string) (*program, error) {
	if format == formatJSON {
		line := step{kind: stepDelimited, text: partValue, literal: []byte("\n"), name: "the JSON object"}
		return &program{steps: []step{line}, json: true, expansion: jsonText.expansion()}, nil
	}
	items, err := lex(format)
	if err != nil {
		return nil, err
	}
	c := programCompiler{format: format, items: items}
	p, err := c.compile()
	if err != nil {
		return nil, err
	}
	if !c.texts[partValue] && !c.texts[partKey] && p.inner == nil {
		return nil, c.errorAt(0, "reads nothing into a record; it needs %%v, %%k or %%h{…}")
	}
	return p, c.checkNumbersEnd()
}

type programCompiler struct {
	format   string
	items    []item
	inHeader bool // the items of %h{…}
	p        program
	texts    [2]bool             // which of %k %v there were
	seen     [len(numbers{})]int // item that gave the number, counted from 1
}

func (c *programCompiler) errorAt(pos int, reason string, args ...any) error {
	return &FormatError{Format: c.format, Position: pos, Reason: fmt.Sprintf(reason, args...)}
}

func (c *programCompiler) compile() (*program, error) {
	c.p.expansion = 1
	for i := 0; i < len(c.items); i++ {
		it := &c.items[i]
		var err error
		switch it.verb {
		case 0:
			c.p.steps = append(c.p.steps, step{kind: stepLiteral, literal: it.literal, name: strconv.Quote(string(it.literal))})
		case 'v', 'k':
			var used int
			used, err = c.addText(i)
			i += used
		case 'h':
			err = c.addHeaders(it)
		default:
			err = c.addNumber(i)
		}
		if err != nil {
			return nil, err
		}
	}
	sized := [...]string{keySize: "%k", valueSize: "%v", headerCount: "%h{…}"}
	for part, verb := range sized {
		used := part == int(headerCount) && c.p.inner != nil || part < int(headerCount) && c.texts[part]
		if c.seen[part] > 0 && !used {
			return nil, c.errorAt(c.items[c.seen[part]-1].pos, "a size with nothing to size; %s has to follow", verb)
		}
	}
	return &c.p, nil
}

// addText adds %v or %k and returns how many more items that took.
func (c *programCompiler) addText(i int) (used int, err error) {
	it := &c.items[i]
	s := step{text: partValue, name: "%" + string(it.verb)}
	if it.verb == 'k' {
		s.text = partKey
	}
	if c.texts[s.text] {
		return 0, c.errorAt(it.pos, "%s for the second time; a record has one", s.name)
	}
	c.texts[s.text] = true
	var ok bool
	if s.encoding, ok = textEncodingOf(it.mod); !ok {
		return 0, c.errorAt(it.pos, "unknown spelling of text; known are %s", textEncodingNames)
	}
	c.p.expansion = max(c.p.expansion, s.encoding.expansion())
	switch {
	case c.seen[s.text] > 0:
		s.kind = stepSized
	case s.encoding == jsonText:
		s.kind = stepJSON
	case i+1 < len(c.items) && c.items[i+1].verb == 0:
		s.kind, s.literal, used = stepDelimited, c.items[i+1].literal, 1
	case i+1 == len(c.items) && !c.inHeader:
		s.kind = stepRest
	default:
		size := string(it.verb &^ 0x20)
		return 0, c.errorAt(it.pos, "nothing says where %s ends; put text after it, as in %s\\t, or its size before it, as in %%%s{4}%s or %%%s{big32}%s",
			s.name, s.name, size, s.name, size, s.name)
	}
	c.p.steps = append(c.p.steps, s)
	return used, nil
}

// addNumber adds %V, %K, %H, %o or %d.
func (c *programCompiler) addNumber(i int) error {
	it := &c.items[i]
	s := step{kind: stepNumber, name: "%" + string(it.verb)}
	s.number = map[byte]numberPart{'K': keySize, 'V': valueSize, 'H': headerCount, 'o': offsetGiven, 'd': millisGiven}[it.verb]
	if c.seen[s.number] > 0 {
		return c.errorAt(it.pos, "%s for the second time", s.name)
	}
	c.seen[s.number] = i + 1
	if s.number < headerCount && c.texts[s.number] || s.number == headerCount && c.p.inner != nil {
		return c.errorAt(it.pos, "%s has to come before what it sizes", s.name)
	}
	if it.mod != "" && isDigit(it.mod[0]) && s.number <= headerCount {
		n, err := strconv.ParseUint(it.mod, 10, 31)
		if err != nil || n == 0 {
			return c.errorAt(it.pos, "the size in braces has to be a whole number from 1 to 2147483647")
		}
		c.p.fixed[s.number] = n
		return nil
	}
	var ok bool
	if s.layout, ok = numberLayoutOf(it.mod); !ok {
		if it.mod == "go" || it.mod == "strftime" {
			return c.errorAt(it.pos, "input reads times as numbers only; write %%d for milliseconds")
		}
		return c.errorAt(it.pos, "unknown spelling of a number; known are %s, and for a size a fixed one, as in %%V{4}", numberLayoutNames)
	}
	if s.layout == (numberLayout{hexNumber, 0}) {
		return c.errorAt(it.pos, "on input {hex} has no width; write {hex64}, {hex32}, {hex16}, {hex8} or {hex4}")
	}
	c.p.steps = append(c.p.steps, s)
	return nil
}

// addHeaders adds %h{…}.
func (c *programCompiler) addHeaders(it *item) error {
	switch {
	case !it.braced:
		return c.errorAt(it.pos, "input needs to know how headers are spelled, as in %%H %%h{%%k=%%v,}")
	case c.p.inner != nil:
		return c.errorAt(it.pos, "%%h for the second time")
	case c.seen[headerCount] == 0:
		return c.errorAt(it.pos, "the number of headers has to come first, as in %%H %%h{…} or %%H{2}%%h{…}")
	}
	inner := programCompiler{format: c.format, items: it.inner, inHeader: true}
	p, err := inner.compile()
	if err != nil {
		return err
	}
	if !inner.texts[partKey] {
		return c.errorAt(it.pos, "a header needs its name, %%k")
	}
	if err := inner.checkNumbersEnd(); err != nil {
		return err
	}
	c.p.inner = p
	c.p.expansion = max(c.p.expansion, p.expansion)
	c.p.steps = append(c.p.steps, step{kind: stepHeaders, name: "%h"})
	return nil
}

// checkNumbersEnd refuses a decimal number that more digits follow, the first
// step of the next record included: no input could be read.
func (c *programCompiler) checkNumbersEnd() error {
	steps := c.p.steps
	for i := range steps {
		if steps[i].kind != stepNumber || steps[i].layout.kind != asciiNumber {
			continue
		}
		next := steps[(i+1)%len(steps)]
		if next.kind == stepHeaders {
			next = c.p.inner.steps[0]
		}
		digits := next.kind == stepNumber && (next.layout.kind == asciiNumber || next.layout.kind == hexNumber) ||
			next.kind == stepLiteral && isDigit(next.literal[0])
		if digits {
			return c.errorAt(c.items[c.seen[steps[i].number]-1].pos,
				"digits follow %s, and nothing says where it ends; put other text between, or give it a width, as in %s{hex32}",
				steps[i].name, steps[i].name)
		}
	}
	return nil
}
