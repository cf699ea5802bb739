package hostile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/hostile/mutate"
)

const smallest = 64 << 10 // bytes of the smallest segment

// newTemp is a directory that goes with the test, in memory where there is a
// place for that: logs are made and recovered there thousands of times.
func newTemp(t testing.TB) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "mlog-hostile-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// makeHonest makes a log of some segments with records of every shape and two
// groups, and returns what it holds.
func makeHonest(t testing.TB, dir string) mutate.Tree {
	t.Helper()
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: smallest, Retention: mlog.Retention{Bytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for n := range 40 {
		batch := make([]mlog.Record, 1+n%4)
		for i := range batch {
			batch[i].Value = []byte(fmt.Sprintf("value %d.%d %s", n, i, strings.Repeat("v", 40*n%3000)))
			if n%3 > 0 {
				batch[i].Key = []byte(fmt.Sprint("key ", n))
			}
			if n%5 == 0 {
				batch[i].Headers = []mlog.Header{{Key: "name", Value: []byte("header")}, {Key: "", Value: nil}}
			}
		}
		if n%12 == 11 {
			batch[0].Value = make([]byte, 20_000)
		}
		if _, err := w.AppendBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"one", "two"} {
		g, err := l.Group(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Join(ctx); err != nil {
			t.Fatal(err)
		}
		for i := range int64(len(name)) {
			if err := g.Commit(i); err != nil {
				t.Fatal(err)
			}
		}
		g.Close()
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	tree, err := mutate.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	delete(tree, "spare")
	return tree
}

// readHonest returns the records of an honest log.
func readHonest(t testing.TB, dir string) (records []mlog.Record) {
	t.Helper()
	l, err := mlog.Open(filepath.Clean(dir), mlog.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for rec, err := range r.Records(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, rec.Clone())
	}
	return records
}
