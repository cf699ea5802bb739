package recordfmt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/seed27ccf144/mlog/internal/recordfmt"
	"github.com/seed27ccf144/mlog/segment"
)

const noLimit = 64 << 20

// show spells a record so that a table can hold it: key=value{name:value}, and
// - for an absent key.
func show(rec segment.Record) string {
	out := "-"
	if rec.Key != nil {
		out = fmt.Sprintf("%q", rec.Key)
	}
	out += fmt.Sprintf("=%q", rec.Value)
	for _, h := range rec.Headers {
		out += fmt.Sprintf("{%q:%q}", h.Key, h.Value)
	}
	if rec.Offset != 0 || !rec.Time.IsZero() {
		out += fmt.Sprintf("@%d,%d", rec.Offset, rec.Time.UnixMilli())
	}
	return out
}

// readAll reads with Next and shows what came before the error.
func readAll(t *testing.T, input io.Reader, format string) (string, error) {
	t.Helper()
	r, err := recordfmt.NewReader(input, format, noLimit)
	if err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	var out []string
	for {
		rec, err := r.Next()
		if err != nil {
			if _, again := r.Next(); again != err {
				t.Errorf("%s: a second call gives %v after %v", format, again, err)
			}
			return strings.Join(out, " "), err
		}
		out = append(out, show(rec))
	}
}

