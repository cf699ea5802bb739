//go:build linux

package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

const (
	segmentBytes = 64 << 10
	keptSegments = 24
)

// A world is the shared log and all who use it.
type world struct {
	place, dir string
	random     *rand.Rand
	options    mlog.Options
	ledger     *ledger
	here       *resident // of this process
	tenant     *process  // the other one that stays
	lastID     atomic.Uint32

	ours, theirs course
	there        census // of the tenant, at the last checkpoint
	seen         *check.Log
	recycled     int   // segments, at checkpoints, whose files were others before
	trimmed      int64 // the highest offset before which was trimmed
	opened       atomic.Int64
	killed       atomic.Int64
	verified     int
	startedAt    uint32 // what the word that consumers sleep on began with
}

// newWorld makes the log, and has its processes open it.
func newWorld(place string, seed uint64, half int) (*world, error) {
	w := &world{
		place: place, dir: filepath.Join(place, "shared"), ledger: newLedger(), random: rand.New(rand.NewPCG(seed, 0)),
		options: mlog.Options{
			SegmentBytes: segmentBytes, FlushEvery: 20 * time.Millisecond,
			Retention: mlog.Retention{Bytes: keptSegments * segmentBytes},
		},
		ours: course{who: "this process", half: half}, theirs: course{who: "the other process", half: half},
	}
	l, err := mlog.Open(w.dir, w.options)
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	w.startedAt = ^uint32(0) - uint32(100+w.random.IntN(200))
	if err := setSequence(w.dir, w.startedAt); err != nil {
		return nil, err
	}
	if w.here, err = openResident(w.newJob("host", seed), w.ledger.add); err != nil {
		return nil, err
	}
	if w.tenant, err = start(w.newJob(tenantRole, seed)); err != nil {
		return nil, err
	}
	_, err = w.tenant.expect("ready")
	return w, err
}

func (w *world) newJob(role string, seed uint64) job {
	id := w.lastID.Add(1)
	return job{
		Role: role, ID: id, Seed: seed, Place: w.place, Dir: w.dir, Options: w.options,
		Report: filepath.Join(w.place, fmt.Sprintf("report-%d", id)),
	}
}

// live has everybody at work until the log has rolled to this count.
func (w *world) live(rolls uint64) error {
	c := newCrew(context.Background(), w.random.Uint64())
	seed := w.random.Uint64()
	if err := w.tenant.tell("run %d", seed>>1); err != nil {
		return errors.Join(err, w.tenant.quit())
	}
	c.start("this process", func(stay context.Context, _ *rand.Rand) error { return w.here.run(stay, seed) })
	c.start("processes that are killed", w.sacrifice)
	c.start("audit", w.audit)
	c.start("count rolls", func(stay context.Context, _ *rand.Rand) error {
		defer c.cancel()
		return w.awaitRolls(stay, rolls)
	})
	err := c.wait()
	if _, herr := w.tenant.ask("halted", "halt"); herr != nil {
		return errors.Join(err, herr)
	}
	return err
}

func (w *world) awaitRolls(stay context.Context, want uint64) error {
	last, at := uint64(0), time.Now()
	for stay.Err() == nil {
		have, err := w.word(rollsAt)
		if have >= want || err != nil {
			return err
		}
		if have != last {
			last, at = have, time.Now()
		}
		if time.Since(at) > patience {
			return fmt.Errorf("the log rolled %d times and then no more", have)
		}
		pause(stay, 2*time.Millisecond)
	}
	return nil
}

