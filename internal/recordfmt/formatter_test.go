package recordfmt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/recordfmt"
	"github.com/seed27ccf144/mlog/segment"
)

func sample() segment.Record {
	return segment.Record{
		Offset:  1234,
		Time:    time.Date(2026, 1, 4, 15, 4, 5, 678901234, time.UTC),
		Key:     []byte("k1"),
		Value:   []byte("hello"),
		Headers: []segment.Header{{Key: "a", Value: []byte("x")}, {Key: "bb", Value: []byte("yy")}},
	}
}

func TestFormats(t *testing.T) {
	tests := []struct{ format, want string }{
		{``, ""},
		{`%v\n`, "hello\n"},
		{`%v`, "hello"},
		{`%v%v`, "hellohello"},
		{`%v%k`, "hellok1"},
		{`%k\t%v\n`, "k1\thello\n"},
		{`%o %V %K %H`, "1234 5 2 2"},
		{`%s %S %R`, "hello 5 \x00\x00\x00\x05"},
		{`100%% %{%v%} {%v}`, "100% {hello} {hello}"},
		{`\t\n\r\\\0\x41\xff`, "\t\n\r\\\x00A\xff"},
		{`%v{hex} %v{base64} %v{base64raw} %v{json} %v{}`, `68656c6c6f aGVsbG8= aGVsbG8 "hello" hello`},
		{`%k{hex} %k{base64} %k{json}`, `6b31 azE= "k1"`},
		{`%h{%k=%v,}`, "a=x,bb=yy,"},
		{`%h{{"%k":%v{json}},}%h`, `{"a":"x"},{"bb":"yy"},a=x,bb=yy`},
		{`%h{%K%k%V{big16}%v{hex}%%%}}`, "1a\x00\x0178%}2bb\x00\x027979%}"},
		{`%o{hex} %o{hex64} %o{hex32} %o{hex16} %o{hex8} %o{hex4}`, "4d2 00000000000004d2 000004d2 04d2 d2 2"},
		{`%o{big64}%o{big32}%o{big16}%o{big8}%o{byte}`, "\x00\x00\x00\x00\x00\x00\x04\xd2\x00\x00\x04\xd2\x04\xd2\xd2\xd2"},
		{`%o{little64}%o{little32}%o{little16}%o{little8}`, "\xd2\x04\x00\x00\x00\x00\x00\x00\xd2\x04\x00\x00\xd2\x04\xd2"},
		{`%o{ascii} %o{number} %V{bool}`, "1234 1234 true"},
		{`%d %d{ascii} %d{hex}`, "1767539045678 1767539045678 19b8989752e"},
		{`%d{go[2006-01-02]} %d{go##[15:04:05.000]##}`, "2026-01-04 [15:04:05.678]"},
		{`%d{strftime[%F %T]} %d{strftime{%H:%M}}`, "2026-01-04 15:04:05 15:04"},
		{`json`, `{"offset":1234,"time":1767539045678,"key":"k1","value":"hello","headers":[{"key":"a","value":"x"},{"key":"bb","value":"yy"}]}` + "\n"},
		{`json\n`, "json\n"},
	}
	rec := sample()
	for _, tt := range tests {
		f, err := recordfmt.Compile(tt.format)
		if err != nil {
			t.Errorf("%s: %v", tt.format, err)
			continue
		}
		if got := string(f.AppendTo([]byte("<"), &rec)); got != "<"+tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.format, got, "<"+tt.want)
		}
	}
}

func TestFormatsOfOddRecords(t *testing.T) {
	bytesOf := func(s string) []byte { return []byte(s) }
	tests := []struct {
		name   string
		rec    segment.Record
		format string
		want   string
	}{
		{"absent key", segment.Record{}, `%k|%K|%k{json}`, `|0|null`},
		{"empty key", segment.Record{Key: bytesOf("")}, `%k|%K|%k{json}`, `|0|""`},
		{"absent key", segment.Record{}, `json`, `{"offset":0,"time":0,"key":null,"value":"","headers":[]}` + "\n"},
		{"empty key", segment.Record{Key: bytesOf("")}, `json`, `{"offset":0,"time":0,"key":"","value":"","headers":[]}` + "\n"},
		{"not UTF-8", segment.Record{Key: bytesOf("\xff"), Value: bytesOf("\x80a"), Headers: []segment.Header{{Key: "\xfe", Value: bytesOf("\xc0")}}}, `json`,
			`{"offset":0,"time":0,"key_base64":"/w==","value_base64":"gGE=","headers":[{"key_base64":"/g==","value_base64":"wA=="}]}` + "\n"},
		{"not UTF-8", segment.Record{Value: bytesOf("\x80a")}, `%v{json}`, `{"base64":"gGE="}`},
		{"escapes", segment.Record{Value: bytesOf("\"\\\n\r\t\x00\x1f\x7f<>&é\u2028\u2029\u2027€")}, `%v{json}`,
			`"\"\\\n\r\t\u0000\u001f` + "\x7f<>&é" + `\u2028\u2029` + "\u2027€\""},
		{"NUL", segment.Record{Value: bytesOf("a\x00b")}, `%v\n`, "a\x00b\n"},
		{"before 1970", segment.Record{Time: time.UnixMilli(-1)}, `%d`, "-1"},
	}
	for _, tt := range tests {
		f, err := recordfmt.Compile(tt.format)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(f.AppendTo(nil, &tt.rec)); got != tt.want {
			t.Errorf("%s, %s:\n got %s\nwant %s", tt.name, tt.format, got, tt.want)
		}
	}
}