func TestReader(t *testing.T) {
	tests := []struct{ format, input, want string }{
		// Lines.
		{`%v\n`, "", ``},
		{`%v\n`, "a\nb\n", `-="a" -="b"`},
		{`%v\n`, "a\nb", `-="a" -="b"`},
		{`%v\n`, "\n\n", `-="" -=""`},
		{`%v\n`, "\r\n\x00\n", `-="\r" -="\x00"`},
		{`%v\r\n`, "a\nb\r\nc\r", `-="a\nb" -="c\r"`},
		{`%v--`, "a-b---c--", `-="a-b" -="-c"`},
		{`%v\0`, "a\nb\x00c", `-="a\nb" -="c"`},
		{`%s\n`, "kcat\n", `-="kcat"`},
		{`[%v]`, "[a][b]", `-="a" -="b"`},
		{`%v`, "all\nof it\n", `-="all\nof it\n"`},
		// Keys.
		{`%k\t%v\n`, "k\tv\n\tv\nk\t\n\t\n", `"k"="v" ""="v" "k"="" ""=""`},
		{`%k\t%v\n`, "k\tv\tw", `"k"="v\tw"`},
		{`%k\t%v\n`, "k\t", `"k"=""`},
		{`%k\t%v\n`, "no tab\nk\tv\n", `"no tab\nk"="v"`},
		{`%k %v`, "k v\nw\n", `"k"="v\nw\n"`},
		{`%v=%k\n`, "v=k\n", `"k"="v"`},
		{`%k\n`, "k\n", `"k"=""`},
		// Sizes.
		{`%V{4}%v`, "abcdefgh", `-="abcd" -="efgh"`},
		{`%V{4}%v\n`, "abcd\n\n\n\n\n\n", `-="abcd" -="\n\n\n\n"`},
		{`%V{4}%v\n`, "abcd", `-="abcd"`},
		{`%V{2}%v\r\n`, "ab\r", `-="ab"`},
		{`%V%v`, "3abc0", `-="abc" -=""`},
		{`%V %v\n`, "3 abc\n0 \n", `-="abc" -=""`},
		{`%K{byte}%k%V{big32}%v`, "\x01k\x00\x00\x00\x02vv\x00\x00\x00\x00\x00", `"k"="vv" ""=""`},
		{`%K{big16}%V{big64}%k%v`, "\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01kv", `"k"="v"`},
		{`%K{little16}%V{little32}%k%v`, "\x01\x00\x01\x00\x00\x00kv", `"k"="v"`},
		{`%V{little64}%v`, "\x02\x00\x00\x00\x00\x00\x00\x00\n\n", `-="\n\n"`},
		{`%V{hex4}%v%K{hex8}%k`, "1v0Ak234567890", `"k234567890"="v"`},
		{`%V{hex16}%v`, "000ahelloworld", `-="helloworld"`},
		{`%V{hex32}%v`, "00000001x", `-="x"`},
		{`%V{hex64}%v`, "000000000000000Fabcdefghijklmno", `-="abcdefghijklmno"`},
		{`%V{bool}%v`, "truexfalse", `-="x" -=""`},
		{`%R%v`, "\x00\x00\x00\x01x", `-="x"`},
		{`%K{3}%k%v\n`, "abcdef\n", `"abc"="def"`},
		// Spellings.
		{`%k{hex} %v{base64}\n`, "6b aGk=\n aGk\n", `"k"="hi" ""="hi"`},
		{`%v{base64raw}\n`, "aGk\n", `-="hi"`},
		{`%V{4}%v{hex}%K{2}%k{hex}`, "61626B", `"k"="ab"`},
		{`%v{json}\n`, "{ \"a\" :\n[1, 2]}\n\"x\\n\"\n12\nnull", `-="{\"a\":[1,2]}" -="x\n" -="12" -="null"`},
		{`%v{json}`, " {}[1]\n\"a\" true\n\n", `-="{}" -="[1]" -="a" -="true"`},
		{`%k %v{json}\n`, `k {"}":"\"}"}`, `"k"="{\"}\":\"\\\"}\"}"`},
		{`%k{json} %v\n`, "null v\n\"\" v\n", `-="v" ""="v"`},
		{`%V %v{json}\n`, "4  [1]\n", `-="[1]"`},
		// Headers.
		{`%H%h{ %k=%v;}`, "", ``},
		{`[%v]\n`, "[a]\n[", `-="a" -=""`},
		{`%H %h{%k=%v,}%v\n`, "2 a=1,b=,x\n0 y\n", `-="x"{"a":"1"}{"b":""} -="y"`},
		{`%H{2}%h{%k=%v,}%k:%v\n`, "a=1,a=2,k:x\n", `"k"="x"{"a":"1"}{"a":"2"}`},
		{`%v\t%H{byte}%h{%K{byte}%k%V{byte}%v}`, "x\t\x01\x01a\x02\n\ny\t\x00", `-="x"{"a":"\n\n"} -="y"`},
		{`%H %h{%k=%v{hex},}%v\n`, "1 a=78,v\n", `-="v"{"a":"x"}`},
		{`%H %h{%K{1}%k%V{1}%v}\n`, "2 axby\n", `-=""{"a":"x"}{"b":"y"}`},
		{`%H %h{%k %v{json} }%v\n`, "2 a [ 1 ] b \"x\" v\n", `-="v"{"a":"[1]"}{"b":"x"}`},
		// What an append ignores.
		{`%o %d %v\n`, "7 1000 v\n", `-="v"@7,1000`},
		{`%v %o`, "a 1", `-="a"@1,-62135596800000`},
		// Lines of JSON.
		{`json`, `{"value":"v"}`, `-="v"`},
		{`json`, "\n{\"offset\":\"x\",\"time\":null,\"key\":\"k\",\"value\":\"\",\"headers\":[]}\r\n \n", `"k"=""`},
		{`json`, `{"key":null,"value":null,"headers":null,"topic":"t"}`, `-=""`},
		{`json`, `{"key":"","value_base64":"/w==","headers":[{"key":"a","value":"b"},{"key_base64":"/w","value_base64":""}]}`, `""="\xff"{"a":"b"}{"\xff":""}`},
		{`json`, `{"value":"\ud83d\ude00\u0000\\ud800"}`, `-="😀\x00\\ud800"`},
	}
	for _, tt := range tests {
		got, err := readAll(t, strings.NewReader(tt.input), tt.format)
		if got != tt.want || err != io.EOF {
			t.Errorf("%s of %q:\n got %s, %v\nwant %s", tt.format, tt.input, got, err, tt.want)
		}
		for name, input := range map[string]io.Reader{
			"one byte at a time": iotest.OneByteReader(strings.NewReader(tt.input)),
			"data with EOF":      iotest.DataErrReader(strings.NewReader(tt.input)),
		} {
			if got, err := readAll(t, input, tt.format); got != tt.want || err != io.EOF {
				t.Errorf("%s of %q, %s:\n got %s, %v\nwant %s", tt.format, tt.input, name, got, err, tt.want)
			}
		}
	}
}

