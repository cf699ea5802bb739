//go:build linux

package reader_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
)

// TestReaderLocksTheFileThatItReads: a reader opens a segment by name and locks it
// by name. When the name comes to mean another file in between, as it does when a
// file is recycled, the lock must still be on the file that is mapped.
//
// Somebody gives the name to one and the other of two files all the time. What the
// reader finds is right each time; to hit the instant takes some rounds.
func TestReaderLocksTheFileThatItReads(t *testing.T) {
	dir, w := newLog(t)
	w.Close()
	// Two logs of one id: the files of either could be the other's.
	other := layout.Dir(filepath.Join(t.TempDir(), "other"))
	if err := os.CopyFS(string(other), os.DirFS(string(dir))); err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string) // value of its record → the file, under a name that stays
	for _, l := range []layout.Dir{dir, other} {
		w := openWriter(t, l)
		appendTexts(t, w, string(l))
		w.Close()
		files[string(l)] = filepath.Join(string(dir), filepath.Base(string(l))+".kept")
		if err := os.Rename(l.Segment(0), files[string(l)]); err != nil {
			t.Fatal(err)
		}
	}
	swap := func(file string) error {
		next := filepath.Join(string(dir), "next")
		_ = os.Remove(next) // a rename to another name of the same file leaves it
		if err := os.Link(file, next); err != nil {
			return err
		}
		return os.Rename(next, dir.Segment(0))
	}
	if err := swap(files[string(dir)]); err != nil {
		t.Fatal(err)
	}
	quit := make(chan struct{})
	var swapper sync.WaitGroup
	defer swapper.Wait()
	defer close(quit)
	swapper.Go(func() {
		for {
			for _, file := range files {
				select {
				case <-quit:
					return
				default:
				}
				if err := swap(file); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})

	src := openSource(t, dir)
	const rounds, longest = 1000, 500 * time.Millisecond
	began, looks := time.Now(), 0
	for ; looks < rounds && time.Since(began) < longest; looks++ {
		r, err := reader.NewReader(src, following(0))
		if err != nil && strings.Contains(err.Error(), "all the time") {
			continue // nobody recycles that often
		}
		if err != nil {
			t.Fatal(err)
		}
		var rec segment.Record
		if ok, err := r.TryNext(&rec); !ok || err != nil {
			t.Fatal(ok, err)
		}
		f, err := os.OpenFile(files[string(rec.Value)], os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		shared, err := filelock.IsShared(f)
		f.Close()
		if err != nil || !shared {
			t.Fatalf("after %d looks: the file that is being read is not locked (%v)", looks, err)
		}
		r.Close()
	}
	t.Logf("%d looks", looks)
}

// TestClosedReaderHoldsNoSegment: a reader has the segments that it leaves unmapped
// behind its back. When all is closed that is done, and no lock of it is left.
func TestClosedReaderHoldsNoSegment(t *testing.T) {
	dir, w := newLog(t)
	const n = 3000
	numbered(t, w, n)
	w.Close()
	for range 20 {
		src, err := reader.NewSource(dir, readMeta(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		r, err := reader.NewReader(src, following(0))
		if err != nil {
			t.Fatal(err)
		}
		var rec segment.Record
		for range n {
			if ok, err := r.TryNext(&rec); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		r.Close()
		src.Close()
		for _, base := range bases(t, dir) {
			lock, err := filelock.ProbeExclusive(dir.Segment(base))
			if lock == nil || err != nil {
				t.Fatalf("segment %d is locked by nobody, and cannot be: %v", base, err)
			}
			lock.Release()
		}
	}
}
