package recordfmt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/recordfmt"
	"github.com/seed27ccf144/mlog/segment"
)

// A scriptedReader returns one piece per Read, then err. A nil piece is a read
// that gives nothing.
type scriptedReader struct {
	pieces []string
	err    error
	reads  int
}

func (s *scriptedReader) Read(b []byte) (int, error) {
	s.reads++
	if len(s.pieces) == 0 {
		return 0, s.err
	}
	n := copy(b, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; s.pieces[0] == "" {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

func newReader(t testing.TB, input io.Reader, format string, maxRecord int64) *recordfmt.Reader {
	t.Helper()
	r, err := recordfmt.NewReader(input, format, maxRecord)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func showAll(recs []segment.Record) string {
	out := make([]string, len(recs))
	for i, rec := range recs {
		out[i] = show(rec)
	}
	return strings.Join(out, " ")
}

// A batch is what one read brought, and never waits for more than its first record.
func TestReadBatchTakesWhatIsAtHand(t *testing.T) {
	for _, format := range []string{`%v\n`, `[%v]\n`, `%v{json}\n`, `json`} {
		line := func(s string) string {
			f, err := recordfmt.Compile(format)
			if err != nil {
				t.Fatal(err)
			}
			return string(f.AppendTo(nil, &segment.Record{Value: []byte(s)}))
		}
		one, two, three := line("one"), line("two"), line("three")
		input := &scriptedReader{pieces: []string{one + two + three[:2], "", three[2:4], three[4:], one}, err: io.EOF}
		r := newReader(t, input, format, noLimit)
		steps := []struct {
			want     string
			err      error
			reads    int
			buffered bool
		}{
			{`-="one" -="two"`, nil, 1, false},
			{`-="three"`, nil, 4, false},
			{`-="one"`, nil, 5, false},
			{``, io.EOF, 6, true},
			{``, io.EOF, 6, true},
		}
		for i, s := range steps {
			batch, err := r.ReadBatch(nil, 0, 0)
			if got := showAll(batch); got != s.want || err != s.err || input.reads != s.reads || r.Buffered() != s.buffered {
				t.Errorf("%s, call %d: got %s, %v after %d reads, buffered %v; want %+v", format, i, got, err, input.reads, r.Buffered(), s)
			}
			if got := showAll(batch); got != s.want {
				t.Errorf("%s, call %d: Buffered changed the batch to %s", format, i, got)
			}
		}
	}
}

func TestReadBatchBounds(t *testing.T) {
	for _, format := range []string{`%v\n`, `%v{hex}\n`} {
		f, err := recordfmt.Compile(format)
		if err != nil {
			t.Fatal(err)
		}
		var input []byte
		for i := range 10 {
			input = f.AppendTo(input, &segment.Record{Value: bytes.Repeat([]byte{byte('0' + i)}, 68)}) // counts as 100
		}
		r := newReader(t, bytes.NewReader(input), format, noLimit)
		for i, b := range []struct{ records, bytes, want int }{{3, 0, 3}, {0, 200, 2}, {0, 299, 2}, {5, 1, 1}, {1, 1 << 20, 1}, {0, 0, 1}} {
			batch, err := r.ReadBatch(nil, b.records, b.bytes)
			if err != nil || len(batch) != b.want {
				t.Errorf("%s, batch %d: %d records, %v; want %d", format, i, len(batch), err, b.want)
			}
		}
		if batch, err := r.ReadBatch(nil, 0, 0); len(batch) != 0 || err != io.EOF {
			t.Errorf("%s: %d records, %v after the last", format, len(batch), err)
		}
	}
}

// Decoded records of one batch do not share memory with each other.
func TestReadBatchViewsStayWhole(t *testing.T) {
	var input []byte
	var want []string
	f, err := recordfmt.Compile(`%H %h{%k{hex}=%v{base64},}%k{hex} %v{hex}\n`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		rec := segment.Record{Key: fmt.Append(nil, "key", i), Value: bytes.Repeat([]byte{byte(i)}, i),
			Headers: []segment.Header{{Key: fmt.Sprint("h", i), Value: fmt.Append(nil, i)}}}
		input = f.AppendTo(input, &rec)
		want = append(want, show(rec))
	}
	r := newReader(t, bytes.NewReader(input), `%H %h{%k{hex}=%v{base64},}%k{hex} %v{hex}\n`, noLimit)
	batch, err := r.ReadBatch(nil, 0, 0)
	if got := showAll(batch); err != nil || got != strings.Join(want, " ") {
		t.Errorf("got %d of %d records, %v", len(batch), len(want), err)
	}
	for i := range batch {
		batch[i].Value = append(batch[i].Value, "spill"...)
		batch[i].Key = append(batch[i].Key, "spill"...)
	}
	for i := range batch {
		batch[i].Value = bytes.TrimSuffix(batch[i].Value, []byte("spill"))
		batch[i].Key = bytes.TrimSuffix(batch[i].Key, []byte("spill"))
	}
	if showAll(batch) != strings.Join(want, " ") {
		t.Error("an append to one record changed another")
	}
}

// The records before a failure of the input come out, and half a record never does.
func TestReaderKeepsInputErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, format := range []string{`%v\n`, `%v`} {
		r := newReader(t, &scriptedReader{pieces: []string{"a\nb\nhalf"}, err: broken}, format, noLimit)
		var got []segment.Record
		var err error
		for err == nil {
			var batch []segment.Record
			batch, err = r.ReadBatch(nil, 0, 0)
			for _, rec := range batch {
				got = append(got, rec.Clone())
			}
		}
		want := `-="a" -="b"`
		if format == `%v` {
			want = ""
		}
		if err != broken || showAll(got) != want {
			t.Errorf("%s: got %s, %v", format, showAll(got), err)
		}
	}
	r := newReader(t, &scriptedReader{pieces: make([]string, 1000)}, `%v\n`, noLimit)
	if _, err := r.Next(); err != io.ErrNoProgress {
		t.Errorf("an input that gives nothing: %v", err)
	}
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	for _, format := range []string{`%v\n`, `%V %v\n`, `%k\t%v\n`} {
		line := func(v string) string {
			switch format {
			case `%V %v\n`:
				return fmt.Sprintf("%d %s\n", len(v), v)
			case `%k\t%v\n`:
				return "\t" + v + "\n"
			}
			return v + "\n"
		}
		input := line("short") + line(long) + line("short") + line(long+long)
		r := newReader(t, strings.NewReader(input), format, 20<<20)
		for i, want := range []string{"short", long, "short", long + long} {
			if rec, err := r.Next(); err != nil || string(rec.Value) != want {
				t.Errorf("%s, record %d: %d bytes, %v; want %d", format, i, len(rec.Value), err, len(want))
			}
		}
	}
}

// endless gives the same byte for ever and counts.
type endless struct{ given int64 }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	e.given += int64(len(b))
	return len(b), nil
}

func TestTooLarge(t *testing.T) {
	const limit = 1 << 20
	tests := []struct {
		format, before, after string
		maxRead               int64
	}{
		{`%v\n`, "one\n", "", limit + 640<<10},
		{`%k\t%v\n`, "one\tv\n", "\t", limit + 640<<10},
		{`%v`, "", "", limit + 640<<10},
		{`%V %v\n`, "3 one\n", "2000000 ", 512 << 10},
		{`%V{big64}%v`, "\x00\x00\x00\x00\x00\x00\x00\x03one", "\xff\xff\xff\xff\xff\xff\xff\xff", 512 << 10},
		{`%v{hex}\n`, "6f\n", "", 2*limit + 640<<10},
		{`json`, "{\"value\":\"one\"}\n", `{"value":"`, 6*limit + 640<<10},
		{`%v{json}`, "[]\n", `"`, 6*limit + 640<<10},
	}
	for _, tt := range tests {
		tail := &endless{}
		r := newReader(t, io.MultiReader(strings.NewReader(tt.before+tt.after), tail), tt.format, limit)
		want := int64(1)
		if tt.before != "" {
			if _, err := r.Next(); err != nil {
				t.Errorf("%s: %v before the large record", tt.format, err)
			}
			want = 2
		}
		_, err := r.Next()
		var tooLarge *recordfmt.TooLargeError
		if !errors.As(err, &tooLarge) || tooLarge.Record != want || tooLarge.Max != limit {
			t.Errorf("%s: got %v, want record %d to be too large", tt.format, err, want)
		}
		if tail.given > tt.maxRead {
			t.Errorf("%s: read %d bytes for a limit of %d", tt.format, tail.given, limit)
		}
	}
}

// The limit is exact, and counts what the record holds, not how it is spelled.
func TestTooLargeIsExact(t *testing.T) {
	const limit = 1000
	fits := segment.Record{Key: []byte("key"), Value: bytes.Repeat([]byte("v"), 990), Headers: []segment.Header{{Key: "head", Value: []byte("val")}}}
	for _, format := range []string{`json`, `%H %h{%k=%v,}%k\t%v\n`, `%H %h{%k=%v,}%k{hex}\t%v{base64}\n`} {
		f, err := recordfmt.Compile(format)
		if err != nil {
			t.Fatal(err)
		}
		over := fits
		over.Value = append(fits.Value[:990:990], 'v')
		input := f.AppendTo(f.AppendTo(nil, &fits), &over)
		r := newReader(t, bytes.NewReader(input), format, limit)
		batch, err := r.ReadBatch(nil, 0, 0)
		if len(batch) != 1 || err != nil {
			t.Errorf("%s: %d records, %v", format, len(batch), err)
		}
		var tooLarge *recordfmt.TooLargeError
		if _, err := r.Next(); !errors.As(err, &tooLarge) || tooLarge.Record != 2 {
			t.Errorf("%s: %v for a record of one byte too many", format, err)
		}
	}
	r := newReader(t, strings.NewReader("a\nbb\nccc\n"), `%v\n`, 2)
	if batch, err := r.ReadBatch(nil, 0, 0); showAll(batch) != `-="a" -="bb"` || err != nil {
		t.Errorf("lines: %s, %v", showAll(batch), err)
	}
	if _, err := r.ReadBatch(nil, 0, 0); err == nil || err.Error() != "record 3 of the input is larger than 2 bytes" {
		t.Errorf("lines: %v", err)
	}
}

// However the input is cut into pieces, the records are the same.
func TestPiecesDoNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var input []byte
	var want []string
	for i := range 3000 {
		line := strings.Repeat(string(rune('a'+i%26)), rng.IntN(400))
		input = append(append(input, line...), '\n')
		want = append(want, line)
	}
	for range 20 {
		var pieces []string
		for rest := string(input); rest != ""; {
			n := min(1+rng.IntN(1<<rng.IntN(19)), len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		r := newReader(t, &scriptedReader{pieces: pieces, err: io.EOF}, `%v\n`, noLimit)
		var got []string
		var batch []segment.Record
		var err error
		for err == nil {
			if batch, err = r.ReadBatch(batch[:0], rng.IntN(100), rng.IntN(1<<16)); rng.IntN(2) == 0 {
				r.Buffered()
			}
			for _, rec := range batch {
				got = append(got, string(rec.Value))
			}
		}
		if err != io.EOF || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%d of %d records, %v", len(got), len(want), err)
		}
	}
}

func TestLinesAllocateNothing(t *testing.T) {
	line := strings.Repeat("x", 100) + "\n"
	r := newReader(t, &repeated{text: []byte(strings.Repeat(line, 1000))}, `%v\n`, noLimit)
	batch := make([]segment.Record, 0, 10000)
	if n := testing.AllocsPerRun(100, func() { batch, _ = r.ReadBatch(batch[:0], 0, 0) }); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

// repeated gives its text over and over.
type repeated struct {
	text []byte
	at   int
}

func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func BenchmarkReadBatch(b *testing.B) {
	value := strings.Repeat("x", 100)
	for _, bb := range []struct{ format, record string }{
		{`%v\n`, value + "\n"},
		{`%k\t%v\n`, "key-1234\t" + value + "\n"},
		{`%V{big32}%v`, "\x00\x00\x00\x64" + value},
		{`%v{hex}\n`, strings.Repeat("6", 200) + "\n"},
		{`json`, `{"offset":12,"time":1767539045678,"key":"k","value":"` + value + `","headers":[]}` + "\n"},
	} {
		b.Run(bb.format, func(b *testing.B) {
			r := newReader(b, &repeated{text: []byte(strings.Repeat(bb.record, 5000))}, bb.format, noLimit)
			var batch []segment.Record
			var err error
			b.SetBytes(int64(len(bb.record)))
			b.ReportAllocs()
			for n := 0; n < b.N; n += len(batch) {
				if batch, err = r.ReadBatch(batch[:0], 1000, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