// audit verifies the log once, looks at it as "info" does, and sometimes trims it,
// while all others use it.
func (w *world) audit(stay context.Context, random *rand.Rand) error {
	v, err := mlog.Verify(context.Background(), w.dir, mlog.VerifyOptions{})
	if err != nil {
		return err
	}
	if len(v.Damage)+len(v.Lost) > 0 || v.TornTail != nil {
		return fmt.Errorf("verify: %+v", v)
	}
	w.verified++
	info, err := w.here.log.Info()
	if err != nil {
		return err
	}
	if len(info.Damage) > 0 || info.EndOffset < v.EndOffset || info.StartOffset < v.StartOffset {
		return fmt.Errorf("info says %+v after verify said %+v", info, v)
	}
	if random.IntN(3) > 0 {
		return nil
	}
	before := info.StartOffset + (info.EndOffset-info.StartOffset)/4
	w.trimmed = max(w.trimmed, before)
	result, err := w.here.log.Trim(context.Background(), mlog.TrimOptions{Before: mlog.At(before)})
	if err == nil && result.StartOffset < before-mostRecordsOfSegment {
		err = fmt.Errorf("trim to %d left the log to start at %d", before, result.StartOffset)
	}
	return err
}

// mostRecordsOfSegment bounds the records of one segment: each takes 32 bytes of
// value and 1 of a body at least.
const mostRecordsOfSegment = segmentBytes / (identityBytes + 1)

// checkpoint judges the log, with nobody at work, and counts.
func (w *world) checkpoint() error {
	if err := w.ledger.collect(w.tenant.Report); err != nil {
		return err
	}
	if err := w.roll(); err != nil {
		return err
	}
	end, err := w.here.log.EndOffset()
	if err != nil {
		return err
	}
	if err := w.here.settle(end); err != nil {
		return err
	}
	if w.seen, err = readAtRest(w.dir, w.isTidy); err != nil {
		return err
	}
	if w.seen.End != end {
		return fmt.Errorf("the log ends at %d, and its end was said to be %d", w.seen.End, end)
	}
	if err := w.ledger.judge(w.seen); err != nil {
		return err
	}
	w.seen.Records = nil // views of whole files, which are not to be counted
	for _, s := range w.seen.Segments {
		if s.Recycled {
			w.recycled++
		}
	}
	w.seen.Segments = nil
	return w.count(end)
}

// roll begins one more segment. Retention is done by who rolls, so what a process
// left undone that was killed then, this one makes up for.
func (w *world) roll() error {
	before, err := w.word(rollsAt)
	for now := before; now == before && err == nil; now, err = w.word(rollsAt) {
		s := &stream{first: identity{Producer: w.here.producer()}, w: w.here.streams[0].w, note: w.here.note}
		s.style = style{most: 1, least: segmentBytes / 3, length: 1}
		if err := s.append(w.random); err != nil {
			return err
		}
	}
	return err
}

// readAtRest reads a log that nobody appends to. What was begun before may go on in
// the background for a while: retention, an index, a spare. So what is wrong counts
// if it stays wrong.
func readAtRest(dir string, isTidy func(*check.Log) error) (*check.Log, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		log, err := check.Read(dir, check.Options{})
		if err == nil {
			err = isTidy(log)
		}
		if err == nil || time.Now().After(deadline) {
			return log, err
		}
	}
}

// count counts what both processes have.
func (w *world) count(end int64) error {
	limits, err := json.Marshal(w.theirs.limits())
	if err != nil {
		return err
	}
	said, err := w.tenant.ask("counted", "settle %d %s", end, limits)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(said), &w.there); err != nil {
		return err
	}
	if err := w.theirs.note(w.there.Counts); err != nil {
		return err
	}
	ours, err := settle(w.place, w.ours.limits())
	if err != nil {
		return err
	}
	return w.ours.note(ours)
}

// end has all give back what they have.
func (w *world) end() error {
	if err := w.tenant.leave(); err != nil {
		return err
	}
	if err := w.here.close(); err != nil {
		return err
	}
	return sayNothingIsLeft(w.place)
}

// bury ends what still runs, after a failure.
func (w *world) bury() {
	if w.tenant != nil {
		w.tenant.kill()
	}
}

// takeovers is how often a lock was taken from a dead producer.
func (w *world) takeovers() uint64 {
	if w.seen == nil || w.seen.Control == nil {
		return 0
	}
	return w.seen.Control.Takeovers
}

func setSequence(dir string, to uint32) error {
	f, err := os.OpenFile(filepath.Join(dir, "wake"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{byte(to), byte(to >> 8), byte(to >> 16), byte(to >> 24)}, 0)
	return errors.Join(err, f.Close())
}