func TestReaderInputErrors(t *testing.T) {
	const truncated, malformed = "truncated", "malformed"
	tests := []struct {
		format, input string
		before        string
		kind          string
		contains      string
	}{
		{`%k\t%v\n`, "a\tb\nrest", `"a"="b"`, truncated, `record 2: missing the "\t" that ends %k`},
		{`%V{4}%v`, "abcdef", `-="abcd"`, truncated, `2 of the 4 bytes of %v`},
		{`%V{big32}%v`, "\x00\x00", ``, truncated, `missing %V`},
		{`%V{big32}%v`, "\x00\x00\x00\x05ab", ``, truncated, `3 of the 5 bytes of %v`},
		{`%V%v`, "3abc1", `-="abc"`, truncated, `1 of the 1 bytes`},
		{`%V[%v]`, "3", ``, truncated, `missing "["`},
		{`%v{json}\n`, `{"a":`, ``, truncated, `JSON value of %v`},
		{`%H %h{%k=%v,}\n`, "2 a=b,c=", ``, truncated, `in header 2 of 2, the "," that ends %v`},
		{`[%v]`, "[a]x", `-="a"`, malformed, `record 2 of the input (byte 3): the format has "[" where the input has "x"`},
		{`%V%v`, "3abcx", `-="abc"`, malformed, `"x" is not a decimal number`},
		{`%V%v`, "99999999999999999999", ``, malformed, `64 bits`},
		{`%V%v`, "000000000000000000001", ``, malformed, `digits`},
		{`%V{hex8}%v`, "0\x10", ``, malformed, `hexadecimal`},
		{`%V{bool}%v`, "trux", ``, malformed, `neither`},
		{`%v{hex}\n`, "6\n", ``, malformed, `cannot decode %v`},
		{`%v{hex}\n`, "zz\n", ``, malformed, `cannot decode %v`},
		{`%v{base64}\n`, "a\n", ``, malformed, `cannot decode %v`},
		{`%v{json}\n`, "{]\n", ``, malformed, `cannot decode %v`},
		{`%v{json}\n`, ",\n", ``, malformed, `cannot decode %v`},
		{`%v{json}\n`, "1 2\n", ``, malformed, `the format has "\n"`},
		{`%v{json}\n`, `"\ud800"` + "\n", ``, malformed, `surrogate`},
		{`%H%h{%k,}`, "65536", ``, malformed, `65535`},
		{`%o %v\n`, "9223372036854775808 v\n", ``, malformed, `63 bits`},
		{`json`, "{\"value\":\"a\"}\n{\n", `-="a"`, malformed, `record 2 of the input (byte 14)`},
		{`json`, "[]\n", ``, malformed, `one object a line`},
		{`json`, "{}\n", ``, malformed, `neither "value" nor`},
		{`json`, `{"vaule":"x"}`, ``, malformed, `neither "value" nor`},
		{`json`, `{"value":{"a":1}}`, ``, malformed, `"value": must be a string`},
		{`json`, `{"value":"a","value_base64":"YQ=="}`, ``, malformed, `both`},
		{`json`, `{"value_base64":"!"}`, ``, malformed, `"value_base64"`},
		{`json`, "{\"value\":\"\xff\"}", ``, malformed, `UTF-8`},
		{`json`, `{"value":"\udc00"}`, ``, malformed, `surrogate`},
		{`json`, `{"value":"","headers":[{"value":"x"}]}`, ``, malformed, `header 1`},
		{`json`, `{"value":"","headers":{"a":"b"}}`, ``, malformed, `"headers" must be an array of objects`},
		{`json`, `{"value":"","headers":[1]}`, ``, malformed, `"headers" must be an array of objects`},
	}
	for _, tt := range tests {
		got, err := readAll(t, strings.NewReader(tt.input), tt.format)
		var te *recordfmt.TruncatedError
		var me *recordfmt.MalformedError
		kind := ""
		switch {
		case errors.As(err, &te) && errors.Is(err, io.ErrUnexpectedEOF):
			kind = truncated
		case errors.As(err, &me):
			kind = malformed
		}
		if got != tt.before || kind != tt.kind || !strings.Contains(err.Error(), tt.contains) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s of %q:\n got %s, %v\nwant %s, %s: %s", tt.format, tt.input, got, err, tt.before, tt.kind, tt.contains)
		}
	}
}

