package log_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	mlog "github.com/seed27ccf144/mlog/log"
)

// aThird is a value of which three fit the smallest segment.
func aThird(t *testing.T, l *mlog.Log) string {
	t.Helper()
	return string(make([]byte, l.MaxRecordBytes()/3-32))
}

// thirteen makes a log of four full segments, of three records each, and one more.
func thirteen(t *testing.T, opts mlog.Options) *mlog.Log {
	t.Helper()
	l, w := openLog(t, t.TempDir(), opts)
	for range 13 {
		mustAppend(t, w, aThird(t, l))
	}
	return l
}

func wantTrimmed(t *testing.T, l *mlog.Log, opts mlog.TrimOptions, segments int, start int64) {
	t.Helper()
	got, err := l.Trim(context.Background(), opts)
	want := mlog.TrimResult{Segments: segments, Bytes: int64(segments) * l.SegmentBytes(), StartOffset: start}
	if most := int64(layout.MostSpares) * l.SegmentBytes(); got.Freed < got.Bytes-most || got.Freed > got.Bytes+most {
		t.Errorf("trim freed %d of %d bytes", got.Freed, got.Bytes)
	}
	want.Freed = got.Freed // where a spare is being made in the background nobody can say
	if got != want || err != nil {
		t.Errorf("trim: %+v, %v; want %+v", got, err, want)
	}
}

func TestTrim(t *testing.T) {
	l := thirteen(t, mlog.Options{Retention: mlog.Retention{Age: time.Hour}})
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.Start()}, 0, 0)
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(0)}, 0, 0)
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(5)}, 1, 3)
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(1)}, 0, 3) // before the start there is nothing to do
	wantTrimmed(t, l, mlog.TrimOptions{Keep: mlog.Retention{Bytes: 3 * l.SegmentBytes()}}, 1, 6)
	wantTrimmed(t, l, mlog.TrimOptions{Keep: mlog.Retention{Age: time.Hour}}, 0, 6)
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(6), Keep: mlog.Retention{Bytes: 2 * l.SegmentBytes()}}, 1, 9)
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.End()}, 1, 12)
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(13)}, 0, 12)
	if r, err := l.Retention(); r != (mlog.Retention{Age: time.Hour}) || err != nil {
		t.Errorf("the stored retention is %+v, %v", r, err)
	}
}

func TestTrimRefuses(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	if _, err := l.Trim(context.Background(), mlog.TrimOptions{}); err == nil {
		t.Error("it was not said what to drop")
	}
	if _, err := l.Trim(context.Background(), mlog.TrimOptions{Keep: mlog.Retention{Bytes: -1}}); err == nil {
		t.Error("a negative size was taken")
	}
	var outside *mlog.RangeError
	_, err := l.Trim(context.Background(), mlog.TrimOptions{Before: mlog.At(14), Keep: mlog.Retention{Age: 1}})
	if !errors.As(err, &outside) || *outside != (mlog.RangeError{Requested: 14, Start: 0, End: 13}) {
		t.Errorf("past the end: %v", err)
	}
	l.Close()
	if _, err := l.Trim(context.Background(), mlog.TrimOptions{Before: mlog.End()}); !errors.Is(err, mlog.ErrClosed) {
		t.Errorf("of a closed log: %v", err)
	}
}

// Times go by the append times. Those that nanoseconds cannot express lie before or
// behind all records, and not somewhere else.
func TestTrimByTime(t *testing.T) {
	l, w := openLog(t, t.TempDir(), mlog.Options{})
	value := aThird(t, l)
	for range 6 {
		mustAppend(t, w, value)
	}
	time.Sleep(time.Millisecond)
	middle := time.Now()
	for range 4 {
		mustAppend(t, w, value)
	}
	for _, ancient := range []int{1, 1500, 1677} {
		wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.AtTime(time.Date(ancient, 1, 1, 0, 0, 0, 0, time.UTC))}, 0, 0)
	}
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.AtTime(middle)}, 2, 6)
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.AtTime(time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC))}, 1, 9)
}

// A log that an earlier boot left may end before its readers think it does. So it
// is recovered before anything is counted.
func TestTrimAfterReboot(t *testing.T) {
	dir := t.TempDir()
	l, w := openLog(t, dir, mlog.Options{})
	value := aThird(t, l)
	for range 7 {
		mustAppend(t, w, value)
	}
	l.Close()
	if err := os.Remove(filepath.Join(dir, "control")); err != nil {
		t.Fatal(err)
	}
	again, err := mlog.Open(dir, mlog.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	wantTrimmed(t, again, mlog.TrimOptions{Before: mlog.End()}, 2, 6)
	info, err := again.Info()
	if err != nil || info.Producers != 1 || info.DurableOffset != 7 || info.EndOffset != 7 {
		t.Errorf("%+v, %v", info, err)
	}
}

// A reader keeps the segment that it is in, whole, and is told of what is gone
// behind it.
func TestReaderInATrimmedSegment(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	r, err := l.Reader(mlog.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next := func(want int64) {
		t.Helper()
		if rec, err := r.Next(context.Background()); err != nil || rec.Offset != want {
			t.Fatalf("offset %d, %v; want %d", rec.Offset, err, want)
		}
	}
	next(0)
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(9)}, 3, 9)
	next(1)
	next(2)
	var outside *mlog.RangeError
	if _, err := r.Next(context.Background()); !errors.As(err, &outside) || *outside != (mlog.RangeError{Requested: 3, Start: 9, End: 13}) {
		t.Fatalf("behind its segment: %v", err)
	}
	if err := r.SkipDamage(); err != nil {
		t.Fatal(err)
	}
	next(9)
}

