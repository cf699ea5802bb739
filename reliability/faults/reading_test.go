package faults_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// The scenarios of reading. A reader may get errors; what it gets besides must be
// right.
var readingScenarios = []scenario{
	{"read", closedLog, func(w *world) {
		if w.openToRead(w.options()) {
			w.readAll(mlog.ReaderOptions{})
			w.seeks()
			w.lookUps()
		}
	}},
	{"read without an index", func(w *world) {
		closedLog(w)
		paths, err := filepath.Glob(filepath.Join(w.dir, "*.idx"))
		w.note(err)
		for _, path := range paths {
			w.note(os.Remove(path))
		}
	}, func(w *world) {
		if w.openToRead(w.options()) {
			w.seeks()
			w.lookUps()
		}
	}},
	{"read before recovery", func(w *world) {
		openLog(w)
		w.fill(8)
		w.appendDurable("this one is on disk")
		w.fill(4)
		reboot(w)
	}, func(w *world) {
		if w.openToRead(w.options()) {
			w.readAll(mlog.ReaderOptions{})
			w.lookUps()
		}
	}},
	{"read a torn log before recovery", func(w *world) {
		openLog(w)
		w.fill(7)
		reboot(w)
		tear(w)
	}, func(w *world) {
		if w.openToRead(w.options()) {
			w.readAll(mlog.ReaderOptions{})
			w.lookUps()
		}
	}},
	{"info", func(w *world) {
		closedLog(w)
		w.openToRead(w.options())
		w.useGroup()
		w.close()
	}, func(w *world) {
		if !w.openToRead(w.options()) {
			return
		}
		info, err := w.log.Info()
		if !w.note(err) {
			return
		}
		if info.StartOffset != 0 || info.EndOffset != w.end || info.Segments != 3 {
			w.breach("info says start %d, end %d, %d segments; the end is %d", info.StartOffset, info.EndOffset, info.Segments, w.end)
		}
		// What is wrong with a group or the settings is told in Damage.
		for _, d := range info.Damage {
			w.note(told(d.Segment + ": " + d.Reason))
		}
		if len(info.Damage) == 0 && (len(info.Groups) != 1 || info.Groups[0].Committed != 5) {
			w.breach("info says groups %+v", info.Groups)
		}
	}},
	{"verify", closedLog, func(w *world) {
		v, err := mlog.Verify(context.Background(), w.dir, mlog.VerifyOptions{})
		if !w.note(err) {
			return
		}
		for _, d := range v.Damage {
			w.note(told(d.Error())) // a file that the disk does not read is damage to those who verify
		}
		if len(v.Damage) == 0 && (v.Records != w.end || v.TornTail != nil || len(v.Lost) > 0) {
			w.breach("verify says %d records, %+v, %v; there are %d", v.Records, v.TornTail, v.Lost, w.end)
		}
	}},
	{"follow", openLog, func(w *world) {
		r, err := w.log.Reader(mlog.ReaderOptions{From: mlog.End()})
		if !w.note(err) {
			return
		}
		defer r.Close()
		w.eachArrives(func(ctx context.Context) (mlog.Record, error) { return r.Next(ctx) })
	}},
	{"wait for several", openLog, func(w *world) {
		r, err := w.log.Reader(mlog.ReaderOptions{From: mlog.End()})
		if !w.note(err) {
			return
		}
		defer r.Close()
		w.eachArrives(func(ctx context.Context) (mlog.Record, error) {
			for {
				rec, ok, err := r.TryNext()
				if ok || err != nil {
					return rec, err
				}
				if err := mlog.WaitAny(ctx, r); err != nil {
					return rec, err
				}
			}
		})
	}},
}

// readAll reads all that there is, stepping over nothing, and twice: an error that
// was passing must not stay.
func (w *world) readAll(o mlog.ReaderOptions) {
	for range 2 {
		next, err := w.scan(w.log, o)
		if w.note(err) && next != w.end {
			w.breach("the log was read to offset %d without an error, it ends at %d", next, w.end)
		}
	}
}

// seeks goes to each record by its offset.
func (w *world) seeks() {
	r, err := w.log.Reader(mlog.ReaderOptions{})
	if !w.note(err) {
		return
	}
	defer r.Close()
	for offset := w.end - 1; offset >= 0; offset-- {
		if !w.note(r.Seek(mlog.At(offset))) {
			continue
		}
		rec, ok, err := r.TryNext()
		if !w.note(err) {
			continue
		}
		if !ok || rec.Offset != offset || string(rec.Value) != w.records[offset] {
			w.breach("at offset %d there is %t, offset %d, %q", offset, ok, rec.Offset, brief(string(rec.Value)))
		}
	}
}

// lookUps asks for offsets, by end and by time.
func (w *world) lookUps() {
	if end, err := w.log.EndOffset(); w.note(err) && end != w.end {
		w.breach("the end is said to be %d, it is %d", end, w.end)
	}
	if start, err := w.log.StartOffset(); w.note(err) && start != 0 {
		w.breach("the start is said to be %d, it is 0", start)
	}
	if first, err := w.log.OffsetAt(time.Unix(1, 0)); w.note(err) && first != 0 {
		w.breach("the first record by time is said to be %d, it is 0", first)
	}
	if past, err := w.log.OffsetAt(time.Now().Add(time.Hour)); w.note(err) && past != w.end {
		w.breach("the end by time is said to be %d, it is %d", past, w.end)
	}
	if durable, err := w.log.DurableOffset(); w.note(err) && (durable < w.durable || durable > w.end) {
		w.breach("durable is said to be %d, at least it is %d, and the end is %d", durable, w.durable, w.end)
	}
}

// eachArrives appends records while somebody waits for them.
func (w *world) eachArrives(next func(ctx context.Context) (mlog.Record, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), patience/2)
	defer cancel()
	type arrival struct {
		offset int64
		err    error
	}
	arrived := make(chan arrival, 1)
	for range 3 {
		before := w.end
		go func() {
			rec, err := next(ctx)
			arrived <- arrival{rec.Offset, err}
		}()
		time.Sleep(3 * time.Millisecond) // so that it sleeps; if not, no matter
		for !w.append("news") && w.writer != nil && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		a := <-arrived
		if w.note(a.err) && a.offset != before {
			w.breach("offset %d arrived, %d was appended", a.offset, before)
		}
		if a.err != nil && (errors.Is(a.err, context.DeadlineExceeded) || errors.Is(a.err, io.EOF)) {
			w.breach("a record did not arrive: %v", a.err)
			return
		}
	}
}

func lastIndex(data []byte, text string) int { return bytes.LastIndex(data, []byte(text)) }

// told is an error of which only the text has come down.
type told string

func (e told) Error() string { return string(e) }

// Is reports whether the text holds what target says.
func (e told) Is(target error) bool { return strings.Contains(string(e), target.Error()) }
