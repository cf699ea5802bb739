package hostile_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/files"
	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/hostile/mutate"
)

// FuzzDirectory takes its input as edits of the files of a small log, see
// mutate.Apply, and then does with the log whatever can be done.
func FuzzDirectory(f *testing.F) {
	addScripts(f)
	temp := newTemp(f)
	honest := makeHonest(f, filepath.Join(temp, "honest"))
	records := readHonest(f, filepath.Join(temp, "honest"))
	dir := filepath.Join(temp, "log")
	f.Fuzz(func(t *testing.T, script []byte) {
		result := mutate.Apply(honest, script)
		if err := result.Tree.Write(dir); err != nil {
			if runtime.GOOS == "windows" {
				t.Skip("this system makes no such file: ", err)
			}
			t.Fatal(err)
		}
		if result.Living {
			enliven(t, filepath.Join(dir, "control"))
		}
		open := resources(dir)
		useAll(t, dir, result, records)
		if now := resources(dir); now != open {
			t.Errorf("%d descriptors and mappings of the log were open before, %d are after", open, now)
		}
	})
}

// addScripts seeds a fuzz target with edits of every kind.
func addScripts(f *testing.F) {
	f.Add([]byte{})
	// An end marker where the first batch belongs, which leads back to its own segment.
	for options := range byte(16) {
		f.Add([]byte{options, 13, 1, 2, 0, 0, 20, 0x80, 0, 0, 1})
	}
	for op := range byte(14) {
		for _, options := range []byte{0, 7, 15} {
			f.Add([]byte{options, op, 0, 2, 1, 8, op, 3, 9, op, 5, 2, 0, 1})
			f.Add([]byte{options, op, 1, 2, 0, 6, 13, op, 2, 250, 1, 77})
		}
	}
}

// verify checks the log as it is, and says what repair would do.
func verify(j *judge, dir string) {
	j.t.Helper()
	ctx := context.Background()
	j.call("Verify", func() error {
		_, err := mlog.Verify(ctx, dir, mlog.VerifyOptions{})
		return err
	})
	j.call("Repair", func() error {
		_, err := mlog.Repair(ctx, dir, mlog.RepairOptions{})
		return err
	})
}

// useAll reads and then writes a hostile log in every way.
func useAll(t *testing.T, dir string, hostile mutate.Result, records []mlog.Record) {
	j := &judge{t: t}
	verify(j, dir)
	if hostile.Mended {
		j.holders = mutate.FindHolders(hostile.Tree.Segments())
	} else {
		j.honest = records
	}
	var l *mlog.Log
	if j.call("Open", func() (err error) {
		l, err = mlog.Open(dir, mlog.Options{MustExist: true, FlushEvery: -1})
		return err
	}) != nil {
		return
	}
	defer l.Close()
	j.readAll(l, mlog.ReaderOptions{}, mostSteps+1)
	j.readAll(l, mlog.ReaderOptions{Durable: true}, 1000)
	j.readAll(l, mlog.ReaderOptions{From: mlog.End()}, 10)
	for _, offset := range []int64{-1, 0, 1, int64(len(records)) / 2, int64(len(records)), math.MaxInt64} {
		j.readAll(l, mlog.ReaderOptions{From: mlog.At(offset)}, 20)
	}
	for _, r := range []mlog.Record{records[0], records[len(records)/2], records[len(records)-1]} {
		j.readAll(l, mlog.ReaderOptions{From: mlog.AtTime(r.Time)}, 20)
	}
	j.readAll(l, mlog.ReaderOptions{From: mlog.AtTime(time.Now())}, 20)
	look(j, l)
	useGroups(j, l)
	append1(j, l)
	l.Close()
	if l.SegmentBytes() > mostWritten {
		return
	}
	j.call("Repair, for good", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := mlog.Repair(ctx, dir, mlog.RepairOptions{Execute: true})
		return err
	})
	verify(j, dir)
}

// look asks for all that a log says of itself.
func look(j *judge, l *mlog.Log) {
	j.t.Helper()
	for name, f := range map[string]func() (int64, error){
		"StartOffset": l.StartOffset, "EndOffset": l.EndOffset, "DurableOffset": l.DurableOffset,
		"OffsetAt": func() (int64, error) { return l.OffsetAt(time.Unix(0, math.MinInt64)) },
	} {
		j.call(name, func() error {
			_, err := f()
			return err
		})
	}
	j.call("Info", func() error {
		_, err := l.Info()
		return err
	})
	j.call("Retention", func() error {
		_, err := l.Retention()
		return err
	})
}

func useGroups(j *judge, l *mlog.Log) {
	j.t.Helper()
	for _, name := range []string{"one", "two", "new"} {
		j.call("Group", func() error {
			g, err := l.Group(name)
			if err != nil {
				return err
			}
			defer g.Close()
			if ok, err := g.TryJoin(); !ok || err != nil {
				return err
			}
			if err := g.Commit(7); err != nil {
				return err
			}
			if offset, ok := g.Committed(); offset != 7 || !ok {
				j.t.Errorf("group %s: committed 7, and has %d, %v", name, offset, ok)
			}
			return nil
		})
	}
}

// mostWritten bounds the segments of logs that are written to: what a log says of
// their size decides how much disk that takes.
const mostWritten = 1 << 20

// append1 becomes a producer, and appends.
func append1(j *judge, l *mlog.Log) {
	j.t.Helper()
	if l.SegmentBytes() > mostWritten {
		return
	}
	j.call("Writer and Append", func() error {
		w, err := l.Writer(mlog.WriterOptions{Ack: mlog.Durable})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if _, err := w.Append(ctx, mlog.Record{Value: []byte("more")}); err != nil {
			return err
		}
		_, err = w.AppendBatch(ctx, []mlog.Record{{Value: make([]byte, 60_000)}, {Key: []byte("k")}})
		return err
	})
	look(j, l)
}

// enliven makes a control file that was copied pass for the one of this place and
// boot.
func enliven(t *testing.T, path string) {
	f, err := os.OpenFile(path, os.O_RDWR|files.NoFollow, 0)
	if err != nil {
		return // the script has made something else of it
	}
	defer f.Close()
	dev, ino, err := files.Identity(f)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	if n, _ := f.ReadAt(b, 0); n != len(b) {
		return
	}
	mutate.Enliven(b, dev, ino)
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}

// resources counts the descriptors and mappings of files in a directory that
// this process has, where the system tells.
func resources(dir string) int {
	count := 0
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if path, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(path, dir) {
			count++
		}
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	return count + strings.Count(string(maps), dir+"/")
}
