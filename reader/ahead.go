package reader

import (
	"errors"
	"io"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/segment"
)

// Bounds of what a reader verifies before it hands out the first record of it:
// enough that what a call costs beside hashing is shared by many records, and
// little enough that their bytes are still in the nearest cache when the caller
// comes to them.
const (
	maxAhead      = 32
	maxAheadBytes = 16 << 10
)

// ahead holds records that are verified and decoded but not handed out: those of
// [next, end). They are views, so all of them lie in the reader's segment.
type ahead struct {
	records [maxAhead]segment.Record
	next    int
	end     int
	reach   int  // how many to look for: doubled while so many are there
	dry     bool // behind them nothing was there yet
}

func (a *ahead) left() int { return a.end - a.next }

// wasFull reports whether as many were found the last time as may be, so that there
// are likely more.
func (a *ahead) wasFull() bool { return a.end == maxAhead }

// clear forgets the records. What a slot still points at nobody looks at.
func (a *ahead) clear() { a.next, a.end, a.reach, a.dry = 0, 0, 1, false }

// learnReach is called with what was found this time.
func (a *ahead) learnReach() { a.reach = min(max(2*a.end, 1), maxAhead) }

// refill verifies and decodes what comes next, and reports whether that is
// anything. The error is what stands in the way of the first record; what stands
// in the way of a later one is left for the call that comes to it.
func (r *Reader) refill() (bool, error) {
	if r.opts.Until != Unbounded && r.next >= r.opts.Until {
		return false, io.EOF
	}
	a := &r.ahead
	a.next, a.end, a.dry = 0, 0, false
	err := r.lookAhead()
	if err != nil {
		r.beginAgainAfter(err)
	}
	a.learnReach()
	if a.end > 0 {
		return true, nil
	}
	return false, err
}

// refillRun is refill of a run of lone records, if one is there, and nothing else
// is left to hand out. The caller guards against memory faults.
func (r *Reader) refillRun() {
	a := &r.ahead
	a.next, a.end, a.dry = 0, 0, false
	if r.readRun(r.next) > 0 { // else refill looks as far as it would have
		a.learnReach()
	}
}

// beginAgainAfter takes back a decoding that a fault interrupted, so that it is
// done anew should the file be readable again.
func (r *Reader) beginAgainAfter(err error) {
	var cut *fault.Error
	if errors.As(err, &cut) && r.records.Left() > 0 {
		r.records.Clear()
		r.at.position, r.at.base = r.batch.position, r.batch.base
	}
}

// lookAhead fills r.ahead with at least one record, if there is one.
func (r *Reader) lookAhead() (err error) {
	defer fault.Recover(fault.Guard(), &err)
	a := &r.ahead
	for bytes := 0; a.end < a.reach && bytes < maxAheadBytes; {
		due := r.next + int64(a.end)
		if due == r.opts.Until {
			return nil
		}
		if r.records.Left() == 0 {
			if n := r.readRun(due); n > 0 {
				return nil // what ended the run is for the next call
			}
			if a.end > 0 && !r.readPlain() {
				a.dry = a.dry || !r.at.v.Committed(r.at.position)
				return nil
			}
			if a.end == 0 {
				if ok, err := r.load(); !ok || err != nil {
					return err
				}
			}
			a.dry = false // though the run before it may have been: it came since
		}
		rec := &a.records[a.end]
		if err := r.records.Next(rec); err != nil {
			return r.malformed(err, due)
		}
		if rec.Offset < due { // the first batch may begin before the offset sought
			continue
		}
		a.end++
		bytes += len(rec.Key) + len(rec.Value)
		if rec.Headers != nil { // those of the next record would take their place
			return nil
		}
	}
	return nil
}

// readRun reads lone records from the reader's place on, and returns how many.
func (r *Reader) readRun(due int64) int {
	v, a := r.at.v, &r.ahead
	if v == nil || r.at.base != due || r.gap != nil || r.src.closed.Load() {
		return 0
	}
	room := int64(a.reach - a.end)
	if r.opts.Until != Unbounded {
		room = min(room, r.opts.Until-due)
	}
	if r.opts.Durable {
		room = min(room, r.durable-due)
	}
	if room <= 0 {
		return 0
	}
	n, next, dry := v.ReadRun(r.at.position, due, a.records[a.end:a.end+int(room)], maxAheadBytes)
	a.dry = dry
	if n > 0 {
		a.end += n
		r.stepTo(next, due+int64(n))
	}
	return n
}

// readPlain makes the batch at the reader's place the current one if it is there
// and there is nothing to decide about it. It is what load does then; in every
// other case it leaves the reader as it is.
func (r *Reader) readPlain() bool {
	var f segment.Frame
	v := r.at.v
	if v == nil || r.gap != nil || !v.Committed(r.at.position) || v.Read(r.at.position, r.at.base, &f) != nil ||
		f.IsEnd() || f.IsLost() || r.opts.Durable && f.End() > r.durable {
		return false
	}
	r.stepTo(f.Next(), f.End())
	r.records.Reset(&f)
	return true
}

// stepTo moves the reader on within its segment.
func (r *Reader) stepTo(position, base int64) {
	r.torn, r.awaited = false, 0
	r.batch = r.at
	r.at.position, r.at.base = position, base
}
