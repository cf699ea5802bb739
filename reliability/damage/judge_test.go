package damage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"

	mlog "github.com/seed27ccf144/mlog/log"
)

// A verdict is what became of one mutation.
type verdict struct {
	found      bool     // it was reported, or kept the log from being read
	refusal    string   // why the log could not be read, if it could not
	lost       int      // batches that readers do not get
	violations []string // of the promises
}

func (v *verdict) violate(format string, args ...any) {
	v.violations = append(v.violations, fmt.Sprintf(format, args...))
}

// A reading is what one reader got of the log.
type reading struct {
	got      []bool  // by offset
	named    []bool  // a *DamageError said that it is lost
	next     int64   // where it came to an end
	damage   int     // errors that it met
	open     int64   // offset from which on an error says that nobody knows what there was
	appended []int64 // offsets of records that the template does not have
}

// typed reports whether a program can tell the error.
func typed(err error) bool {
	for _, target := range []error{mlog.ErrDamaged, mlog.ErrIncompatible, mlog.ErrNotLog, mlog.ErrSyncFailed, mlog.ErrOutOfRange} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// judge looks at a harmed log without changing it: log.Verify, a reader from the
// start, and, if seeks is set, readers from other places.
func (w *world) judge(may loss, seeks *rand.Rand) (v verdict) {
	report, err := mlog.Verify(context.Background(), w.dir, mlog.VerifyOptions{})
	if err != nil {
		v.refuse("verify", err, may)
	}
	v.found = v.found || len(report.Damage) > 0 || report.TornTail != nil
	l, err := mlog.Open(w.dir, mlog.Options{MustExist: true, FlushEvery: -1})
	if err != nil {
		if !v.found {
			v.violate("verify finds nothing, but open: %v", err)
		}
		v.refuse("open", err, may)
		return v
	}
	defer l.Close()
	r := w.read(l, may, &v)
	w.compare(r, may, &v)
	if v.refusal != "" {
		return v
	}
	if r.damage > 0 && !v.found {
		v.violate("a reader finds damage, and verify none")
	}
	w.compareWithReport(r, &report, &v)
	if end, err := l.EndOffset(); !v.found && (err != nil || end != w.end) {
		v.violate("end offset %d, %v; want %d", end, err, w.end)
	}
	if seeks != nil {
		w.seek(l, r, seeks, &v)
	}
	return v
}

// read reads from the start to where nothing more comes.
func (w *world) read(l *mlog.Log, may loss, v *verdict) (r reading) {
	r.got, r.named, r.open = make([]bool, w.end), make([]bool, w.end), w.end
	from, err := l.Reader(mlog.ReaderOptions{})
	if err != nil {
		v.refuse("reader", err, may)
		return r
	}
	defer from.Close()
	for range 10 * (w.end + 100) {
		rec, ok, err := from.TryNext()
		switch {
		case err != nil:
			if !w.skip(from, err, &r, may, v) {
				return r
			}
		case !ok:
			return r
		case rec.Offset < r.next:
			v.violate("offset %d comes after %d", rec.Offset, r.next-1)
		case rec.Offset >= w.end:
			r.appended = append(r.appended, rec.Offset)
		case !w.isSame(&rec):
			v.violate("a wrong record at offset %d", rec.Offset)
		default:
			r.got[rec.Offset] = true
		}
		if ok {
			r.next = rec.Offset + 1
		}
	}
	v.violate("the reader comes to no end")
	return r
}

// skip notes an error and steps over it. It reports false if the reader is at its
// end with that.
func (w *world) skip(from *mlog.Reader, err error, r *reading, may loss, v *verdict) bool {
	var d *mlog.DamageError
	if !errors.As(err, &d) {
		v.refuse("read", err, may)
		return false
	}
	r.damage++
	for o := max(d.First, 0); o <= d.Last && o < w.end; o++ {
		r.named[o] = true
	}
	r.next = max(r.next, d.Last+1)
	if err := from.SkipDamage(); err != nil {
		if !typed(err) {
			v.violate("skip: %v", err)
		}
		if d.Last < d.First {
			r.open = d.First
		}
		return false
	}
	return true
}

// refuse notes that nobody can read the log.
func (v *verdict) refuse(what string, err error, may loss) {
	v.refusal, v.found = what+": "+err.Error(), true
	v.judgeRefusal(what, err, may)
}

// judgeRefusal holds a refusal to what was hit, as else all of a log would be lost
// to a harm of one place, and to what a program can tell.
func (v *verdict) judgeRefusal(what string, err error, may loss) {
	switch {
	case may.control && errors.Is(err, fs.ErrNotExist): // nobody can tell whether a lock's owner lives, as its file is gone
	case !typed(err):
		v.violate("%s: %v", what, err)
	case !may.mayRefuse():
		v.violate("%s refuses, though nothing was hit without which a log cannot be used: %v", what, err)
	}
}

// compare holds what was read against what the mutation may have cost.
func (w *world) compare(r reading, may loss, v *verdict) {
	if v.refusal != "" {
		return
	}
	for o := range w.end {
		switch torn := (w.rebooted || may.stale) && (o >= w.durable || may.unmarked && o >= w.activeBase()) && o >= may.first; {
		case r.got[o] && r.named[o]:
			v.violate("offset %d is said to be lost, and is there", o)
		case r.got[o]:
		case !may.may[o] && !torn:
			v.violate("offset %d is lost, and its batch was not hit; named: %v", o, r.named[o])
		case !r.named[o] && !torn && !(may.headless && o >= r.open):
			v.violate("offset %d is lost, and no error says so", o)
		}
		if len(v.violations) > 3 {
			return
		}
	}
	for _, b := range w.batches {
		if !r.got[b.base] {
			v.lost++
		}
	}
}

// compareWithReport holds what log.Verify says against what a reader got.
func (w *world) compareWithReport(r reading, report *mlog.Verification, v *verdict) {
	readable := int64(0)
	for _, got := range r.got {
		if got {
			readable++
		}
	}
	if report.TornTail == nil && report.Records != readable+int64(len(r.appended)) {
		v.violate("verify counts %d records, a reader got %d", report.Records, readable)
	}
	lost := make([]bool, w.end)
	for _, d := range append(report.Damage, report.Lost...) {
		for o := max(d.First, 0); o <= d.Last && o < w.end; o++ {
			lost[o] = true
			if r.got[o] {
				v.violate("verify says that offset %d is lost, and it is there", o)
				return
			}
		}
	}
	for o := range w.end {
		if r.named[o] && !lost[o] {
			v.violate("a reader is told that offset %d is lost, and verify does not say so", o)
			return
		}
	}
}

// seek reads from the middle, by offset and by time.
func (w *world) seek(l *mlog.Log, r reading, rng *rand.Rand, v *verdict) {
	for range 3 {
		offset := rng.Int64N(w.end)
		w.seekOffset(l, r, offset, v)
		w.seekTime(l, r, offset, v)
	}
}

// seekOffset: the first record is the one sought, or an error names that one.
func (w *world) seekOffset(l *mlog.Log, r reading, offset int64, v *verdict) {
	from, err := l.Reader(mlog.ReaderOptions{From: mlog.At(offset)})
	if err != nil {
		if !typed(err) || r.got[offset] {
			v.violate("reader at offset %d: %v", offset, err)
		}
		return
	}
	defer from.Close()
	rec, ok, err := from.TryNext()
	var d *mlog.DamageError
	switch {
	case ok:
		if rec.Offset != offset || !w.isSame(&rec) {
			v.violate("reader at offset %d gets offset %d", offset, rec.Offset)
		}
	case r.got[offset]:
		v.violate("reader at offset %d gets nothing, %v", offset, err)
	case errors.As(err, &d) && r.named[offset] && (d.First > offset || d.Last < offset):
		v.violate("reader at offset %d: %v, which names other offsets", offset, err)
	case err == nil && r.named[offset]:
		v.violate("reader at offset %d waits, and it is lost", offset)
	case err != nil && !typed(err):
		v.violate("reader at offset %d: %v", offset, err)
	}
}

// seekTime: of the records that can be read, the first one of that time or later
// comes first; what comes before it is lost.
func (w *world) seekTime(l *mlog.Log, r reading, of int64, v *verdict) {
	t := w.records[of].Time
	at, err := l.OffsetAt(t)
	if err != nil {
		if !typed(err) || r.damage == 0 {
			v.violate("offset of the time of %d: %v", of, err)
		}
		return
	}
	for o := range w.end {
		early := w.records[o].Time.Before(t)
		if o >= at && early && r.got[o] {
			v.violate("the time of %d is said to begin at %d, and %d is older", of, at, o)
			return
		}
		if o < at && !early && (r.got[o] || r.named[o]) {
			v.violate("the time of %d is said to begin at %d, and %d is not older", of, at, o)
			return
		}
	}
}
