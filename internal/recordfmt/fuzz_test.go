package recordfmt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/seed27ccf144/mlog/internal/recordfmt"
	"github.com/seed27ccf144/mlog/segment"
)

// Any text either is a format or gets an error that points into it.
func FuzzCompile(f *testing.F) {
	for _, format := range []string{`%v\n`, `%k\t%v{hex}`, `%H %h{%k=%v,}`, `%d{strftime##%F##}`, `%d{go[06]}`, `%V{big32}%v`, `json`, `%h{{%k}}`, `\x00\0\\`, `%%%{%}`, `%v{`} {
		f.Add(format)
	}
	rec := sample()
	f.Fuzz(func(t *testing.T, format string) {
		check := func(err error) {
			var fe *recordfmt.FormatError
			if err == nil {
				return
			}
			if !errors.As(err, &fe) || fe.Position < 0 || fe.Position > len(format) || fe.Error() == "" {
				t.Errorf("%q: %v", format, err)
			}
		}
		_, err := recordfmt.NewReader(nil, format, 1)
		check(err)
		formatter, err := recordfmt.Compile(format)
		check(err)
		if err != nil {
			return
		}
		alone := formatter.AppendTo(nil, &rec)
		if after := formatter.AppendTo([]byte("before"), &rec); string(after) != "before"+string(alone) {
			t.Errorf("%q: %q after text, %q alone", format, after, alone)
		}
	})
}

// However the input arrives and by whichever method it is read, the records
// and the error are the same, within the limits.
func FuzzRead(f *testing.F) {
	for _, seed := range []struct{ format, input string }{
		{`%v\n`, "a\n\nb"},
		{`%k\t%v\n`, "k\tv\n"},
		{`%V %v\n`, "3 abc\n"},
		{`%H %h{%k=%v,}%v{hex}\n`, "1 a=b,61\n"},
		{`%v{json}`, `{"a":[1]} "x" 1`},
		{`%V{big32}%v{base64}`, "\x00\x00\x00\x04aGk="},
		{`json`, `{"value":"v","headers":[{"key":"a","value_base64":"/w=="}]}` + "\n"},
		{`%v--`, "a---b--"},
		{`%K{bool}%k%V{hex8}%v`, "truek01v"},
		{`%o%d{big16}%v;`, "7\x00\x01v;"},
	} {
		f.Add(seed.format, []byte(seed.input))
	}
	f.Fuzz(func(t *testing.T, format string, input []byte) {
		const limit = 64
		whole, err := recordfmt.NewReader(bytes.NewReader(input), format, limit)
		if err != nil {
			return
		}
		pieces, err := recordfmt.NewReader(iotest.OneByteReader(bytes.NewReader(input)), format, limit)
		if err != nil {
			t.Fatal(err)
		}
		var batch []segment.Record
		n := 0
		for {
			rec, err := pieces.Next()
			if len(batch) == 0 {
				var batchErr error
				batch, batchErr = whole.ReadBatch(batch[:0], 3, 200)
				if err != nil || batchErr != nil {
					// The words may differ: they show as much of the input as was there.
					if fmt.Sprintf("%T", err) != fmt.Sprintf("%T", batchErr) {
						t.Fatalf("%q: in pieces %v, in batches %v", format, err, batchErr)
					}
					return
				}
			} else if err != nil {
				t.Fatalf("%q: in pieces %v, in batches a record", format, err)
			}
			if show(rec) != show(batch[0]) {
				t.Fatalf("%q: in pieces %s, in batches %s", format, show(rec), show(batch[0]))
			}
			size := len(rec.Key) + len(rec.Value)
			for _, h := range rec.Headers {
				size += len(h.Key) + len(h.Value)
			}
			if n++; size > limit || n > len(input) {
				t.Fatalf("%q: record %d holds %d bytes, of an input of %d", format, n, size, len(input))
			}
			batch = batch[1:]
		}
	})
}

// What a format writes it reads back, byte by byte.
func FuzzRoundTrip(f *testing.F) {
	f.Add(true, []byte("key"), []byte("value"), []byte("name"), []byte("v\xff"))
	f.Add(false, []byte{}, []byte("\x00\n\t{}\"\\\u2028"), []byte{}, []byte{})
	formats := []string{
		`json`,
		`%K{big32}%V{little64}%H{byte}%k%v%h{%K{hex16}%V %k%v}`,
		`%k{hex} %v{base64} %H{little16}%h{%k{hex}=%v{base64raw},}\n`,
	}
	f.Fuzz(func(t *testing.T, hasKey bool, key, value, name, headerValue []byte) {
		if len(name) > 0xffff {
			return
		}
		rec := segment.Record{Value: value, Headers: []segment.Header{{Key: string(name), Value: headerValue}}, Offset: 1, Time: time.UnixMilli(2)}
		if hasKey {
			rec.Key = append([]byte{}, key...)
		}
		for _, format := range formats {
			formatter, err := recordfmt.Compile(format)
			if err != nil {
				t.Fatal(err)
			}
			want := rec
			want.Offset, want.Time = 0, time.Time{}
			if format != "json" && want.Key == nil {
				want.Key = []byte{}
			}
			r, err := recordfmt.NewReader(bytes.NewReader(formatter.AppendTo(formatter.AppendTo(nil, &rec), &rec)), format, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got, err := r.Next(); err != nil || show(got) != show(want) {
					t.Fatalf("%s: got %s, %v; want %s", format, show(got), err, show(want))
				}
			}
			if _, err := r.Next(); err != io.EOF {
				t.Fatalf("%s: %v at the end", format, err)
			}
		}
	})
}