func TestInputFormatErrors(t *testing.T) {
	tests := []struct {
		format   string
		position int
		contains string
	}{
		{``, 0, "reads nothing"},
		{`\n`, 0, "reads nothing"},
		{`%o`, 0, "reads nothing"},
		{`%k%v`, 0, `%k\t`},
		{`%k%v`, 0, `%K{4}%k`},
		{`%v%V{4}`, 0, `%V{4}%v`},
		{`%v%o\n`, 0, "ends"},
		{`%v %v\n`, 3, "second time"},
		{`%V{3}%V%v`, 5, "second time"},
		{`%H{3}%H%h{%k,}`, 5, "second time"},
		{`%v %V\n`, 3, "before"},
		{`%k\n%V`, 4, "%v has to follow"},
		{`%v\n%H`, 4, "%h{…} has to follow"},
		{`%h{%k=%v,}`, 0, "number of headers"},
		{`%H%h`, 2, "how headers are spelled"},
		{`%H%h{}`, 2, "%k"},
		{`%H%h{%v,}`, 2, "%k"},
		{`%H%h{%k}`, 5, "ends"},
		{`%H%h{%k=%v}`, 8, "ends"},
		{`%H %h{%k,}%h{%k,}`, 10, "second time"},
		{`%V{0}%v`, 0, "from 1"},
		{`%V{4x}%v`, 0, "from 1"},
		{`%V{-4}%v`, 0, "known are"},
		{`%V{hex}%v`, 0, "width"},
		{`%o{3}%v`, 0, "known are"},
		{`%d{go[2006]}%v`, 0, "milliseconds"},
		{`%v{re[x]}`, 0, "known are"},
		{`%V5%v`, 0, "digits follow %V"},
		{`%K%V%k%v`, 0, "digits follow %K"},
		{`%H%h{%K:%k}`, 0, "digits follow %H"},
		{`1%v %o`, 4, "digits follow %o"},
	}
	for _, tt := range tests {
		_, err := recordfmt.NewReader(nil, tt.format, 1)
		checkFormatError(t, tt.format, err, tt.position, tt.contains)
	}
	if _, err := recordfmt.NewReader(nil, `%v\n`, 0); err == nil {
		t.Error("a limit of 0 is accepted")
	}
}

// What consume prints with a format, produce reads with it.
func TestRoundTrip(t *testing.T) {
	recs := []segment.Record{
		{Value: []byte("plain")},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("k\t\n\x00\xff"), Value: bytes.Repeat([]byte{0, 0xff, '\n', '{', '"', '\\'}, 50)},
		{Key: []byte("ключ"), Value: []byte("значение\u2028"), Headers: []segment.Header{{Key: "", Value: []byte{}}, {Key: "\xff", Value: []byte("\x80,=")}}},
	}
	const keyless, headerless = 1, 2
	tests := []struct {
		format string
		loses  int
	}{
		{`json`, 0},
		{`%K{big32}%V{big64}%H{byte}%k%v%h{%K{hex16}%V %k%v}`, keyless},
		{`%k{hex} %v{base64} %H{little16}%h{%k{hex}=%v{base64raw},}\n`, keyless},
		{`%V{ascii},%K{hex8}%v%k;\n`, keyless | headerless},
	}
	for _, tt := range tests {
		f, err := recordfmt.Compile(tt.format)
		if err != nil {
			t.Fatal(err)
		}
		var input []byte
		var want []string
		for _, rec := range recs {
			input = f.AppendTo(input, &rec)
			if tt.loses&keyless != 0 && rec.Key == nil {
				rec.Key = []byte{}
			}
			if tt.loses&headerless != 0 {
				rec.Headers = nil
			}
			want = append(want, show(rec))
		}
		got, err := readAll(t, bytes.NewReader(input), tt.format)
		if got != strings.Join(want, " ") || err != io.EOF {
			t.Errorf("%s:\n got %s, %v\nwant %s", tt.format, got, err, strings.Join(want, " "))
		}
	}
}

func ExampleReader() {
	input := strings.NewReader("user-1\tsigned in\nuser-2\tsigned out\n")
	r, err := recordfmt.NewReader(input, `%k\t%v\n`, 1<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s\n", rec.Key, rec.Value)
	}
	// Output:
	// user-1: signed in
	// user-2: signed out
}
