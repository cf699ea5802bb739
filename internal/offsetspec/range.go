package offsetspec

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A Kind says how a Bound names its place.
type Kind uint8

const (
	Unset      Kind = iota // no bound
	Start                  // the log start offset
	End                    // the log end offset, as of the call of Resolve
	Exact                  // offset N
	BeforeEnd              // N records before the end
	AfterStart             // N records after the start
	Time                   // the first record at Time or later
	Stored                 // the committed offset of the group
)

// A Bound is one side of a Range.
type Bound struct {
	Kind Kind
	N    int64     // of Exact, BeforeEnd and AfterStart, never negative
	Time time.Time // of Time
}

// A Range is where to read: from From, included, until Until, excluded.
type Range struct {
	From, Until Bound
}

// Resolve turns a bound into an offset, for a log that holds the offsets from
// start up to end, end excluded. byTime gives the offset of the first record
// at a time or later, or end when there is none.
//
// -N and +N stop at the ends of the log. An exact offset stays what it is, in
// the log or not. Unset and Stored have no offset in the log and are errors.
func (b Bound) Resolve(start, end int64, byTime func(time.Time) (int64, error)) (int64, error) {
	switch b.Kind {
	case Start:
		return start, nil
	case End:
		return end, nil
	case Exact:
		return b.N, nil
	case BeforeEnd:
		if b.N > end-start {
			return start, nil
		}
		return end - b.N, nil
	case AfterStart:
		if b.N > end-start {
			return end, nil
		}
		return start + b.N, nil
	case Time:
		return byTime(b.Time)
	case Stored:
		return 0, errors.New("stored is the offset of a group, and no group was named")
	default:
		return 0, errors.New("no offset was given")
	}
}

// String spells the bound so that ParseBound gives it back, times to the
// nanosecond and in UTC. An unset bound is "".
func (b Bound) String() string {
	switch b.Kind {
	case Start:
		return "start"
	case End:
		return "end"
	case Exact:
		return strconv.FormatInt(b.N, 10)
	case BeforeEnd:
		return "-" + strconv.FormatInt(b.N, 10)
	case AfterStart:
		return "+" + strconv.FormatInt(b.N, 10)
	case Time:
		return "@" + b.Time.UTC().Format(time.RFC3339Nano)
	case Stored:
		return "stored"
	default:
		return ""
	}
}

// String spells the range so that Parse gives it back.
func (r Range) String() string {
	if r.Until.Kind == Unset {
		return r.From.String()
	}
	return r.From.String() + ":" + r.Until.String()
}

// check refuses a range that ends before it begins, as far as that shows
// without the log, and an end that makes no sense.
func (r Range) check() error {
	from, until := r.From, r.Until
	if until.Kind == Stored {
		return errors.New("stored says where to begin and not where to end; accepted ends are end, M, +M, -M and @TIME")
	}
	backwards := from.Kind == End && until.Kind == Start
	if from.Kind == until.Kind {
		switch from.Kind {
		case Exact, AfterStart:
			backwards = from.N > until.N
		case BeforeEnd:
			backwards = from.N < until.N
		case Time:
			backwards = from.Time.After(until.Time)
		}
	}
	if backwards {
		return fmt.Errorf("it ends at %s, before it begins at %s", until, from)
	}
	return nil
}
