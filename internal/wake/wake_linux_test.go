package wake

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/layout"
)

// threads returns how many threads this process has.
func threads(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\nThreads:")
	n := 0
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOneThreadSleeps: two thousand goroutines that wait for one log hold one
// thread in the kernel.
func TestOneThreadSleeps(t *testing.T) {
	room := NewRoom(open(t, newDir(t)))
	const waiters = 2000
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	before := threads(t)
	for range waiters {
		go func() {
			for room.Wait(ctx, never) == nil {
			}
			done <- struct{}{}
		}()
	}
	time.Sleep(Backstop + Backstop/4) // past one backstop, at which all change places
	during := threads(t)
	cancel()
	for range waiters {
		<-done
	}
	if during-before > 2*runtime.GOMAXPROCS(0)+8 {
		t.Errorf("%d threads with %d waiters, %d without", during, waiters, before)
	}
}

// TestReadOnlyFallsBackToPolling: a consumer without write permission cannot ask
// to be woken, so it looks by itself, often enough.
func TestReadOnlyFallsBackToPolling(t *testing.T) {
	d := newDir(t)
	if err := os.Chmod(d.Wake(), 0o444); err != nil {
		t.Fatal(err)
	}
	f := openAsStranger(t, d)
	defer f.Close()
	if f.writable {
		t.Fatal("the file was opened for writing")
	}
	room := NewRoom(f)
	before := time.Now()
	if err := room.Wait(context.Background(), never); err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took > Backstop/2 {
		t.Errorf("looked again after %v, want about %v", took, pollPause)
	}
	if f.flag.Load() != 0 {
		t.Error("the flag was raised")
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(5*time.Millisecond, cancel)
	for room.Wait(ctx, never) == nil {
	}
	room.WakeAll() // must not fault
}

// openAsStranger opens the wake file on a thread that has no privileges, as root
// may write whatever the mode says.
func openAsStranger(t *testing.T, d layout.Dir) *File {
	t.Helper()
	const nobody = 65534
	for dir := string(d); strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	type result struct {
		f   *File
		err error
	}
	opened := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			unix.Setfsuid(nobody)
		}
		f, err := Open(d)
		opened <- result{f, err}
	}()
	r := <-opened
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.f
}

// A producer that is killed between its commit and its wake changes nothing that a
// sleeper could see but the log itself: the mirror looks there when the bound has
// passed.
func TestMirrorTellsOfSilentAppend(t *testing.T) {
	room := NewRoom(open(t, newDir(t)))
	ctx, cancel := context.WithCancel(context.Background())
	var events atomic.Int32
	var grown atomic.Bool
	done := make(chan error)
	go func() {
		done <- room.Mirror(ctx, func() bool { return grown.Swap(false) }, func() { events.Add(1) })
	}()
	for !sleeping(room) || events.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	first := events.Load()
	grown.Store(true)
	for events.Load() == first { // without an end, if it is never told
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
