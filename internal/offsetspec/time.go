package offsetspec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed27ccf144/mlog/internal/humanduration"
)

const acceptedTimes = "accepted are 13 digits (milliseconds), 10 (seconds), 19 (nanoseconds), 2006-01-02, RFC 3339 as 2006-01-02T15:04:05Z, and -5m (before now)"

// localLayouts are the times without a zone.
var localLayouts = []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04", "2006-01-02 15:04:05.999999999"}

// time reads one TIME. A duration with a minus counts from now, another one
// from the given base, and isDuration tells either from the rest.
func (p parser) time(s string, base time.Time) (t time.Time, isDuration bool, err error) {
	t, isDuration, err = p.anyTime(s, base)
	if year := t.UTC().Year(); err == nil && (year < 1 || year > 9999) {
		err = fmt.Errorf("the time %q is not in the years 1 to 9999", s)
	}
	return t, isDuration, err
}

func (p parser) anyTime(s string, base time.Time) (t time.Time, isDuration bool, err error) {
	if s == "" {
		return time.Time{}, false, errors.New("no time after @; " + acceptedTimes)
	}
	if strings.Trim(s, "0123456789") == "" {
		t, err = unixTime(s)
		return t, false, err
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, false, nil
	}
	for _, layout := range localLayouts {
		if t, err := time.ParseInLocation(layout, s, p.now.Location()); err == nil {
			return t, false, nil
		}
	}
	text, before := strings.CutPrefix(s, "-")
	if !before {
		text = strings.TrimPrefix(s, "+")
	}
	d, err := humanduration.Parse(text)
	switch {
	case err != nil:
		return time.Time{}, false, fmt.Errorf("cannot read the time %q; %s", s, acceptedTimes)
	case before:
		return p.now.Add(-d), true, nil
	default:
		return base.Add(d), true, nil
	}
}

// lastMillis is the last millisecond of the year 9999.
const lastMillis = 253402300799999

// An unsignedError says that a duration tells neither before nor after.
type unsignedError struct{ text string }

func (e *unsignedError) Error() string {
	return fmt.Sprintf("%s from now lies ahead; write @-%s for %s ago, or @+%s", e.text, e.text, e.text, e.text)
}

// needsSign refuses a duration without a sign where no other time precedes it:
// who writes @5m means five minutes ago.
func needsSign(s string, isDuration bool) error {
	if isDuration && s[0] != '-' && s[0] != '+' {
		return &unsignedError{s}
	}
	return nil
}

func unixTime(digits string) (time.Time, error) {
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil && len(digits) == 19:
		return time.Time{}, fmt.Errorf("the time %s is past the year 2262, the last one in nanoseconds", digits)
	case len(digits) == 10:
		return time.Unix(n, 0), nil
	case len(digits) == 13:
		return time.UnixMilli(n), nil
	case len(digits) == 19:
		return time.Unix(0, n), nil
	default:
		return time.Time{}, fmt.Errorf("the time %s has %d digits; %s", digits, len(digits), acceptedTimes)
	}
}

func looksLikeDuration(s string) bool {
	_, err := humanduration.Parse(s)
	return err == nil
}
