package reader_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
)

func TestReadFromEveryOffset(t *testing.T) {
	const n = 700
	dir, w := newLog(t)
	// Batches of one to four, so that most offsets lie within a batch.
	for i := 0; i < n; {
		var batch []string
		for range 1 + i%4 {
			batch = append(batch, numberedText(i+len(batch)))
		}
		appendTexts(t, w, batch...)
		i += len(batch)
	}
	src := openSource(t, dir)
	end, err := src.End()
	if err != nil || end < n {
		t.Fatal(end, err)
	}
	indexes := map[string]func(){
		"with indexes": func() {},
		"without indexes": func() {
			for _, base := range bases(t, dir) {
				if err := os.Remove(dir.Index(base)); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
		},
	}
	for _, name := range []string{"with indexes", "without indexes"} {
		t.Run(name, func(t *testing.T) {
			indexes[name]()
			for offset := range end {
				r := newReader(t, src, following(offset))
				wantNext(t, r, offset, numberedText(int(offset)))
				r.Close()
			}
			wantNothing(t, newReader(t, src, following(end)))
		})
	}
}

func TestOffsetOutOfRange(t *testing.T) {
	dir, w := newLog(t)
	appendTexts(t, w, "a", "b")
	src := openSource(t, dir)
	for _, offset := range []int64{-1, 3, 1 << 40} {
		_, err := reader.NewReader(src, following(offset))
		var bad *reader.RangeError
		if !errors.As(err, &bad) || *bad != (reader.RangeError{Requested: offset, Start: 0, End: 2}) {
			t.Errorf("offset %d gave %v", offset, err)
		}
	}
	r := newReader(t, src, following(1))
	if err := r.SeekTo(7); !errors.Is(err, reader.ErrOutOfRange) {
		t.Errorf("seek gave %v", err)
	}
	wantNext(t, r, 1, "b") // it stands where it stood
}

func TestBound(t *testing.T) {
	dir, w := newLog(t)
	appendTexts(t, w, "a", "b", "c", "d")
	r := newReader(t, openSource(t, dir), reader.Options{From: 1, Until: 3})
	wantNext(t, r, 1, "b")
	wantNext(t, r, 2, "c")
	var rec segment.Record
	for range 2 {
		if _, err := r.TryNext(&rec); !errors.Is(err, io.EOF) {
			t.Errorf("behind the bound: %v", err)
		}
	}
}

func TestOffsetAtTime(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 900)
	src := openSource(t, dir)
	r := newReader(t, src, following(0))
	times := make([]time.Time, 900)
	var rec segment.Record
	for i := range times {
		if ok, err := r.TryNext(&rec); !ok || err != nil {
			t.Fatal(ok, err)
		}
		times[i] = rec.Time
	}
	for i, at := range times {
		want, _ := slices.BinarySearchFunc(times, at, time.Time.Compare) // the first of equals
		if got, err := src.OffsetAt(at); got != int64(want) || err != nil {
			t.Fatalf("the time of offset %d leads to offset %d (%v), want %d", i, got, err, want)
		}
	}
	if got, err := src.OffsetAt(times[0].Add(-time.Hour)); got != 0 || err != nil {
		t.Errorf("a time before the log leads to offset %d, %v", got, err)
	}
	if got, err := src.OffsetAt(times[899].Add(1)); got != 900 || err != nil {
		t.Errorf("a time behind the log leads to offset %d, %v", got, err)
	}
}

// An index is never believed: one that lies costs time and nothing else.
func TestWrongIndex(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 700)
	w.Close()
	src := openSource(t, dir)
	for _, base := range bases(t, dir)[:2] {
		data, err := os.ReadFile(dir.Index(base))
		if err != nil {
			t.Fatal(err)
		}
		for i := 64; i < len(data); i++ {
			data[i] ^= byte(i)
		}
		if err := os.WriteFile(dir.Index(base), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for offset := int64(0); offset < 700; offset += 7 {
		r := newReader(t, src, following(offset))
		wantNext(t, r, offset, numberedText(int(offset)))
		r.Close()
	}
}

func TestReaderOfLogWithoutRecords(t *testing.T) {
	dir, w := newLog(t)
	src := openSource(t, dir)
	r := newReader(t, src, following(0))
	wantNothing(t, r)
	appendTexts(t, w, "a")
	wantNext(t, r, 0, "a")
}

// Retention takes the segment that a reader has read up to the end of.
func TestPlaceGoneByRetention(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 700)
	src := openSource(t, dir)
	all := bases(t, dir)
	if len(all) < 3 {
		t.Fatal(all)
	}
	r := newReader(t, src, following(0))
	wantNext(t, r, 0, numberedText(0))
	for _, base := range all[:2] {
		if err := os.Remove(dir.Segment(base)); err != nil {
			t.Fatal(err)
		}
	}
	// What is mapped stays readable to its end.
	for offset := int64(1); offset < all[1]; offset++ {
		wantNext(t, r, offset, numberedText(int(offset)))
	}
	var rec segment.Record
	_, err := r.TryNext(&rec)
	var gone *reader.RangeError
	if !errors.As(err, &gone) || *gone != (reader.RangeError{Requested: all[1], Start: all[2], End: 700}) {
		t.Fatalf("a reader whose place is gone got %v", err)
	}
	if err := r.SkipDamage(); err != nil {
		t.Fatal(err)
	}
	wantNext(t, r, all[2], numberedText(int(all[2])))
}

func ExampleRangeError() {
	fmt.Println(&reader.RangeError{Requested: 3, Start: 10, End: 20})
	fmt.Println(&reader.RangeError{Requested: 30, Start: 10, End: 20})
	// Output:
	// offset 3 is gone: the log starts at offset 10
	// offset 30 is not there yet: the log ends at offset 20
}

// Producers roll and retention drops segments as fast as they can, while somebody
// asks where the log ends and reads what is there.
func TestEndWhileRetentionFollowsTheRolls(t *testing.T) {
	dir, w := newLog(t)
	meta := readMeta(t, dir)
	if err := dir.WriteRetention(&meta, layout.Retention{Bytes: smallest}); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				appendTexts(t, w, strings.Repeat("x", 50_000))
			}
		}
	}()
	src := openSource(t, dir)
	last := int64(0)
	for range 3000 {
		end, err := src.End()
		if err != nil || end < last {
			t.Errorf("the end is %d after %d, error %v", end, last, err)
			break
		}
		last = end
	}
	close(stop)
	<-done
}
