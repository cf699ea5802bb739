package recordfmt

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// strftimeVerbs lists what %d{strftime[…]} knows: the conversions of POSIX in
// the C locale, and of its extensions %k %l %P %s %+ (GNU, BSD), %N (GNU:
// nanoseconds), %L (Ruby: milliseconds) and %f (Python: microseconds).
const strftimeVerbs = "aAbBcCdDeFfgGhHIjklLmMnNpPrRsStTuUVwWxXyYzZ+%"

// A strftime is a layout, taken apart.
type strftime []strftimePiece

// A strftimePiece is text, or one conversion when verb is not 0.
type strftimePiece struct {
	text string
	verb byte
}

// strftimeCompound spells conversions that stand for several others.
func strftimeCompound(verb byte) string {
	switch verb {
	case 'c':
		return "%a %b %e %H:%M:%S %Y"
	case 'D', 'x':
		return "%m/%d/%y"
	case 'F':
		return "%Y-%m-%d"
	case 'r':
		return "%I:%M:%S %p"
	case 'R':
		return "%H:%M"
	case 'T', 'X':
		return "%H:%M:%S"
	case '+':
		return "%a %b %e %H:%M:%S %Z %Y"
	}
	return ""
}

func compileStrftime(layout string) (strftime, error) {
	var out strftime
	for layout != "" {
		text, rest, found := strings.Cut(layout, "%")
		if text != "" {
			out = append(out, strftimePiece{text: text})
		}
		if !found {
			break
		}
		if rest == "" || strings.IndexByte(strftimeVerbs, rest[0]) < 0 {
			return nil, fmt.Errorf("unknown strftime conversion %%%.1s; known are %s", rest, strftimeVerbs)
		}
		verb := rest[0]
		layout = rest[1:]
		switch compound := strftimeCompound(verb); {
		case compound != "":
			pieces, err := compileStrftime(compound)
			if err != nil {
				return nil, err
			}
			out = append(out, pieces...)
		case verb == 'n':
			out = append(out, strftimePiece{text: "\n"})
		case verb == 't':
			out = append(out, strftimePiece{text: "\t"})
		case verb == '%':
			out = append(out, strftimePiece{text: "%"})
		default:
			out = append(out, strftimePiece{verb: verb})
		}
	}
	return out, nil
}

func (s strftime) appendTo(dst []byte, t time.Time) []byte {
	for _, piece := range s {
		if piece.verb == 0 {
			dst = append(dst, piece.text...)
			continue
		}
		if layout := strftimeGoLayout(piece.verb); layout != "" {
			dst = t.AppendFormat(dst, layout)
			continue
		}
		dst = appendStrftimeNumber(dst, piece.verb, t)
	}
	return dst
}

// strftimeGoLayout gives the conversions for which package time has a name.
func strftimeGoLayout(verb byte) string {
	switch verb {
	case 'a':
		return "Mon"
	case 'A':
		return "Monday"
	case 'b', 'h':
		return "Jan"
	case 'B':
		return "January"
	case 'd':
		return "02"
	case 'e':
		return "_2"
	case 'H':
		return "15"
	case 'I':
		return "03"
	case 'j':
		return "002"
	case 'm':
		return "01"
	case 'M':
		return "04"
	case 'p':
		return "PM"
	case 'P':
		return "pm"
	case 'S':
		return "05"
	case 'y':
		return "06"
	case 'Y':
		return "2006"
	case 'z':
		return "-0700"
	case 'Z':
		return "MST"
	}
	return ""
}

// appendStrftimeNumber writes the conversions that package time has no name for.
func appendStrftimeNumber(dst []byte, verb byte, t time.Time) []byte {
	isoYear, isoWeek := t.ISOWeek()
	mondayBased := (int(t.Weekday()) + 6) % 7
	switch verb {
	case 'C':
		return appendPadded(dst, t.Year()/100, 2, '0')
	case 'f':
		return appendPadded(dst, t.Nanosecond()/1e3, 6, '0')
	case 'g':
		return appendPadded(dst, isoYear%100, 2, '0')
	case 'G':
		return appendPadded(dst, isoYear, 4, '0')
	case 'k':
		return appendPadded(dst, t.Hour(), 2, ' ')
	case 'l':
		return appendPadded(dst, (t.Hour()+11)%12+1, 2, ' ')
	case 'L':
		return appendPadded(dst, t.Nanosecond()/1e6, 3, '0')
	case 'N':
		return appendPadded(dst, t.Nanosecond(), 9, '0')
	case 's':
		return strconv.AppendInt(dst, t.Unix(), 10)
	case 'u':
		return appendPadded(dst, mondayBased+1, 1, '0')
	case 'U': // weeks begin on Sunday; the days before the first one are week 0
		return appendPadded(dst, (t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
	case 'V':
		return appendPadded(dst, isoWeek, 2, '0')
	case 'w':
		return appendPadded(dst, int(t.Weekday()), 1, '0')
	case 'W': // as U, but Monday
		return appendPadded(dst, (t.YearDay()+6-mondayBased)/7, 2, '0')
	}
	return dst
}

func appendPadded(dst []byte, n, width int, pad byte) []byte {
	digits := strconv.Itoa(n)
	for i := len(digits); i < width; i++ {
		dst = append(dst, pad)
	}
	return append(dst, digits...)
}
