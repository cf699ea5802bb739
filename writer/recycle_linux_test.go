//go:build linux

package writer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// cappedLog is a log that keeps eight segments and has rolled until it is full of
// recycled ones. Who appends waits for the keeper now and then, as one at full speed
// does not, so that the test recycles each time.
func cappedLog(t *testing.T) (layout.Dir, *writer.Writer) {
	t.Helper()
	dir := newLog(t)
	setRetention(t, dir, layout.Retention{Bytes: 8 * smallest})
	w := openWriter(t, dir)
	for before := writer.Recycled(w); writer.Recycled(w) < before+20; {
		appendRow(t, dir, w)
	}
	return dir, w
}

// appendRow appends a segment's worth, and waits until retention has followed.
func appendRow(t *testing.T, dir layout.Dir, w *writer.Writer) {
	t.Helper()
	for range 3 {
		mustAppend(t, w, big("x"))
	}
	settle(t, dir)
}

// settle waits until retention has followed.
func settle(t *testing.T, dir layout.Dir) {
	t.Helper()
	for { // the test's own time-out is the bound
		if bases, err := dir.Segments(); err != nil || len(bases) <= 8 {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// activeSegment maps the segment that is appended to.
func activeSegment(t *testing.T, dir layout.Dir) *segment.Segment {
	t.Helper()
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	return logtest.MapSegment(t, dir, bases[len(bases)-1])
}

func origins(t *testing.T, dir layout.Dir) map[segment.Origin]int {
	t.Helper()
	count := make(map[segment.Origin]int)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range bases {
		count[logtest.MapSegment(t, dir, base).Origin]++
	}
	return count
}

// A log that is full goes on in the files that it has: nothing is allocated, and
// the directory holds no more than the spares allow.
func TestRecycling(t *testing.T) {
	dir, w := cappedLog(t)
	inodes := make(map[uint64]bool)
	allocations := 0
	defer seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "fallocate" && !strings.Contains(c.Path, ".idx") {
			allocations++
		}
		return do()
	})()
	for i := range 40 {
		appendRow(t, dir, w)
		entries, err := os.ReadDir(string(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if fi, err := e.Info(); err == nil && fi.Size() == smallest {
				inodes[fi.Sys().(*syscall.Stat_t).Ino] = true
			}
		}
		if most := 8 + layout.MostSpares + 2; len(inodes) > most {
			t.Fatalf("after %d rolls %d files were used where %d suffice", i, len(inodes), most)
		}
	}
	w.Close()
	if allocations > 0 {
		t.Errorf("%d files were allocated", allocations)
	}
	if got := origins(t, dir); got[segment.Recycled] < 7 {
		t.Errorf("segments by origin: %v", got)
	}
	readAll(t, dir)
}

// Whoever has a segment mapped keeps it as it is: it is not recycled. The reader is
// another process's as far as the lock is concerned, which belongs to an open file.
func TestHeldSegmentIsNotRecycled(t *testing.T) {
	dir, w := cappedLog(t)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	src, err := reader.NewSource(dir, readMeta(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := reader.NewReader(src, reader.Options{From: bases[3], Until: reader.Unbounded})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec segment.Record
	if ok, err := r.TryNext(&rec); !ok || err != nil {
		t.Fatal(ok, err)
	}
	before := bytes.Clone(rec.Value)
	for range 40 {
		appendRow(t, dir, w)
		if !bytes.Equal(rec.Value, before) {
			t.Fatal("what a reader has handed out has changed")
		}
	}
	if _, err := os.Lstat(dir.Segment(bases[3])); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the segment was not dropped: %v", err)
	}
}

// A process that opened a segment by name, just before it was dropped and recycled,
// finds out when it has the lock.
func TestOpenedJustBeforeRecycling(t *testing.T) {
	dir, w := cappedLog(t)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	path, between := dir.Segment(bases[0]), false
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "flock" && c.Path == path && !between {
			between = true
			for range 3 {
				appendRow(t, dir, w)
			}
		}
		return do()
	})
	f, err := filelock.OpenShared(path, false)
	stop()
	if !between || !errors.Is(err, fs.ErrNotExist) {
		f.Close()
		t.Errorf("dropped in between: %t; opening gave %v", between, err)
	}
}

// A keeper that is stopped at it holds up nobody: the others unlink.
func TestRecyclingBesideAStoppedKeeper(t *testing.T) {
	dir, w := cappedLog(t)
	noSpares(t, dir)
	before := writer.Recycled(w)
	for range 20 {
		appendRow(t, dir, w)
	}
	if got := writer.Recycled(w); got > before+1 { // one may have been under way
		t.Errorf("%d files were recycled without the lock", got-before)
	}
	readAll(t, dir)
}

// A process may die at each call that recycling makes. The next one goes on, and
// what the dead one had in hands is removed or used.
func TestDeathInRecycling(t *testing.T) {
	for call := range 12 {
		dir := newLog(t)
		setRetention(t, dir, layout.Retention{Bytes: 4 * smallest})
		c := startChild(t, nil, "recycle", string(dir), fmt.Sprint(call))
		if c.out.Scan() {
			t.Fatalf("the child said %q", c.out.Text())
		}
		_ = c.cmd.Wait()
		w := openWriter(t, dir)
		for range 30 {
			mustAppend(t, w, big("x"))
			time.Sleep(time.Millisecond)
		}
		w.Close()
		texts := readAll(t, dir)
		if len(texts) == 0 {
			t.Errorf("killed at call %d: nothing is there", call)
		}
		if _, err := os.Lstat(dir.NextSpare()); err == nil {
			t.Errorf("killed at call %d: what the dead one left is still there", call)
		}
	}
}

var _ = addRole("recycle", recycleRole)

// recycleRole (DIR CALL) appends until its keeper comes to the call with that number
// after the one that takes a segment's name away for the first time, and dies there.
func recycleRole(args []string) error {
	at, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var calls atomic.Int64
	calls.Store(-1)
	seam.Watch(args[0], func(c seam.Call, do func() error) error {
		if c.Op == "rename" && strings.HasSuffix(c.Path, ".seg") {
			calls.CompareAndSwap(-1, 0)
		}
		if calls.Load() >= 0 && calls.Add(1) == int64(at)+1 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return do()
	})
	w, err := openInChild(args[0])
	if err != nil {
		return err
	}
	for range 10_000 {
		if _, err := w.Append(context.Background(), values(big("c"))); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("nothing was recycled")
}

// A segment whose file was made in a roll has to be on disk before it may become the
// first. It is synced long before its turn comes, or retention would fall behind.
func TestRollWithoutSpareIsSyncedEarly(t *testing.T) {
	dir := newLog(t)
	setRetention(t, dir, layout.Retention{Bytes: 100 * smallest})
	noSpares(t, dir)
	w := openWriter(t, dir) // which syncs the first segment
	synced := make(chan string, 1000)
	defer seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "fdatasync" && strings.HasPrefix(writer.DataOf(c.File), "data ") {
			synced <- filepath.Base(c.Path)
		}
		return do()
	})()
	for rows := 0; len(synced) == 0; rows++ {
		if rows == 60 {
			t.Fatal("nothing was synced, and soon retention has to")
		}
		for range 3 {
			mustAppend(t, w, big("x"))
		}
		time.Sleep(time.Millisecond) // the keeper's turn
	}
	if got := origins(t, dir); got[segment.Made] < 2 {
		t.Errorf("segments by origin: %v", got)
	}
}
