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
