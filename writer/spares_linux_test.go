//go:build linux

package writer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/writer"
)

// segmentSized returns how many segments the directory holds, and how many other
// files that take as much of the disk.
func segmentSized(t *testing.T, dir layout.Dir) (segments, others int) {
	t.Helper()
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if fi, err := e.Info(); err != nil || fi.Size() != smallest {
			continue
		}
		if filepath.Ext(e.Name()) == ".seg" {
			segments++
		} else {
			others++
		}
	}
	return segments, others
}

// wantSpares checks that beside so many segments the directory holds no more spares
// than documented: one, or a quarter, four at most.
func wantSpares(t *testing.T, dir layout.Dir, segments int) {
	t.Helper()
	n, others := segmentSized(t, dir)
	if most := max(1, min(n/4, 4)); n != segments || others > most {
		t.Errorf("%d segments and %d other files of that size; want %d and %d at most", n, others, segments, most)
	}
}

// Who trims because the disk is full gets it back.
func TestTrimLeavesFewSpares(t *testing.T) {
	for _, left := range []int{1, 2, 5, 9, 17} {
		dir, w := rows(t, 20)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		w = openWriter(t, dir) // whose keeper has nothing to do
		segments, spares := segmentSized(t, dir)
		dropped, freed, err := w.Trim(context.Background(), writer.Limits{Before: int64(3 * (21 - left))})
		if dropped != 21-left || err != nil {
			t.Fatal(dropped, err)
		}
		wantSpares(t, dir, left)
		now, others := segmentSized(t, dir)
		if less := segments + spares - now - others; freed != less {
			t.Errorf("trim says that it freed %d files, and there are %d less", freed, less)
		}
	}
}

// A retention that is made smaller, and one that is removed.
func TestSparesFollowRetention(t *testing.T) {
	dir := newLog(t)
	setRetention(t, dir, layout.Retention{Bytes: 16 * smallest})
	w := openWriter(t, dir)
	for range 90 {
		mustAppend(t, w, big("x"))
	}
	for _, keep := range []int64{16, 8, 2} {
		setRetention(t, dir, layout.Retention{Bytes: keep * smallest})
		for range 3 {
			mustAppend(t, w, big("x"))
		}
		if err := w.Close(); err != nil { // which ends what the keeper is at
			t.Fatal(err)
		}
		wantSpares(t, dir, int(keep))
		w = openWriter(t, dir)
	}
	// An earlier build has left more than now are kept.
	setRetention(t, dir, layout.Retention{})
	for i := range layout.MostSpares {
		f, err := files.CreateAllocated(dir.SpareAt(i), smallest, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for range 3 {
		mustAppend(t, w, big("x"))
	}
	w.Close()
	wantSpares(t, dir, 3)
}

// One producer trims while another one takes the spares that are in excess.
func TestSurplusBesideRolls(t *testing.T) {
	dir, w := rows(t, 20)
	other := openWriter(t, dir)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 40 {
			if _, _, err := other.Trim(context.Background(), writer.Limits{Retention: layout.Retention{Bytes: 2 * smallest}}); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 120 {
		mustAppend(t, w, big("y"))
	}
	<-done
	w.Close()
	if _, _, err := other.Trim(context.Background(), writer.Limits{Before: 1 << 60}); err != nil {
		t.Error(err)
	}
	other.Close()
	wantSpares(t, dir, 1)
	if got := readAll(t, dir); len(got) == 0 {
		t.Error("nothing is left")
	}
}

// Who trims may die at each call from the first removal on. The next roll leaves no
// more spares than there may be.
func TestDeathInTrim(t *testing.T) {
	for call := 0; ; call += 3 {
		dir, w := rows(t, 9)
		w.Close()
		c := startChild(t, nil, "trim", string(dir), fmt.Sprint(call))
		if c.out.Scan() {
			if c.out.Text() != "trimmed" || call == 0 {
				t.Fatalf("the child said %q", c.out.Text())
			}
			c.kill()
			return
		}
		_ = c.cmd.Wait()
		w = openWriter(t, dir)
		for range 4 {
			mustAppend(t, w, big("y"))
		}
		w.Close()
		segments, _ := segmentSized(t, dir)
		wantSpares(t, dir, segments)
		if got := readAll(t, dir); got[len(got)-1] != big("y") {
			t.Errorf("killed at call %d: the log ends in %.10q", call, got[len(got)-1])
		}
	}
}

var _ = addRole("trim", trimRole)

// trimRole (DIR CALL) drops all but the last segment, and dies at the call with that
// number from the first that takes a segment's name away. If there are fewer it says
// "trimmed".
func trimRole(args []string) error {
	at, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	w, err := openInChild(args[0])
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
	if dropped, _, err := w.Trim(context.Background(), writer.Limits{Before: 1 << 60}); dropped != 9 || err != nil {
		return errors.Join(err, fmt.Errorf("%d segments were dropped", dropped))
	}
	fmt.Println("trimmed")
	select {}
}
