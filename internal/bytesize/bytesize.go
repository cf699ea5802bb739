// Package bytesize reads and writes sizes as people type them.
//
//	4096         bytes
//	4096B        the same
//	64KiB 64Ki   1024 bytes each, as are 64K
//	64KB         1000 bytes each
//	1.5GiB       a fraction, rounded down to whole bytes
//
// The letters go on from K with M, G, T, P and E. A letter alone is binary,
// as it is for dd, truncate and the JVM. Upper and lower case mean the same,
// and a space may stand before the unit.
package bytesize

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

const unitLetters = "KMGTPE"

// maxLength bounds what Parse looks at: more digits than any size needs.
const maxLength = 64

// Parse returns the number of bytes that s stands for.
func Parse(s string) (int64, error) {
	n, err := parse(strings.TrimSpace(s))
	if err != nil {
		return 0, fmt.Errorf("invalid size %q: %w", s, err)
	}
	return n, nil
}

func parse(s string) (int64, error) {
	if strings.HasPrefix(s, "-") {
		return 0, errors.New("a size cannot be negative")
	}
	if len(s) > maxLength {
		return 0, errors.New("too long")
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	number, unit := s[:digits], strings.TrimLeft(s[digits:], " ")
	if strings.Trim(number, ".") == "" || strings.Count(number, ".") > 1 {
		return 0, errors.New("it has to begin with a number, as in 64MiB, 1.5GiB or 4096")
	}
	factor, err := unitBytes(unit)
	if err != nil {
		return 0, err
	}
	if factor == 1 && strings.Contains(number, ".") {
		return 0, errors.New("there are no fractions of a byte; add a unit, as in 1.5GiB")
	}
	value, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, errors.New("it has to begin with a number, as in 64MiB, 1.5GiB or 4096")
	}
	value.Mul(value, new(big.Rat).SetInt64(factor))
	whole := new(big.Int).Quo(value.Num(), value.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("more than the largest size, %d bytes (8EiB less one)", int64(math.MaxInt64))
	}
	return whole.Int64(), nil
}

// unitBytes knows K, Ki, KiB and KB, for each letter.
func unitBytes(unit string) (int64, error) {
	if unit == "" || strings.EqualFold(unit, "B") {
		return 1, nil
	}
	upper := strings.ToUpper(unit)
	power := strings.IndexByte(unitLetters, upper[0]) + 1
	base := int64(1024)
	switch upper[1:] {
	case "", "I", "IB":
	case "B":
		base = 1000
	default:
		power = 0
	}
	if power == 0 {
		return 0, fmt.Errorf("unknown unit %q; known are KiB, MiB, GiB, TiB (K, M, G, T for short) and KB, MB, GB, TB", unit)
	}
	factor := int64(1)
	for range power {
		factor *= base
	}
	return factor, nil
}

// Format spells n exactly and in the shortest way: with the largest unit that
// leaves a whole number, binary where decimal is no shorter. Parse gives n back.
func Format(n int64) string {
	shortest := strconv.FormatInt(n, 10)
	for _, style := range []struct {
		base   int64
		suffix string
	}{{1000, "B"}, {1024, "iB"}} {
		power := 0
		rest := n
		for rest != 0 && rest%style.base == 0 && power < len(unitLetters) {
			rest /= style.base
			power++
		}
		if power == 0 {
			continue
		}
		if text := strconv.FormatInt(rest, 10) + unitLetters[power-1:power] + style.suffix; len(text) <= len(shortest) {
			shortest = text
		}
	}
	return shortest
}

// A Flag is a size as a command-line flag, a pflag.Value. A conversion makes
// one of the variable to fill:
//
//	flags.Var((*bytesize.Flag)(&segmentBytes), "segment-bytes", "size of a segment")
type Flag int64

// String returns the size as Format spells it.
func (f *Flag) String() string { return Format(int64(*f)) }

// Set parses s.
func (f *Flag) Set(s string) error {
	n, err := Parse(s)
	if err == nil {
		*f = Flag(n)
	}
	return err
}

// Type is the word that stands for the value in a command's help.
func (f *Flag) Type() string { return "size" }
