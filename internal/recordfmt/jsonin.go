package recordfmt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/seed27ccf144/mlog/segment"
)

// A jsonFields is a record or a header as the format json spells it. The raw
// messages keep apart what is missing (nil), null and text.
type jsonFields struct {
	Key         json.RawMessage `json:"key"`
	KeyBase64   json.RawMessage `json:"key_base64"`
	Value       json.RawMessage `json:"value"`
	ValueBase64 json.RawMessage `json:"value_base64"`
}

type jsonRecord struct {
	jsonFields
	Headers []jsonFields `json:"headers"`
}

// decodeJSONRecord reads one line of the format json. The record shares no
// memory with the line.
func decodeJSONRecord(line []byte) (segment.Record, error) {
	if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' {
		return segment.Record{}, errors.New("not a JSON object; the format json is one object a line")
	}
	if !utf8.Valid(line) {
		// The decoder would replace these bytes without a word.
		return segment.Record{}, errors.New("not UTF-8; put other bytes into key_base64 or value_base64")
	}
	var in jsonRecord
	if err := json.Unmarshal(line, &in); err != nil {
		return segment.Record{}, explainJSON(err)
	}
	if len(in.Headers) > maxHeaders {
		return segment.Record{}, fmt.Errorf("%d headers, more than %d", len(in.Headers), maxHeaders)
	}
	var (
		out segment.Record
		err error
	)
	if out.Key, err = jsonBytes("key", in.Key, in.KeyBase64); err != nil {
		return segment.Record{}, err
	}
	if out.Value, err = in.value(); err != nil {
		return segment.Record{}, err
	}
	for i := range in.Headers {
		h, err := in.Headers[i].header()
		if err != nil {
			return segment.Record{}, fmt.Errorf("header %d: %w", i+1, err)
		}
		out.Headers = append(out.Headers, h)
	}
	return out, nil
}

// explainJSON says what a field must be, where the decoder names Go types. Only
// the headers have a type of their own: the other fields are taken raw.
func explainJSON(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	return errors.New(`"headers" must be an array of objects, as in [{"key":"a","value":"b"}]`)
}

// value insists on the field, so that a misspelt name is not an empty record.
func (f *jsonFields) value() ([]byte, error) {
	if f.Value == nil && f.ValueBase64 == nil {
		return nil, errors.New(`neither "value" nor "value_base64"; write "value":"" for an empty value`)
	}
	value, err := jsonBytes("value", f.Value, f.ValueBase64)
	if value == nil {
		value = []byte{}
	}
	return value, err
}

func (f *jsonFields) header() (segment.Header, error) {
	key, err := jsonBytes("key", f.Key, f.KeyBase64)
	if err != nil {
		return segment.Header{}, err
	}
	if key == nil {
		return segment.Header{}, errors.New(`neither "key" nor "key_base64"`)
	}
	value, err := f.value()
	return segment.Header{Key: string(key), Value: value}, err
}

// jsonBytes returns nil for what is missing or null.
func jsonBytes(name string, text, encoded json.RawMessage) ([]byte, error) {
	if isNull(encoded) {
		if isNull(text) {
			return nil, nil
		}
		b, err := unquoteJSON(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		return b, nil
	}
	if !isNull(text) {
		return nil, fmt.Errorf("both %q and %q", name, name+"_base64")
	}
	b, err := unquoteJSON(encoded)
	if err == nil {
		b, err = appendBase64Decoded(make([]byte, 0, base64.StdEncoding.DecodedLen(len(b))), b)
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name+"_base64", err)
	}
	return b, nil
}

func isNull(raw json.RawMessage) bool {
	return raw == nil || string(raw) == "null"
}

// unquoteJSON returns the text of a JSON string, never nil. It refuses what
// has no bytes of its own and so would come out as replacement characters.
func unquoteJSON(quoted []byte) ([]byte, error) {
	if len(quoted) == 0 || quoted[0] != '"' {
		return nil, errors.New("must be a string")
	}
	if !utf8.Valid(quoted) {
		return nil, errors.New("not UTF-8")
	}
	if hasLoneSurrogate(quoted) {
		return nil, errors.New("half of a surrogate pair")
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, err
	}
	return []byte(text), nil
}

// hasLoneSurrogate looks for \ud800 to \udfff that do not come in pairs.
func hasLoneSurrogate(quoted []byte) bool {
	unit := func(i int) uint64 { // the number of \uNNNN at i, or 0
		if i+6 > len(quoted) || quoted[i] != '\\' || quoted[i+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(quoted[i+2:i+6]), 16, 16)
		return n
	}
	for i := 0; i < len(quoted); i++ {
		if quoted[i] != '\\' {
			continue
		}
		switch n := unit(i); {
		case n>>10 == 0xd800>>10 && unit(i+6)>>10 == 0xdc00>>10:
			i += 11
		case n>>11 == 0xd800>>11:
			return true
		default:
			i++ // the byte after the backslash, which may be a backslash
		}
	}
	return false
}
