package recordfmt

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/seed27ccf144/mlog/segment"
)

// appendJSONRecord writes one record as a line of JSON.
func appendJSONRecord(dst []byte, r *segment.Record) []byte {
	dst = append(dst, `{"offset":`...)
	dst = strconv.AppendInt(dst, r.Offset, 10)
	dst = append(dst, `,"time":`...)
	dst = strconv.AppendInt(dst, unixMillis(r), 10)
	dst = append(dst, ',')
	if r.Key == nil {
		dst = append(dst, `"key":null`...)
	} else {
		dst = appendJSONMember(dst, "key", r.Key)
	}
	dst = append(dst, ',')
	dst = appendJSONMember(dst, "value", r.Value)
	dst = append(dst, `,"headers":[`...)
	for i := range r.Headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendJSONMember(dst, "key", r.Headers[i].Key)
		dst = append(dst, ',')
		dst = appendJSONMember(dst, "value", r.Headers[i].Value)
		dst = append(dst, '}')
	}
	return append(dst, "]}\n"...)
}

// appendJSONMember writes "name":"text", or "name_base64":"…" when a JSON
// string cannot hold the bytes.
func appendJSONMember[T string | []byte](dst []byte, name string, text T) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	if validUTF8(text) {
		dst = append(dst, `":`...)
		return appendJSONString(dst, text)
	}
	dst = append(dst, `_base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, []byte(text))
	return append(dst, '"')
}

// appendJSONValue writes what the modifier {json} stands for.
func appendJSONValue(dst, b []byte, present bool) []byte {
	switch {
	case !present:
		return append(dst, "null"...)
	case utf8.Valid(b):
		return appendJSONString(dst, b)
	default:
		dst = append(dst, `{"base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, b)
		return append(dst, `"}`...)
	}
}

// appendJSONString writes valid UTF-8 as a JSON string. The line and paragraph
// separators are escaped although JSON allows them, since programs that split
// text into lines may split there too.
func appendJSONString[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0xe2 {
			continue
		}
		if c == 0xe2 {
			// U+2028 and U+2029 are e2 80 a8 and e2 80 a9.
			if i+2 >= len(text) || text[i+1] != 0x80 || text[i+2]&^1 != 0xa8 {
				continue
			}
			dst = append(dst, text[from:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[text[i+2]&0xf])
			i += 2
			from = i + 1
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}

func validUTF8[T string | []byte](text T) bool {
	switch t := any(text).(type) {
	case string:
		return utf8.ValidString(t)
	case []byte:
		return utf8.Valid(t)
	}
	return false
}
