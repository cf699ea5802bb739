package wake

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/futex"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// offNews is a word of the wake file that nothing uses. In the tests it stands
// for what consumers wait for: a count of events.
const offNews = 2048

// TestMain makes the test binary a producer when a test asks for it: it counts
// up the news and signals, each time all consumers have seen the one before.
func TestMain(m *testing.M) {
	if dir := os.Getenv("WAKE_TEST_PRODUCE"); dir != "" {
		f, err := Open(layout.Dir(dir))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for range rounds {
			time.Sleep(200 * time.Microsecond)
			news(f).Add(1)
			f.Signal()
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const rounds = 300

func news(f *File) *atomic.Uint64 { return mapping.Uint64(f.m.Bytes(), offNews) }

func newDir(t *testing.T) layout.Dir {
	t.Helper()
	d := layout.Dir(t.TempDir())
	if err := d.CreateWake(0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func open(t *testing.T, d layout.Dir) *File {
	t.Helper()
	f, err := Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// follow waits until the news have come to the count end, and returns how many
// waits were as long as only the backstop makes them.
func follow(ctx context.Context, r *Room, count *atomic.Uint64, end uint64) (late int, err error) {
	for {
		seen := count.Load()
		if seen >= end {
			return late, nil
		}
		before := time.Now()
		if err := r.Wait(ctx, func() bool { return count.Load() != seen }); err != nil {
			return late, err
		}
		if time.Since(before) > Backstop*9/10 {
			late++
		}
	}
}

// TestNoLostWakeUp: producers in this process and in others, many waiters behind
// several rooms as if of several processes. A wake-up that is lost costs the
// backstop, which is far longer than the pauses between events.
func TestNoLostWakeUp(t *testing.T) {
	if !futex.Native {
		t.Skip("waits are polls here")
	}
	d := newDir(t)
	const rooms, waiters, processes = 3, 20, 2
	var wg sync.WaitGroup
	var late atomic.Int64
	for range rooms {
		f := open(t, d)
		room := NewRoom(f)
		for range waiters {
			wg.Go(func() {
				n, err := follow(context.Background(), room, news(f), (processes+1)*rounds)
				if err != nil {
					t.Error(err)
				}
				late.Add(int64(n))
			})
		}
	}
	for range processes {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "WAKE_TEST_PRODUCE="+string(d), "GORACE=atexit_sleep_ms=0")
		wg.Go(func() {
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	f := open(t, d)
	for range rounds {
		time.Sleep(200 * time.Microsecond)
		news(f).Add(1)
		f.Signal()
	}
	wg.Wait()
	if n := late.Load(); n > 0 {
		t.Errorf("%d waits lasted until the backstop: wake-ups were lost", n)
	}
}

// TestSignalNeedsTheFlag: a producer stores nothing while nobody sleeps, and one
// of several lowers the flag and counts.
func TestSignalNeedsTheFlag(t *testing.T) {
	f := open(t, newDir(t))
	f.Signal()
	if got := f.sequence.Load(); got != 0 {
		t.Errorf("sequence is %d without a raised flag", got)
	}
	f.raise()
	f.raise()
	f.Signal()
	f.Signal()
	if got := f.sequence.Load(); got != 1 || f.flag.Load() != 0 {
		t.Errorf("sequence is %d, flag %d; want 1 and 0", got, f.flag.Load())
	}
	f.SignalAlways()
	if got := f.sequence.Load(); got != 2 {
		t.Errorf("sequence is %d, want 2", got)
	}
}

// TestReadyIsAskedWithTheFlagUp: the last look comes after the flag, or a commit
// between the two would go unseen.
func TestReadyIsAskedWithTheFlagUp(t *testing.T) {
	f := open(t, newDir(t))
	asked := false
	err := NewRoom(f).Wait(context.Background(), func() bool {
		asked = f.flag.Load() == 1
		return true
	})
	if !asked || err != nil {
		t.Errorf("asked with the flag up: %v, %v", asked, err)
	}
}

// TestCommitBehindTheLastLook: what comes between the last look and the sleep
// ends the sleep, for the sleeper and for one who follows.
func TestCommitBehindTheLastLook(t *testing.T) {
	if !futex.Native {
		t.Skip("waits are polls here")
	}
	f := open(t, newDir(t))
	room := NewRoom(f)
	commit := func() bool {
		f.Signal() // nothing was there when we looked; the commit is behind that
		return false
	}
	before := time.Now()
	if err := room.Wait(context.Background(), commit); err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took > Backstop/2 {
		t.Errorf("the sleeper woke after %v", took)
	}
	asleep := make(chan error)
	go func() { asleep <- room.Wait(context.Background(), never) }()
	for !sleeping(room) {
		time.Sleep(time.Millisecond)
	}
	before = time.Now()
	if err := room.Wait(context.Background(), commit); err != nil {
		t.Error(err)
	}
	if err := <-asleep; err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took > Backstop/2 {
		t.Errorf("one who followed woke after %v", took)
	}
}

func never() bool { return false }

func TestCancelWakesAtOnce(t *testing.T) {
	room := NewRoom(open(t, newDir(t)))
	for name, others := range map[string]int{"the sleeper": 0, "one who follows": 1} {
		for range others {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() {
				for room.Wait(ctx, never) == nil {
				}
			}()
			for !sleeping(room) {
				time.Sleep(time.Millisecond)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		before := time.Now()
		if err := room.Wait(ctx, never); err != context.Canceled {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(before); took > Backstop*3/4 {
			t.Errorf("%s: took %v", name, took)
		}
		if err := room.Wait(ctx, never); err != context.Canceled {
			t.Errorf("%s, cancelled before: %v", name, err)
		}
	}
}

func sleeping(r *Room) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sleeping
}

func TestDeadline(t *testing.T) {
	room := NewRoom(open(t, newDir(t)))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	before := time.Now()
	for room.Wait(ctx, never) == nil {
	}
	if took := time.Since(before); took < 15*time.Millisecond || took > Backstop*3/4 {
		t.Errorf("a deadline of 20ms took %v", took)
	}
}

func TestBackstop(t *testing.T) {
	room := NewRoom(open(t, newDir(t)))
	before := time.Now()
	if err := room.Wait(context.Background(), never); err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took < Backstop/2 || took > 4*Backstop {
		t.Errorf("a wait that nobody ends took %v", took)
	}
}

func TestWakeAllWakesFollowersToo(t *testing.T) {
	room := NewRoom(open(t, newDir(t)))
	const waiters = 50
	done := make(chan error, waiters)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var looks atomic.Int64
	for range waiters {
		go func() { done <- room.Wait(ctx, func() bool { looks.Add(1); return false }) }()
	}
	for looks.Load() < waiters { // until all have had their last look
		time.Sleep(time.Millisecond)
	}
	time.Sleep(5 * time.Millisecond)
	before := time.Now()
	room.WakeAll()
	for range waiters {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(before); took > Backstop*3/4 {
		t.Errorf("took %v", took)
	}
}

// TestCutWakeFile: a stranger who cuts the file may delay waiters, and locks up
// or kills none of them.
func TestCutWakeFile(t *testing.T) {
	d := newDir(t)
	f := open(t, d)
	room := NewRoom(f)
	cut := func() {
		if err := os.Truncate(d.Wake(), 0); err != nil {
			t.Fatal(err)
		}
	}
	whole := func(who string) {
		if fi, err := os.Stat(d.Wake()); err != nil || fi.Size() != layout.WakeBytes {
			t.Errorf("%s did not give the file its length back: %v, %v", who, fi.Size(), err)
		}
	}
	cut()
	f.Signal()
	whole("a producer")
	cut()
	room.Wait(context.Background(), never) // comes back at once, to look again
	whole("a consumer")
	cut()
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		room.Wait(ctx, never)
		cancel()
	}
	if sleeping(room) {
		t.Error("somebody is taken for asleep for ever")
	}
}
