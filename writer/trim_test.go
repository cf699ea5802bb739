package writer_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// rows makes a log of n full segments, of three records each, and one more with a
// record in it.
func rows(t *testing.T, n int) (layout.Dir, *writer.Writer) {
	t.Helper()
	dir := newLog(t)
	w := openWriter(t, dir)
	for range 3*n + 1 {
		mustAppend(t, w, big("x"))
	}
	return dir, w
}

func wantFirst(t *testing.T, dir layout.Dir, want int64) {
	t.Helper()
	if bases, err := dir.Segments(); err != nil || bases[0] != want {
		t.Errorf("segments %v, %v; want %d first", bases, err, want)
	}
}

func TestTrim(t *testing.T) {
	tests := map[string]struct {
		limits writer.Limits
		first  int64 // of segments 0, 3, 6, 9 and 12
	}{
		"nothing asked":            {writer.Limits{}, 0},
		"before the start":         {writer.Limits{Before: -5}, 0},
		"within the first segment": {writer.Limits{Before: 2}, 0},
		"just the first segment":   {writer.Limits{Before: 3}, 3},
		"within the third":         {writer.Limits{Before: 8}, 6},
		"up to the last":           {writer.Limits{Before: 12}, 12},
		"the last one too":         {writer.Limits{Before: 13}, 12},
		"past everything":          {writer.Limits{Before: 1 << 60}, 12},
		"bytes of two":             {writer.Limits{Retention: layout.Retention{Bytes: 2 * smallest}}, 9},
		"bytes of less than one":   {writer.Limits{Retention: layout.Retention{Bytes: 1}}, 12},
		"age of an hour":           {writer.Limits{Retention: layout.Retention{Age: time.Hour}}, 0},
		"age of a nanosecond":      {writer.Limits{Retention: layout.Retention{Age: 1}}, 12},
		"the more of two":          {writer.Limits{Before: 3, Retention: layout.Retention{Bytes: 2 * smallest}}, 9},
		"the other of two":         {writer.Limits{Before: 9, Retention: layout.Retention{Bytes: 4 * smallest, Age: time.Hour}}, 9},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir, w := rows(t, 4)
			dropped, _, err := w.Trim(context.Background(), test.limits)
			if int64(dropped) != test.first/3 || err != nil {
				t.Errorf("%d segments were dropped, %v", dropped, err)
			}
			wantFirst(t, dir, test.first)
			if again, _, err := w.Trim(context.Background(), test.limits); again != 0 || err != nil {
				t.Errorf("the second time %d segments were dropped, %v", again, err)
			}
			if base := mustAppend(t, w, "next"); base != 13 {
				t.Errorf("the next record has offset %d", base)
			}
			if got := readAll(t, dir); int64(len(got)) != 14-test.first {
				t.Errorf("%d records are left from %d on", len(got), test.first)
			}
		})
	}
}

// A producer that has been idle has a dropped segment mapped, and goes on in the
// one that is in use now.
func TestProducerIdleInATrimmedSegment(t *testing.T) {
	dir := newLog(t)
	idle := openWriter(t, dir)
	mustAppend(t, idle, big("x"))
	w := openWriter(t, dir)
	for range 9 {
		mustAppend(t, w, big("x"))
	}
	if n, _, err := w.Trim(context.Background(), writer.Limits{Before: 9}); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if base := mustAppend(t, idle, "y"); base != 10 {
		t.Errorf("it appended at %d", base)
	}
	if err := idle.SyncAll(context.Background()); err != nil {
		t.Error(err)
	}
}

// A producer died in a roll, after the end marker: the word that names the segment
// in use still names the one before, and repair begins there.
func TestTrimAfterDeathInARoll(t *testing.T) {
	dir, w := rows(t, 3)
	mustAppend(t, w, big("x"))
	mustAppend(t, w, big("x")) // now the last segment is full
	holder := startChild(t, nil, "hold", string(dir), "sealed", "hang", big("y"))
	holder.expect("held")
	holder.kill()
	if n, _, err := w.Trim(context.Background(), writer.Limits{Before: 1 << 60}); n != 3 || err != nil {
		t.Errorf("%d segments were dropped, %v", n, err)
	}
	wantFirst(t, dir, 9)
	if base := mustAppend(t, w, "z"); base != 12 {
		t.Errorf("the next record has offset %d", base)
	}
}