// Damage hides where the log ends. What lies before it can be trimmed all the same.
func TestTrimBeforeDamage(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	w, err := l.Writer(mlog.WriterOptions{})
	if err == nil {
		err = w.Sync(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(l.Dir(), "00000000000000000012.seg"), 10_000); err != nil {
		t.Fatal(err)
	}
	if _, err := l.EndOffset(); !errors.Is(err, mlog.ErrDamaged) {
		t.Fatalf("the end: %v", err)
	}
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(7)}, 2, 6)
	if _, err := l.Trim(context.Background(), mlog.TrimOptions{Before: mlog.End()}); !errors.Is(err, mlog.ErrDamaged) {
		t.Errorf("before an end that nobody knows: %v", err)
	}
}

// A place that the caller did not name as a number may be gone as soon as it has been looked
// up. What is left of the records that were meant is where reading begins.
func TestPlacesThatRetentionOvertakes(t *testing.T) {
	dir := t.TempDir()
	l, w := openLog(t, dir, mlog.Options{})
	value := aThird(t, l)
	for range 300 {
		mustAppend(t, w, value)
	}
	if err := l.Close(); err != nil { // a producer looks too
		t.Fatal(err)
	}
	l, err := mlog.Open(dir, mlog.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	idle, err := l.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	logtest.DropAfterEachLook(t, layout.Dir(dir))
	oldest := func() int64 { return logtest.Row(t, layout.Dir(dir))[0] }
	for _, from := range []mlog.Position{{}, mlog.Start(), mlog.AtTime(time.Unix(0, 0))} {
		first := oldest()
		if err := idle.Seek(from); err != nil {
			t.Fatalf("seek to %+v: %v", from, err)
		}
		if rec, err := idle.Next(context.Background()); rec.Offset < first || err != nil {
			t.Errorf("seek to %+v: offset %d, %v; the log began at %d", from, rec.Offset, err, first)
		}
		first = oldest()
		r, err := l.Reader(mlog.ReaderOptions{From: from})
		if err != nil {
			t.Fatalf("from %+v: %v", from, err)
		}
		defer r.Close()
		if rec, err := r.Next(context.Background()); rec.Offset < first || err != nil {
			t.Errorf("from %+v: offset %d, %v; the log began at %d", from, rec.Offset, err, first)
		}
	}
	var outside *mlog.RangeError
	if _, err := l.Reader(mlog.ReaderOptions{From: mlog.At(0)}); !errors.As(err, &outside) || outside.Requested != 0 {
		t.Errorf("the offset that was named was not said to be gone: %v", err)
	}
}

// A time is looked up in a list of segments all of which retention drops before they are opened:
// it is not the log's end for that.
func TestTimeInALogThatIsReplaced(t *testing.T) {
	dir := t.TempDir()
	l, w := openLog(t, dir, mlog.Options{Retention: mlog.Retention{Bytes: 128 << 10}})
	row := func() []int64 { return logtest.Row(t, layout.Dir(dir)) }
	value := aThird(t, l)
	for range 30 {
		mustAppend(t, w, value)
	}
	other, err := mlog.Open(dir, mlog.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var armed atomic.Bool
	defer seam.Watch(dir, func(c seam.Call, do func() error) error {
		err := do()
		if c.Op == "getdents" && armed.Swap(false) {
			listed := row()
			for row()[0] <= listed[len(listed)-1] { // the test's own time-out is the bound
				for range 3 {
					mustAppend(t, w, value)
				}
				time.Sleep(time.Millisecond)
			}
		}
		return err
	})()
	// What else lists the directory is over by now: the keeper has dropped what it can.
	for len(row()) > 2 {
		time.Sleep(time.Millisecond)
	}
	armed.Store(true)
	r, err := other.Reader(mlog.ReaderOptions{From: mlog.AtTime(time.Unix(0, 0))})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if start, err := other.StartOffset(); err != nil || r.Offset() > start {
		t.Errorf("a reader from 1970 begins at offset %d; the log begins at %d, %v", r.Offset(), start, err)
	}
}
