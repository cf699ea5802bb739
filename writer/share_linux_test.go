package writer_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process that dies while it syncs for all keeps nobody from a durable append, not
// even one whose sleeps are all ended by signals; and a context's end is heeded.
func TestDeadSyncerAndSignals(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustSync(t, w, "a")
	c := startChild(t, nil, "hold-sync", string(dir), "b")
	c.expect("held")
	if owner := openControl(t, dir).SyncLock.Owner(); owner != 2 {
		t.Fatal(owner)
	}
	c.kill()
	base := mustAppend(t, w, "c")
	tid := make(chan int)
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		done <- w.Sync(ctx, base+1)
	}()
	id := <-tid
	stop := make(chan struct{})
	go func() { // a timer of 5 ms, say, whose signal meets this thread
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				_ = unix.Tgkill(os.Getpid(), id, syscall.SIGURG)
			}
		}
	}()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("10 s after the death, and 9 s after the context ended, Sync still waits")
	}
	close(stop)
}

// A producer that finds the sync lock taken sleeps until the durable offset is another
// than the one it saw before. So the lock must be free when that offset moves: who saw
// the new one, and the lock still taken, would sleep with nobody left to wake it.
func TestSyncLockIsFreeWhenDurableMoves(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	ctl := openControl(t, dir)
	for range 200 {
		base := mustAppend(t, w, "a")
		done := make(chan error, 1)
		go func() { done <- w.Sync(context.Background(), base+1) }()
		for ctl.Durable.Load() <= uint64(base) {
			runtime.Gosched()
		}
		if owner := ctl.SyncLock.Owner(); owner != 0 {
			t.Fatalf("offset %d is durable, and slot %d has the sync lock still", base, owner)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
