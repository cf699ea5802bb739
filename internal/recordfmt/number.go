package recordfmt

import (
	"fmt"
	"strconv"
)

// A numberLayout is how a length, an offset or a time is spelled.
type numberLayout struct {
	kind  numberKind
	width int // digits of hexNumber (0: as many as it takes), bytes of the endian ones
}

type numberKind uint8

const (
	asciiNumber numberKind = iota
	hexNumber
	bigNumber
	littleNumber
	boolNumber
)

// numberLayoutNames is what an error lists.
const numberLayoutNames = "ascii, bool, byte, hex4 to hex64, big8 to big64, little8 to little64"

func numberLayoutOf(name string) (numberLayout, bool) {
	switch name {
	case "", "ascii", "number":
		return numberLayout{asciiNumber, 0}, true
	case "bool":
		return numberLayout{boolNumber, 0}, true
	case "hex":
		return numberLayout{hexNumber, 0}, true
	case "hex4":
		return numberLayout{hexNumber, 1}, true
	case "hex8":
		return numberLayout{hexNumber, 2}, true
	case "hex16":
		return numberLayout{hexNumber, 4}, true
	case "hex32":
		return numberLayout{hexNumber, 8}, true
	case "hex64":
		return numberLayout{hexNumber, 16}, true
	case "byte", "big8", "little8":
		return numberLayout{bigNumber, 1}, true
	case "big16":
		return numberLayout{bigNumber, 2}, true
	case "big32":
		return numberLayout{bigNumber, 4}, true
	case "big64":
		return numberLayout{bigNumber, 8}, true
	case "little16":
		return numberLayout{littleNumber, 2}, true
	case "little32":
		return numberLayout{littleNumber, 4}, true
	case "little64":
		return numberLayout{littleNumber, 8}, true
	}
	return numberLayout{}, false
}

const hexDigits = "0123456789abcdef"

func (l numberLayout) appendTo(dst []byte, n int64) []byte {
	u := uint64(n)
	switch l.kind {
	case hexNumber:
		if l.width == 0 {
			return strconv.AppendUint(dst, u, 16)
		}
		for shift := 4 * (l.width - 1); shift >= 0; shift -= 4 {
			dst = append(dst, hexDigits[u>>shift&0xf])
		}
		return dst
	case bigNumber:
		for shift := 8 * (l.width - 1); shift >= 0; shift -= 8 {
			dst = append(dst, byte(u>>shift))
		}
		return dst
	case littleNumber:
		for shift := 0; shift < 8*l.width; shift += 8 {
			dst = append(dst, byte(u>>shift))
		}
		return dst
	case boolNumber:
		return strconv.AppendBool(dst, n != 0)
	default:
		return strconv.AppendInt(dst, n, 10)
	}
}

// parse reads a number from the front of b. used is 0 when b is too short to
// tell; at the end of the input digits that run to the end of b are complete.
func (l numberLayout) parse(b []byte, atEOF bool) (n uint64, used int, err error) {
	switch l.kind {
	case asciiNumber:
		return parseDecimal(b, atEOF)
	case boolNumber:
		return parseBool(b)
	}
	if len(b) < l.width {
		return 0, 0, nil
	}
	field := b[:l.width]
	for i := range field {
		switch l.kind {
		case hexNumber:
			digit, err := strconv.ParseUint(string(field[i:i+1]), 16, 8)
			if err != nil {
				return 0, 0, fmt.Errorf("%q is not a number of %d hexadecimal digits", field, l.width)
			}
			n = n<<4 | digit
		case bigNumber:
			n = n<<8 | uint64(field[i])
		case littleNumber:
			n |= uint64(field[i]) << (8 * i)
		}
	}
	return n, l.width, nil
}

func parseDecimal(b []byte, atEOF bool) (n uint64, used int, err error) {
	const maxDigits = 20 // of a 64-bit number; zeros in front count, as a limit on what is buffered
	for used < len(b) && used <= maxDigits && isDigit(b[used]) {
		used++
	}
	switch {
	case used > maxDigits:
		return 0, 0, fmt.Errorf("a number of more than %d digits", maxDigits)
	case used == len(b) && !atEOF:
		return 0, 0, nil
	case used == 0 && len(b) == 0:
		return 0, 0, nil
	case used == 0:
		return 0, 0, fmt.Errorf("%q is not a decimal number", b[:min(len(b), 8)])
	}
	n, err = strconv.ParseUint(string(b[:used]), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("the number %s does not fit 64 bits", b[:used])
	}
	return n, used, nil
}

func parseBool(b []byte) (n uint64, used int, err error) {
	for n, word := range []string{"false", "true"} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return uint64(n), len(word), nil
		}
		if len(b) < len(word) && word[:len(b)] == string(b) {
			return 0, 0, nil
		}
	}
	return 0, 0, fmt.Errorf("%q is neither true nor false", b[:min(len(b), 8)])
}
