package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/hostile/mutate"
)

// FuzzDump shows logs whose files were edited as the input says, see
// mutate.Apply, as a whole and file by file. What comes out is bounded by what
// went in.
func FuzzDump(f *testing.F) {
	f.Add([]byte{})
	for op := range byte(14) {
		f.Add([]byte{op, op, 1, 2, 1, 8, op, 3, 9, op, 5, 2, 0, 1, 13, 1, 2, 3, 0, 20, 0x80, 0, 0, 1})
	}
	temp := f.TempDir()
	honest := makeLog(f, filepath.Join(temp, "honest"))
	dir := filepath.Join(temp, "log")
	f.Fuzz(func(t *testing.T, script []byte) {
		result := mutate.Apply(honest, script)
		if err := result.Tree.Write(dir); err != nil {
			if runtime.GOOS == "windows" {
				t.Skip("this system makes no such file: ", err)
			}
			t.Fatal(err)
		}
		in := 0
		for _, n := range result.Tree {
			in += len(n.Data)
		}
		paths := []string{dir}
		for _, name := range result.Tree.Names() {
			if result.Tree[name].Type.IsRegular() {
				paths = append(paths, filepath.Join(dir, filepath.FromSlash(name)))
			}
		}
		for _, path := range paths {
			var out counter
			d := &dumper{w: bufio.NewWriter(&out), records: true}
			err := d.path(path)
			d.w.Flush()
			var bug runtime.Error
			if errors.As(err, &bug) {
				t.Errorf("%s: %v", path, err)
			}
			const most = 400 // bytes for a record of one byte, or a line for each 8 bytes
			if int(out) > most*in+1<<20 {
				t.Errorf("%d bytes are shown of files of %d", out, in)
			}
		}
	})
}

type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func makeLog(f *testing.F, dir string) mutate.Tree {
	f.Helper()
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: 64 << 10, FlushEvery: -1})
	if err != nil {
		f.Fatal(err)
	}
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		f.Fatal(err)
	}
	for n := range 12 {
		r := mlog.Record{Key: []byte("key"), Value: make([]byte, 9000), Headers: []mlog.Header{{Key: "name"}}}
		if _, err := w.AppendBatch(context.Background(), []mlog.Record{r, {Value: []byte{byte(n)}}}); err != nil {
			f.Fatal(err)
		}
	}
	if g, err := l.Group("one"); err != nil {
		f.Fatal(err)
	} else if err = errors.Join(g.Join(context.Background()), g.Commit(3), g.Close()); err != nil {
		f.Fatal(err)
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	_ = os.Remove(filepath.Join(dir, "spare"))
	tree, err := mutate.Load(dir)
	if err != nil {
		f.Fatal(err)
	}
	return tree
}