// Another process removed the first segment just now, and its sync of that has not
// returned. Were the next one removed at once, a power loss could bring back the
// first without it. Where no other removed any since this one did, nothing is to be
// synced again.
func TestTrimSyncsRemovalsOfOthersFirst(t *testing.T) {
	dir := newLog(t)
	openWriter(t, dir).Close()
	var mu sync.Mutex
	var firsts []int64 // the first segment at each sync of the directory
	w := openWatched(t, dir, 0, func(what string, sync func() error) error {
		if bases, err := dir.Segments(); err == nil && what == "names" {
			mu.Lock()
			firsts = append(firsts, bases[0])
			mu.Unlock()
		}
		return sync()
	})
	for range 28 {
		mustAppend(t, w, big("x"))
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name    string
		removed []int64 // by others, in the meantime
		before  int64
		want    []int64
	}{
		{"another process removed one, of which this one saw nothing", []int64{0}, 9, []int64{3, 6, 9}},
		{"only this one removed any", nil, 12, []int64{12}},
		{"only this one, several", nil, 18, []int64{15, 18}},
		{"another one went on", []int64{18}, 24, []int64{21, 24}},
	}
	for _, step := range steps {
		for _, base := range step.removed {
			if err := os.Remove(dir.Segment(base)); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		firsts = nil
		mu.Unlock()
		if _, _, err := w.Trim(context.Background(), writer.Limits{Before: step.before}); err != nil {
			t.Fatal(step.name, err)
		}
		mu.Lock()
		if !slices.Equal(firsts, step.want) {
			t.Errorf("%s: the directory was synced while the first segments were %v, want %v", step.name, firsts, step.want)
		}
		mu.Unlock()
	}
}

// Nobody ever synced, and no file proves by itself that nobody did: the segment that
// is to be first is synced before another goes.
func TestTrimSyncsWhatIsToBeFirst(t *testing.T) {
	dir := newLog(t)
	noSpares(t, dir)
	r := &recorder{dir: dir, meta: readMeta(t, dir)}
	w := openWatched(t, dir, 0, r.around)
	for range 7 {
		mustAppend(t, w, big("x"))
	}
	r.taken()
	if n, _, err := w.Trim(context.Background(), writer.Limits{Before: 3}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	syncs := r.taken()
	synced := slices.IndexFunc(syncs, func(s string) bool { return strings.HasPrefix(s, "data 3,") })
	named := slices.IndexFunc(syncs, func(s string) bool { return strings.HasPrefix(s, "names,") && strings.Contains(s, " 0:") })
	gone := slices.IndexFunc(syncs, func(s string) bool { return !strings.Contains(s, ": 0:") })
	if synced < 0 || named < synced || gone < named || !strings.HasPrefix(syncs[gone], "names,") {
		t.Errorf("segment 3 was synced at %d, its name at %d, segment 0 was gone at %d, of the syncs\n\t%s", synced, named, gone, strings.Join(syncs, "\n\t"))
	}
}

// noSpares keeps everybody from making or recycling files for the next segments.
func noSpares(t *testing.T, dir layout.Dir) {
	t.Helper()
	t.Cleanup(lockSpares(t, dir).Release)
	for i := range layout.MostSpares {
		_ = os.Remove(dir.SpareAt(i))
	}
}

// lockSpares takes the lock of who makes spares, when nobody is at it any more.
func lockSpares(t *testing.T, dir layout.Dir) *filelock.Lock {
	t.Helper()
	lock, err := filelock.Exclusive(context.Background(), dir.SpareLock(), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// Four processes trim at once, as far as one process can play them: none fails, and
// each segment is dropped by one of them.
func TestTrimsAtOnce(t *testing.T) {
	dir, w := rows(t, 20)
	if total := trimAtOnce(t, dir); total != 20 {
		t.Errorf("%d segments were dropped, want 20", total)
	}
	wantFirst(t, dir, 60)
	for range 3 {
		mustAppend(t, w, big("x"))
	}
	readAll(t, dir)
}

// The same beside one that appends and retains. How many segments that one drops
// before the others do is not told.
func TestTrimsBesideRetention(t *testing.T) {
	dir, w := rows(t, 20)
	setRetention(t, dir, layout.Retention{Bytes: 15 * smallest})
	mustAppend(t, w, big("x"))
	mustAppend(t, w, big("x"))
	mustAppend(t, w, big("x")) // which rolls, and so has the keeper drop the oldest
	if total := trimAtOnce(t, dir); total > 21 {
		t.Errorf("%d segments were dropped of 21", total)
	}
	wantFirst(t, dir, 63)
	if base := mustAppend(t, w, "next"); base != 64 {
		t.Errorf("the next record has offset %d", base)
	}
	readAll(t, dir)
}

// trimAtOnce has four producers trim, two by offset and two by age, and returns how
// many segments they say that they removed.
func trimAtOnce(t *testing.T, dir layout.Dir) (total int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 4 {
		other := openWriter(t, dir)
		wg.Go(func() {
			limits := writer.Limits{Before: 57}
			if i%2 == 0 {
				limits = writer.Limits{Retention: layout.Retention{Age: 1}} // which looks into the next segment
			}
			n, _, err := other.Trim(context.Background(), limits)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	wg.Wait()
	return total
}

// The age of a segment is told by the header of the next one. The other limits
// need no header, so a log with a bad one can be trimmed.
func TestTrimBesideADamagedSegment(t *testing.T) {
	dir, w := rows(t, 4)
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	logtest.Overwrite(t, dir, 6, 0, make([]byte, segment.HeaderBytes))
	n, _, err := w.Trim(context.Background(), writer.Limits{Retention: layout.Retention{Age: 1}})
	if n != 1 || err == nil || !strings.Contains(err.Error(), layout.SegmentName(3)) {
		t.Errorf("by age %d segments were dropped, %v", n, err)
	}
	if n, _, err := w.Trim(context.Background(), writer.Limits{Before: 9}); n != 2 || err != nil {
		t.Errorf("%d segments were dropped, %v", n, err)
	}
	wantFirst(t, dir, 9)
}

func TestTrimThatIsGivenUp(t *testing.T) {
	dir, w := rows(t, 4)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	all := writer.Limits{Before: 12}
	if n, _, err := w.Trim(ctx, all); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %d, %v", n, err)
	}
	w.Close()
	if n, _, err := w.Trim(context.Background(), all); n != 0 || !errors.Is(err, writer.ErrClosed) {
		t.Errorf("of a closed writer: %d, %v", n, err)
	}
	wantFirst(t, dir, 0)
}

// Close ends a Trim that is under way, between two segments.
func TestCloseUnderTrim(t *testing.T) {
	dir := newLog(t)
	openWriter(t, dir).Close()
	trimming, closing, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var once sync.Once
	began := func() {}
	w := openWatched(t, dir, 0, func(what string, sync func() error) error {
		if what == "names" {
			began()
		}
		return sync()
	})
	for range 13 {
		mustAppend(t, w, big("x"))
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	began = func() {
		once.Do(func() {
			close(trimming)
			<-closing
		})
	}
	go func() {
		<-trimming
		go func() {
			w.Close()
			close(closed)
		}()
		for { // until the writer is being closed
			if _, err := w.Append(context.Background(), values("y")); errors.Is(err, writer.ErrClosed) {
				break
			}
		}
		close(closing)
	}()
	n, _, err := w.Trim(context.Background(), writer.Limits{Before: 12})
	if n != 1 || !errors.Is(err, writer.ErrClosed) {
		t.Errorf("%d segments were dropped, %v; want one and then ErrClosed", n, err)
	}
	<-closed // a second Close would not wait for the first
	readAll(t, dir)
}