func TestStrftime(t *testing.T) {
	at := time.Date(2024, 12, 30, 0, 7, 8, 9_012_345, time.UTC) // Monday of ISO week 1 of 2025
	tests := []struct{ layout, want string }{
		{"%a %A %b %B %h", "Mon Monday Dec December Dec"},
		{"%C %y %Y %g %G", "20 24 2024 25 2025"},
		{"%d %e %j %m", "30 30 365 12"},
		{"%H %I %k %l %M %S %p %P", "00 12  0 12 07 08 AM am"},
		{"%L %f %N", "009 009012 009012345"},
		{"%s", "1735517228"},
		{"%u %w %U %V %W", "1 1 52 01 53"},
		{"%z %Z %%%n%t", "+0000 UTC %\n\t"},
		{"%c|%D|%F|%r|%R|%T|%x|%X|%+", "Mon Dec 30 00:07:08 2024|12/30/24|2024-12-30|12:07:08 AM|00:07|00:07:08|12/30/24|00:07:08|Mon Dec 30 00:07:08 UTC 2024"},
		{"2006 Jan", "2006 Jan"},
		{"", ""},
	}
	for _, tt := range tests {
		f, err := recordfmt.Compile("%d{strftime[" + tt.layout + "]}")
		if err != nil {
			t.Errorf("%s: %v", tt.layout, err)
			continue
		}
		if got := string(f.AppendTo(nil, &segment.Record{Time: at})); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.layout, got, tt.want)
		}
	}
}

// An error names the place and what to write instead.
func TestFormatErrors(t *testing.T) {
	tests := []struct {
		format   string
		position int
		contains string
	}{
		{`%`, 0, "%%"},
		{`a%`, 1, "%%"},
		{`%q`, 0, "known are %v"},
		{`%t`, 0, "topics"},
		{`%T`, 0, "%d"},
		{`%v%p`, 2, "partitions"},
		{`%v{`, 0, "not closed"},
		{`%v{hex`, 0, "not closed"},
		{`x%v{hxe}`, 1, "base64"},
		{`%V{3}`, 0, "ascii"},
		{`%o{go[x]}`, 0, "ascii"},
		{`%d{go}`, 5, "go[2006-01-02]"},
		{`%d{go[2006}`, 5, "brackets"},
		{`%d{go[2006]`, 11, "not closed"},
		{`%d{strftime[%Q]}`, 0, "strftime conversion %Q"},
		{`%d{strftime[%]}`, 0, "strftime conversion %"},
		{`%d{strf}`, 0, "strftime[%F]"},
		{`%h{%k`, 3, "not closed"},
		{`%h{%o}`, 3, "inside %h"},
		{`%h{%h{%k}}`, 3, "inside %h"},
		{`\`, 0, `\\`},
		{`\q`, 0, `\xNN`},
		{`\x`, 0, `\x00`},
		{`\x4`, 0, `\x00`},
		{`\xg0`, 0, `\x00`},
		{`\012`, 0, `\x00`},
	}
	for _, tt := range tests {
		_, err := recordfmt.Compile(tt.format)
		checkFormatError(t, tt.format, err, tt.position, tt.contains)
	}
}

func checkFormatError(t *testing.T, format string, err error, position int, contains string) {
	t.Helper()
	var fe *recordfmt.FormatError
	if !errors.As(err, &fe) {
		t.Errorf("%s: got %v, want a FormatError", format, err)
		return
	}
	if fe.Position != position || fe.Format != format {
		t.Errorf("%s: at %d, want %d: %v", format, fe.Position, position, err)
	}
	if !strings.Contains(err.Error(), contains) || strings.ContainsRune(err.Error(), '\n') {
		t.Errorf("%s: %q does not contain %q on one line", format, err, contains)
	}
}

func TestPlainFormatsAllocateNothing(t *testing.T) {
	rec := sample()
	for _, format := range []string{`%v\n`, `%k\t%v\n`, `%o %d %K %V %H %h{%k=%v,}\n`, `%V{big32}%v`, `%v{hex}`, `%v{base64}`, `json`, `%d{strftime[%F %T]}`, `%d{go[2006-01-02]}`} {
		f, err := recordfmt.Compile(format)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { buf = f.AppendTo(buf[:0], &rec) }); n != 0 {
			t.Errorf("%s: %v allocations", format, n)
		}
	}
}

func ExampleFormatter_AppendTo() {
	f, err := recordfmt.Compile(`%o %d{strftime[%F]} %k=%v %h{[%k:%v]}\n`)
	if err != nil {
		fmt.Println(err)
		return
	}
	line := f.AppendTo(nil, &segment.Record{
		Offset:  7,
		Time:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Key:     []byte("user-1"),
		Value:   []byte("signed in"),
		Headers: []segment.Header{{Key: "trace", Value: []byte("9f")}},
	})
	fmt.Print(string(line))
	// Output: 7 2026-01-01 user-1=signed in [trace:9f]
}

func ExampleCompile_error() {
	_, err := recordfmt.Compile(`%k %w\n`)
	fmt.Println(err)
	// Output: format '%k %w\n': at '%w\n' (byte 4): unknown field; known are %v %V %k %K %h %H %o %d
}

func BenchmarkAppendTo(b *testing.B) {
	rec := sample()
	rec.Value = []byte(strings.Repeat("x", 100))
	for _, format := range []string{`%v\n`, `%k\t%v\n`, `%o %d %v\n`, `json`} {
		b.Run(format, func(b *testing.B) {
			f, err := recordfmt.Compile(format)
			if err != nil {
				b.Fatal(err)
			}
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = f.AppendTo(buf[:0], &rec)
			}
		})
	}
}
