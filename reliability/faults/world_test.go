package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

const smallest = 64 << 10 // bytes of the smallest segment

// A world is a log, those who use it, and what they were promised.
type world struct {
	root string // holds the log and nothing else
	dir  string
	logs logged

	log    *mlog.Log    // nil if it could not be opened, or is closed
	writer *mlog.Writer // likewise

	records  map[int64]string // what was acknowledged, by offset
	end      int64            // after the newest of them
	durable  int64            // those before were acknowledged as durable
	retained int64            // at least so many of the newest must be there; 0: all

	errs      []error  // what calls returned
	breaches  []string // what they returned and must not
	mayPoison bool     // a producer is open: a sync that fails is everybody's affair
}

func newWorld(t *testing.T, root string) *world {
	t.Helper()
	w := &world{root: root, dir: filepath.Join(root, "log"), records: make(map[int64]string)}
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	return w
}

// breach notes that something is not as promised.
func (w *world) breach(format string, args ...any) {
	w.breaches = append(w.breaches, fmt.Sprintf(format, args...))
}

// note keeps an error for the judge and reports whether there was none.
func (w *world) note(err error) bool {
	if err != nil {
		w.errs = append(w.errs, err)
	}
	return err == nil
}

func (w *world) options() mlog.Options {
	return mlog.Options{SegmentBytes: smallest, FlushEvery: time.Hour, Logger: slog.New(slog.NewTextHandler(&w.logs, nil))}
}

// open opens the log, and makes this process a producer of it.
func (w *world) open() { w.openWith(w.options()) }

func (w *world) openWith(o mlog.Options) {
	if !w.openToRead(o) {
		return
	}
	writer, err := w.log.Writer(mlog.WriterOptions{})
	if w.note(err) {
		w.writer = writer
		w.mayPoison = true
	}
}

func (w *world) openToRead(o mlog.Options) bool {
	l, err := mlog.Open(w.dir, o)
	if w.note(err) {
		w.log = l
	}
	return err == nil
}

// close closes the log. What it could not make durable it says.
func (w *world) close() {
	if w.log == nil {
		return
	}
	w.note(w.log.Close())
	w.log, w.writer = nil, nil
}

// append appends one batch, if there is a writer.
func (w *world) append(texts ...string) bool {
	if w.writer == nil {
		return false
	}
	return w.note(w.appendBy(w.writer, false, texts...))
}

// appendDurable is append with the acknowledgement that outlives a power loss.
func (w *world) appendDurable(texts ...string) bool {
	if w.log == nil || w.writer == nil {
		return false
	}
	writer, err := w.log.Writer(mlog.WriterOptions{Ack: mlog.Durable})
	return w.note(err) && w.note(w.appendBy(writer, true, texts...))
}

// appendBy appends a batch and remembers what was promised.
func (w *world) appendBy(writer *mlog.Writer, durable bool, texts ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience/2)
	defer cancel()
	records := make([]mlog.Record, len(texts))
	for i, text := range texts {
		records[i].Value = []byte(text)
	}
	base, err := writer.AppendBatch(ctx, records)
	if errors.Is(err, context.DeadlineExceeded) {
		w.breach("an append waited for ever: %v", err)
	}
	switch {
	case err != nil && base < 0:
		return err // nothing was appended
	case err != nil && !durable:
		w.breach("a failed append returned offset %d and %v", base, err)
	case base != w.end:
		w.breach("an append returned offset %d, due was %d", base, w.end)
	}
	for i, text := range texts {
		w.records[base+int64(i)] = text
	}
	w.end = base + int64(len(texts))
	if durable && err == nil {
		w.durable = w.end
	}
	return err
}

// big is a record of which three fit the smallest segment and the fourth rolls.
func big(name string) string { return name + strings.Repeat(".", 20_000) }

// fill appends n big records, one by one.
func (w *world) fill(n int) {
	for i := range n {
		w.append(big(fmt.Sprintf("record %d ", i)))
	}
}

// await waits until done says so, or something went wrong in the background, or
// it has taken long enough: a fault may be that it never comes.
func (w *world) await(done func() bool) {
	const long, pause = 300 * time.Millisecond, 200 * time.Microsecond
	for began := time.Now(); time.Since(began) < long && !w.logs.warned() && !done(); {
		time.Sleep(pause)
	}
}

// exists reports whether there is a file of the log.
func (w *world) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(w.dir, name))
	return err == nil
}

// scan reads the log from an offset to its present end and compares. It returns
// where it ended.
func (w *world) scan(l *mlog.Log, o mlog.ReaderOptions) (next int64, err error) {
	r, err := l.Reader(o)
	if err != nil {
		return -1, err
	}
	defer r.Close()
	for {
		rec, ok, err := r.TryNext()
		if err != nil || !ok {
			return r.Offset(), err
		}
		if want, is := w.records[rec.Offset]; !is || string(rec.Value) != want {
			w.breach("offset %d was read as %q, it is %q (%t)", rec.Offset, brief(string(rec.Value)), brief(want), is)
		}
	}
}

func brief(s string) string {
	s = strings.TrimRight(s, ".")
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// logged is what the log said in the background.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// warned reports whether there was trouble.
func (l *logged) warned() bool { return strings.Contains(l.String(), "level=WARN") }

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// copyLog copies a log's directory: to the copy it is as if the machine had been
// booted anew, since nothing of the words that producers share is valid there.
func copyLog(from, to string) error {
	const attempts = 100
	for n := 1; ; n++ {
		err := os.CopyFS(to, os.DirFS(from))
		if !errors.Is(err, fs.ErrNotExist) || n == attempts {
			return err
		}
		if err := os.RemoveAll(to); err != nil { // a temporary file went just then
			return err
		}
	}
}
