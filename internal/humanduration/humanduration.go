// Package humanduration reads and writes durations with days and weeks, in
// which people count how long to keep things.
//
//	7d 2w        days of 24 hours, weeks of 7 days
//	1w2d12h      parts are added up
//	90s 1h30m    whatever time.ParseDuration knows
//	1.5d         fractions
//	0            none at all
//
// A duration here is never negative.
package humanduration

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Parse returns the duration that s stands for.
func Parse(s string) (time.Duration, error) {
	d, err := parse(strings.TrimSpace(s))
	if err != nil {
		return 0, fmt.Errorf("invalid duration %q: %w", s, err)
	}
	return d, nil
}

func parse(s string) (time.Duration, error) {
	if strings.HasPrefix(s, "-") {
		return 0, errors.New("it cannot be negative")
	}
	if s == "0" {
		return 0, nil
	}
	if s == "" {
		return 0, errors.New("it is empty; write a number and a unit, as in 7d, 12h or 90s")
	}
	var total time.Duration
	for s != "" {
		number := s[:len(s)-len(strings.TrimLeft(s, "0123456789."))]
		s = s[len(number):]
		unit := s
		if end := strings.IndexAny(s, "0123456789."); end >= 0 {
			unit = s[:end]
		}
		s = s[len(unit):]
		part, err := parsePart(number, unit)
		if err != nil {
			return 0, err
		}
		if total += part; total < 0 {
			return 0, errTooLong
		}
	}
	return total, nil
}

var errTooLong = errors.New("longer than 292 years")

func parsePart(number, unit string) (time.Duration, error) {
	switch {
	case number == "":
		return 0, fmt.Errorf("a number has to come before %q, as in 7d", unit)
	case unit == "":
		return 0, fmt.Errorf("a unit has to follow %s, as in %sd, %sh or %ss", number, number, number, number)
	}
	hours, scale := unit, time.Duration(1)
	switch unit {
	case "d":
		hours, scale = "h", 24
	case "w":
		hours, scale = "h", 7*24
	}
	part, err := time.ParseDuration(number + hours)
	if err != nil {
		if _, unitErr := time.ParseDuration("1" + hours); unitErr != nil {
			return 0, fmt.Errorf("unknown unit %q; known are w, d, h, m, s, ms, us, ns", unit)
		}
		if strings.Count(number, ".") > 1 || number == "." {
			return 0, fmt.Errorf("%q is not a number", number)
		}
		return 0, errTooLong
	}
	if part > math.MaxInt64/scale {
		return 0, errTooLong
	}
	return part * scale, nil
}

// Format spells d with days and without parts that are zero. Parse gives d
// back, unless it is negative.
func Format(d time.Duration) string {
	if d < day {
		return withoutZeros(d)
	}
	text := strconv.FormatInt(int64(d/day), 10) + "d"
	if rest := d % day; rest > 0 {
		text += withoutZeros(rest)
	}
	return text
}

// withoutZeros makes 1h of 1h0m0s, and 1h5s of 1h0m5s.
func withoutZeros(d time.Duration) string {
	if d <= 0 {
		return strings.TrimSuffix(d.String(), "s") // 0
	}
	text := ""
	for _, part := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / part.unit; n > 0 {
			text += strconv.FormatInt(int64(n), 10) + part.name
			d %= part.unit
		}
	}
	if d > 0 {
		text += d.String()
	}
	return text
}

// A Flag is a duration as a command-line flag, a pflag.Value. A conversion
// makes one of the variable to fill:
//
//	flags.Var((*humanduration.Flag)(&retainAge), "retain-age", "drop what is older")
type Flag time.Duration

// String returns the duration as Format spells it.
func (f *Flag) String() string { return Format(time.Duration(*f)) }

// Set parses s.
func (f *Flag) Set(s string) error {
	d, err := Parse(s)
	if err == nil {
		*f = Flag(d)
	}
	return err
}

// Type is the word that stands for the value in a command's help.
func (f *Flag) Type() string { return "duration" }
