package log_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

func openLog(t *testing.T, dir string, opts mlog.Options) (*mlog.Log, *mlog.Writer) {
	t.Helper()
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = 64 << 10
	}
	l, err := mlog.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l, w
}

func mustAppend(t *testing.T, w *mlog.Writer, value string) int64 {
	t.Helper()
	offset, err := w.Append(context.Background(), mlog.Record{Value: []byte(value)})
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

func TestKeysAndHeadersComeBackAsTheyWere(t *testing.T) {
	l, w := openLog(t, t.TempDir(), mlog.Options{})
	want := []mlog.Record{
		{Value: []byte("plain")},
		{Value: []byte{}},
		{Key: []byte{}, Value: []byte("empty key")},
		{Key: []byte("k"), Value: []byte("with \x00 and \n")},
		{Value: []byte("v"), Headers: []mlog.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "", Value: nil}}},
	}
	for _, r := range want {
		if _, err := w.Append(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.AppendBatch(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	r, err := l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	i := 0
	for got, err := range r.Records(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		w := want[i%len(want)]
		if got.Offset != int64(i) || !bytes.Equal(got.Value, w.Value) || !bytes.Equal(got.Key, w.Key) || (got.Key == nil) != (w.Key == nil) ||
			!slices.EqualFunc(got.Headers, w.Headers, func(a, b mlog.Header) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }) {
			t.Errorf("record %d is %+v, want %+v", i, got, w)
		}
		i++
	}
	if i != 2*len(want) {
		t.Errorf("%d records, want %d", i, 2*len(want))
	}
}

// A clone outlives the reader and the log.
func TestClone(t *testing.T) {
	l, w := openLog(t, t.TempDir(), mlog.Options{})
	if _, err := w.Append(context.Background(), mlog.Record{Key: []byte("k"), Value: []byte("v"), Headers: []mlog.Header{{Key: "n", Value: []byte("h")}}}); err != nil {
		t.Fatal(err)
	}
	r, err := l.Reader(mlog.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c := rec.Clone()
	r.Close()
	l.Close()
	if string(c.Key) != "k" || string(c.Value) != "v" || c.Headers[0].Key != "n" || string(c.Headers[0].Value) != "h" {
		t.Errorf("the clone is %+v", c)
	}
}

// What Open refuses it leaves as it is, with an error that errors.Is knows.
func TestOpenRefuses(t *testing.T) {
	tmp := t.TempDir()
	file := filepath.Join(tmp, "file")
	foreign := filepath.Join(tmp, "foreign")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Mkdir(foreign, 0o700),
		os.WriteFile(filepath.Join(foreign, "somebody's"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	existing := filepath.Join(tmp, "log")
	openLog(t, existing, mlog.Options{})
	for name, test := range map[string]struct {
		dir  string
		opts mlog.Options
		want error // nil: any
	}{
		"a file":               {file, mlog.Options{}, mlog.ErrNotLog},
		"another directory":    {foreign, mlog.Options{}, mlog.ErrNotLog},
		"a missing log":        {filepath.Join(tmp, "missing"), mlog.Options{MustExist: true}, fs.ErrNotExist},
		"a missing parent":     {filepath.Join(tmp, "a", "b"), mlog.Options{}, fs.ErrNotExist},
		"another segment size": {existing, mlog.Options{SegmentBytes: 128 << 10}, nil},
		"a wrong segment size": {filepath.Join(tmp, "new"), mlog.Options{SegmentBytes: 100}, nil},
		"a wrong mode":         {filepath.Join(tmp, "new"), mlog.Options{Mode: 0o777}, nil},
		"a wrong retention":    {filepath.Join(tmp, "new"), mlog.Options{Retention: mlog.Retention{Bytes: -1}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := mlog.Open(test.dir, test.opts)
			if err == nil {
				l.Close()
				t.Fatal("it was opened")
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want one that is %v", err, test.want)
			}
		})
	}
	for _, path := range []string{"new", "missing", "a"} {
		if _, err := os.Lstat(filepath.Join(tmp, path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made: %v", path, err)
		}
	}
	if names, err := os.ReadDir(foreign); err != nil || len(names) != 1 {
		t.Errorf("the foreign directory holds %v, %v", names, err)
	}
}

// Retention moves the log's start while readers ask for it.
func TestReaderAtStartWhileRetentionDropsSegments(t *testing.T) {
	l, w := openLog(t, t.TempDir(), mlog.Options{Retention: mlog.Retention{Bytes: 128 << 10}})
	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		value := make([]byte, 20_000)
		for range 20_000 { // where the readers are slow, retention would be left behind for ever
			if ctx.Err() != nil {
				return
			}
			if _, err := w.Append(context.Background(), mlog.Record{Value: value}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 500 {
		r, err := l.Reader(mlog.ReaderOptions{From: mlog.Start()})
		if err != nil {
			t.Error(err)
			break
		}
		r.Close()
	}
	stop()
	wait.Wait()
}

// An append that races with Close is in the log if, and only if, it returned an
// offset: whatever the error says of its durability.
func TestDurableAppendsUnderClose(t *testing.T) {
	dir := t.TempDir()
	total := int64(0)
	for range 20 {
		l, err := mlog.Open(dir, mlog.Options{SegmentBytes: 64 << 10, FlushEvery: -1})
		if err != nil {
			t.Fatal(err)
		}
		w, err := l.Writer(mlog.WriterOptions{Ack: mlog.Durable})
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		for range 16 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for {
					offset, err := w.Append(context.Background(), mlog.Record{Value: []byte("x")})
					mu.Lock()
					if offset >= 0 {
						total++
					}
					mu.Unlock()
					if err != nil {
						if !errors.Is(err, mlog.ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			}()
		}
		time.Sleep(time.Millisecond)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wait.Wait()
	}
	l, _ := openLog(t, dir, mlog.Options{})
	if end, err := l.EndOffset(); end != total || err != nil {
		t.Errorf("the log has %d records (%v), %d were given an offset", end, err, total)
	}
}

func TestInfoDespiteABadGroup(t *testing.T) {
	dir := t.TempDir()
	l, w := openLog(t, dir, mlog.Options{})
	mustAppend(t, w, "a")
	g, err := l.Group("good")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := errors.Join(g.Join(context.Background()), g.Commit(1)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "groups", "bad"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := l.Info()
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Groups) != 1 || info.Groups[0] != (mlog.GroupInfo{Name: "good", Committed: 1, Active: true}) {
		t.Errorf("groups %+v", info.Groups)
	}
	if len(info.Damage) != 1 || info.Damage[0].Segment != "groups/bad" {
		t.Errorf("damage %+v", info.Damage)
	}
}

func TestMissingWakeFileIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	l, w := openLog(t, dir, mlog.Options{})
	mustAppend(t, w, "a")
	l.Close()
	if err := os.Remove(filepath.Join(dir, "wake")); err != nil {
		t.Fatal(err)
	}
	_, w = openLog(t, dir, mlog.Options{})
	if offset := mustAppend(t, w, "b"); offset != 1 {
		t.Errorf("offset %d, want 1", offset)
	}
}

// Closing while readers wait and goroutines append ends them all.
func TestCloseEndsEverything(t *testing.T) {
	l, w := openLog(t, t.TempDir(), mlog.Options{})
	r, err := l.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		for {
			if _, err := r.Next(context.Background()); err != nil {
				got <- err
				return
			}
		}
	}()
	go func() {
		for {
			if _, err := w.Append(context.Background(), mlog.Record{}); err != nil {
				got <- err
				return
			}
		}
	}()
	time.Sleep(time.Millisecond)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-got; !errors.Is(err, mlog.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
	}
	r.Close()
	if err := w.Sync(context.Background()); !errors.Is(err, mlog.ErrClosed) {
		t.Errorf("sync after Close gave %v", err)
	}
	if _, err := l.EndOffset(); !errors.Is(err, mlog.ErrClosed) {
		t.Errorf("a look at the closed log gave %v", err)
	}
}
