package offsetspec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxLength bounds what Parse looks at: two times with all their digits.
const maxLength = 256

const (
	acceptedRanges = "accepted are start, end, stored, N, -N, +N, @TIME, and ranges of these as N:M, N:, :M, :end or @T1:T2"
	acceptedBounds = "accepted are start, end, stored, N, -N, +N and @TIME"
)

// Parse reads a range. Times like -5m count from now, and dates without a zone
// are in now's.
func Parse(s string, now time.Time) (Range, error) {
	p := parser{now: now}
	r, err := p.rangeOf(s)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return Range{}, fmt.Errorf("invalid offset %q: %w", s, err)
	}
	return r, nil
}

// ParseBound reads one place, as a command wants it that goes to an offset or
// drops what is before one.
func ParseBound(s string, now time.Time) (Bound, error) {
	p := parser{now: now}
	b, err := p.single(s)
	if err != nil {
		return Bound{}, fmt.Errorf("invalid offset %q: %w", s, err)
	}
	return b, nil
}

type parser struct {
	now time.Time
}

func (p parser) single(s string) (Bound, error) {
	switch {
	case s == "":
		return Bound{}, errors.New("it is empty; " + acceptedBounds)
	case len(s) > maxLength:
		return Bound{}, errors.New("too long; " + acceptedBounds)
	case s[0] == '@':
		return p.timeBound(s[1:])
	case strings.HasPrefix(s, "s@"):
		return p.kcatTime(s[2:])
	}
	b, ok, err := p.position(s)
	if err == nil && !ok {
		err = errors.New(acceptedBounds)
	}
	return b, err
}

func (p parser) rangeOf(s string) (Range, error) {
	switch {
	case s == "" || s == ":":
		return Range{}, errors.New("it is empty; " + acceptedRanges)
	case len(s) > maxLength:
		return Range{}, errors.New("too long; " + acceptedRanges)
	case strings.HasPrefix(s, "s@") || strings.HasPrefix(s, "e@"):
		return p.kcatTimes(s)
	case s[0] == '@':
		return p.times(s[1:])
	}
	left, right, isRange := strings.Cut(s, ":")
	from, err := p.side(left)
	if err != nil || !isRange {
		return Range{From: from}, err
	}
	until, err := p.side(right)
	return Range{From: from, Until: until}, err
}

// side reads one side of a range; nothing there is no bound.
func (p parser) side(s string) (Bound, error) {
	if s == "" {
		return Bound{}, nil
	}
	if s[0] == '@' {
		return p.timeBound(s[1:])
	}
	b, ok, err := p.position(s)
	if err == nil && !ok {
		err = fmt.Errorf("cannot read %q; %s", s, acceptedRanges)
	}
	return b, err
}

// position reads a bound that is no time. ok is false for anything else.
func (p parser) position(s string) (b Bound, ok bool, err error) {
	switch s {
	case "start", "beginning", "earliest", "oldest":
		return Bound{Kind: Start}, true, nil
	case "end", "latest", "newest":
		return Bound{Kind: End}, true, nil
	case "stored":
		return Bound{Kind: Stored}, true, nil
	}
	b.Kind = Exact
	digits := s
	switch s[0] {
	case '-':
		b.Kind, digits = BeforeEnd, s[1:]
	case '+':
		b.Kind, digits = AfterStart, s[1:]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		if b.Kind != Exact && looksLikeDuration(digits) {
			return Bound{}, false, fmt.Errorf("%q is a time; write @%s", s, strings.TrimPrefix(s, "+"))
		}
		return Bound{}, false, nil
	}
	if b.N, err = strconv.ParseInt(digits, 10, 64); err != nil {
		return Bound{}, false, fmt.Errorf("%s is too large for an offset, which has 63 bits", digits)
	}
	return b, true, nil
}

// times reads what follows the @ of @T1:T2. Since times hold colons, the one
// that parts the two is the one with a time on either side.
func (p parser) times(s string) (Range, error) {
	if s == "" || s == ":" {
		return Range{}, errors.New("no time after @; " + acceptedTimes)
	}
	if from, err := p.timeBound(s); err == nil {
		return Range{From: from}, nil
	}
	// Where no colon does, the error names the half that is wrong, if the other
	// one is right, and else all of it.
	_, reason := p.timeBound(s)
	for i := range len(s) {
		if s[i] != ':' {
			continue
		}
		r, fromErr, untilErr := p.timesAt(s[:i], s[i+1:])
		if fromErr == nil && untilErr == nil {
			return r, nil
		}
		if fromErr == nil {
			reason = untilErr
		} else if _, err := p.timeBound(s[i+1:]); err == nil || errors.As(fromErr, new(*unsignedError)) {
			reason = fromErr
		}
	}
	return Range{}, reason
}

// timesAt reads T1 and T2, either of which may be missing.
func (p parser) timesAt(left, right string) (r Range, fromErr, untilErr error) {
	relativeTo := p.now
	if left != "" {
		var isDuration bool
		if r.From.Time, isDuration, fromErr = p.time(left, p.now); fromErr != nil {
			return r, fromErr, nil
		}
		if fromErr = needsSign(left, isDuration); fromErr != nil {
			return r, fromErr, nil
		}
		r.From.Kind = Time
		if !isDuration {
			relativeTo = r.From.Time
		}
	}
	if right == "" {
		return r, nil, nil
	}
	if b, ok, err := p.position(right); ok && err == nil && b.Kind != Exact {
		r.Until = b
		return r, nil, nil
	}
	r.Until.Kind = Time
	r.Until.Time, _, untilErr = p.time(strings.TrimPrefix(right, "@"), relativeTo)
	return r, nil, untilErr
}

func (p parser) timeBound(s string) (Bound, error) {
	t, isDuration, err := p.time(s, p.now)
	if err == nil {
		err = needsSign(s, isDuration)
	}
	return Bound{Kind: Time, Time: t}, err
}

// kcatTime reads what follows s@ or e@: digits are milliseconds there, however
// many there are.
func (p parser) kcatTime(s string) (Bound, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return p.timeBound(s)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > lastMillis {
		return Bound{}, fmt.Errorf("the time %q is not in the years 1 to 9999, in milliseconds", s)
	}
	return Bound{Kind: Time, Time: time.UnixMilli(n)}, nil
}

// kcatTimes reads s@TIME, e@TIME, or both with a comma between.
func (p parser) kcatTimes(s string) (Range, error) {
	var r Range
	for part := range strings.SplitSeq(s, ",") {
		side := &r.From
		if strings.HasPrefix(part, "e@") {
			side = &r.Until
		} else if !strings.HasPrefix(part, "s@") {
			return Range{}, fmt.Errorf("cannot read %q; accepted are s@TIME, e@TIME and s@TIME,e@TIME", part)
		}
		if side.Kind != Unset {
			return Range{}, fmt.Errorf("%s is there twice", part[:2])
		}
		var err error
		if *side, err = p.kcatTime(part[2:]); err != nil {
			return Range{}, err
		}
	}
	return r, nil
}
