package recordfmt

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// A textEncoding is how the bytes of a key or a value are spelled.
type textEncoding uint8

const (
	plainText textEncoding = iota
	hexText
	base64Text
	base64RawText
	jsonText
)

// textEncodingNames is what an error lists.
const textEncodingNames = "hex, base64, base64raw, json"

func textEncodingOf(name string) (textEncoding, bool) {
	switch name {
	case "":
		return plainText, true
	case "hex":
		return hexText, true
	case "base64":
		return base64Text, true
	case "base64raw":
		return base64RawText, true
	case "json":
		return jsonText, true
	}
	return 0, false
}

// appendTo spells b. present is false for the key of a record without one.
func (e textEncoding) appendTo(dst, b []byte, present bool) []byte {
	switch e {
	case hexText:
		return hex.AppendEncode(dst, b)
	case base64Text:
		return base64.StdEncoding.AppendEncode(dst, b)
	case base64RawText:
		return base64.RawStdEncoding.AppendEncode(dst, b)
	case jsonText:
		return appendJSONValue(dst, b, present)
	default:
		return append(dst, b...)
	}
}

// expansion is how many bytes of input one byte of a record can take at most.
func (e textEncoding) expansion() int64 {
	switch e {
	case hexText, base64Text, base64RawText:
		return 2
	case jsonText:
		return 6 // \u0041
	default:
		return 1
	}
}

// appendDecoded undoes appendTo: what the spelling b stands for is appended to
// dst. present is false for the JSON null, whose text is appended all the same.
func (e textEncoding) appendDecoded(dst, b []byte) (out []byte, present bool, err error) {
	switch e {
	case hexText:
		out, err = hex.AppendDecode(dst, b)
		return out, true, err
	case base64Text, base64RawText:
		out, err = appendBase64Decoded(dst, b)
		return out, true, err
	case jsonText:
		return appendJSONDecoded(dst, b)
	default:
		return append(dst, b...), true, nil
	}
}

// appendBase64Decoded takes base64 with or without its padding.
func appendBase64Decoded(dst, b []byte) ([]byte, error) {
	if len(b)%4 == 0 {
		b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("=")), []byte("="))
	}
	return base64.RawStdEncoding.AppendDecode(dst, b)
}

// appendJSONDecoded appends the text of a JSON string, or the compact spelling
// of any other JSON value.
func appendJSONDecoded(dst, b []byte) (out []byte, present bool, err error) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return dst, false, errors.New("no JSON value")
	}
	if b[0] == '"' {
		text, err := unquoteJSON(b)
		return append(dst, text...), true, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return dst, false, err
	}
	return append(dst, compact.Bytes()...), compact.String() != "null", nil
}
