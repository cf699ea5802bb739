package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/hostile/mutate"
)

// A judge watches what calls on a hostile log do.
type judge struct {
	t       testing.TB
	holders *mutate.Holders // of the batches that verify, where checksums were mended
	honest  []mlog.Record   // what the log held before; nil where holders decide

	records, refused int
}

const (
	// A call on a log of a few small segments takes microseconds. What has not
	// returned after this long never will.
	longest = 30 * time.Second
	// mostAllocated is far above what a call needs whose records fit the smallest
	// segments, and far below what a length that was believed would cost.
	mostAllocated = 16 << 20
)

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// call makes one call: it must return, and neither allocate nor fail without
// bounds.
func (j *judge) call(name string, f func() error) error {
	j.t.Helper()
	watch := time.AfterFunc(longest, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("%s has not returned for %v", name, longest))
	})
	before := allocated()
	err := f()
	watch.Stop()
	if grown := allocated() - before; grown > mostAllocated && !waits(name) {
		j.t.Errorf("%s allocated %d bytes", name, grown)
	}
	j.checkError(name, err)
	return err
}

// waits reports whether a call looks again and again until its context ends,
// which on a busy machine may be much later than asked for: the garbage of all
// these looks says nothing.
func waits(name string) bool { return name == "Next" || name == "WaitAny" }

// checkError fails on errors that are bugs in disguise.
func (j *judge) checkError(name string, err error) {
	j.t.Helper()
	if err == nil {
		return
	}
	j.refused++
	var bug runtime.Error
	if errors.As(err, &bug) || err.Error() == "" {
		j.t.Errorf("%s: error %q", name, err)
	}
}

// isTyped reports whether a program can tell what an error of reading is.
func isTyped(err error) bool {
	var path *fs.PathError
	var errno syscall.Errno
	for _, known := range []error{mlog.ErrDamaged, mlog.ErrOutOfRange, mlog.ErrIncompatible, mlog.ErrNotLog, mlog.ErrSyncFailed,
		context.Canceled, context.DeadlineExceeded, fs.ErrNotExist} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &path) || errors.As(err, &errno)
}

// record checks one record that was handed out.
func (j *judge) record(r mlog.Record) {
	j.t.Helper()
	const all, share = 400, 61 // a hostile batch may hold very many
	if j.records++; j.records > all && j.records%share != 0 {
		return
	}
	if j.honest != nil {
		if r.Offset < 0 || r.Offset >= int64(len(j.honest)) || !same(r, j.honest[r.Offset]) {
			j.t.Errorf("offset %d was handed out and never was there: %.80q", r.Offset, r.Value)
		}
		return
	}
	if !j.holders.Hold(mutate.Record{Offset: r.Offset, Time: r.Time.UnixNano(), Key: r.Key, Value: r.Value}) {
		j.t.Errorf("offset %d was handed out and no batch that verifies holds it: %.80q", r.Offset, r.Value)
	}
}

func same(a, b mlog.Record) bool {
	if a.Offset != b.Offset || !a.Time.Equal(b.Time) || !bytes.Equal(a.Key, b.Key) || !bytes.Equal(a.Value, b.Value) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i].Key != b.Headers[i].Key || !bytes.Equal(a.Headers[i].Value, b.Headers[i].Value) {
			return false
		}
	}
	return true
}

// mostSteps bounds the calls that it takes to read all: a record or a gap takes a
// byte at least.
const mostSteps = 4 << 20

// readAll reads from a position on as far as it goes, over all damage.
func (j *judge) readAll(l *mlog.Log, opts mlog.ReaderOptions, most int) {
	j.t.Helper()
	var r *mlog.Reader
	if err := j.call("Reader", func() (err error) {
		r, err = l.Reader(opts)
		return err
	}); err != nil {
		return
	}
	defer r.Close()
	last := int64(-1)
	for step := 0; step < most; step++ {
		if step == mostSteps {
			j.t.Fatalf("after %d calls the reader has not come to an end", step)
		}
		var rec mlog.Record
		var ok bool
		err := j.call("TryNext", func() (err error) {
			rec, ok, err = r.TryNext()
			return err
		})
		if ok {
			if rec.Offset <= last {
				j.t.Fatalf("offset %d after %d", rec.Offset, last)
			}
			last = rec.Offset
			j.record(rec)
			continue
		}
		if err == nil {
			j.next(r)
			return
		}
		if !j.skip(r, err) {
			return
		}
	}
}

// skip steps over damage, and reports whether there is something behind it.
func (j *judge) skip(r *mlog.Reader, err error) bool {
	j.t.Helper()
	if !isTyped(err) {
		j.t.Errorf("TryNext: an error of no known kind: %v", err)
	}
	if !errors.Is(err, mlog.ErrDamaged) && !errors.Is(err, mlog.ErrOutOfRange) {
		return false
	}
	was := r.Offset()
	if j.call("SkipDamage", r.SkipDamage) != nil {
		return false
	}
	if r.Offset() < was {
		j.t.Fatalf("SkipDamage went back from offset %d to %d after %v", was, r.Offset(), err)
	}
	return true
}

// next waits where nothing is: it must give up when its context ends.
func (j *judge) next(r *mlog.Reader) {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err := j.call("Next", func() error {
		_, err := r.Next(ctx)
		return err
	})
	if err == nil {
		j.t.Error("Next has a record where TryNext had none")
	}
	j.call("WaitAny", func() error { return mlog.WaitAny(ctx, r) })
}
