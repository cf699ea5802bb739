//go:build linux

package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// Places of the wake file, and the bound of a sleep, see docs/format.md.
const (
	sequenceAt = 0
	flagAt     = 64
	backstop   = 2 * time.Second
)

// A wake-up that takes this long may have been none: a sleeper that was forgotten
// comes back by the backstop. On a machine with much else to do it may also have
// taken its time, so one alone proves nothing. See judge.
const slowWakeUp = backstop / 2

// sleepers are the ways to sleep, each of which is done in one process at least.
var sleepers = []string{"reader", "second reader", "any", "notified", "other process"}

// A wrapper is the log whose word that consumers sleep on wraps all the time.
type wrapper struct {
	dir     string
	options mlog.Options
	idle    *mlog.Log // another log, of which WaitAny awaits a reader as well
	tenant  *process
	passes  int
	tallies map[string]*wakeUps
}

// wakeUps of one kind of sleeper: all, and those for which the word became 0.
type wakeUps struct{ all, slow, crossings, slowCrossings int }

func newWrapper(w *world) (*wrapper, error) {
	x := &wrapper{dir: filepath.Join(w.place, "wrap"), options: w.options, tenant: w.tenant, idle: w.here.log, tallies: make(map[string]*wakeUps)}
	x.options.FlushEvery = -1 // a flush wakes, too
	for _, kind := range sleepers {
		x.tallies[kind] = new(wakeUps)
	}
	l, err := mlog.Open(x.dir, x.options)
	if err != nil {
		return nil, err
	}
	return x, l.Close()
}

// A pass is one wrap: how many records are appended, and what is told of them.
type pass struct {
	*crew
	*wrapper
	n    int
	woke chan string // the kind of a sleeper that got its next record
}

// pass sets the word, with nobody there, to a few before 2^32, has sleepers of all
// kinds come, and wakes them until it is a few after.
func (x *wrapper) pass(random *rand.Rand) error {
	x.passes++
	before, after := 1+random.IntN(6), 1+random.IntN(4)
	if err := setSequence(x.dir, -uint32(before)); err != nil {
		return err
	}
	producer, err := mlog.Open(x.dir, x.options)
	if err != nil {
		return err
	}
	stay, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p := &pass{crew: newCrew(stay, 0), wrapper: x, n: before + after, woke: make(chan string, len(sleepers))}
	err = p.play(producer, random)
	if err != nil {
		p.cancel()
	}
	return errors.Join(err, p.wait(), producer.Close())
}

func (p *pass) play(l *mlog.Log, random *rand.Rand) error {
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		return err
	}
	both, err := mlog.Open(p.dir, p.options)
	if err != nil {
		return err
	}
	defer both.Close() // its readers go on until they are closed, but they are not asleep then
	for _, kind := range sleepers {
		if err := p.lieDown(kind, both); err != nil {
			return err
		}
	}
	wrapped := 0
	for range p.n {
		crossed, err := p.wakeAll(w, random)
		if err != nil {
			return err
		}
		if crossed {
			wrapped++
		}
	}
	if wrapped != 1 {
		return fmt.Errorf("%d records were appended from %d wake-ups before 2^32 on, and it wrapped %d times", p.n, p.n, wrapped)
	}
	return p.crew.wait()
}

// lieDown starts one sleeper. The first two share a log, so that one of them sleeps
// for both.
func (p *pass) lieDown(kind string, both *mlog.Log) error {
	if kind == "other process" {
		if _, err := p.tenant.ask("asleep", "sleep %d %s", p.n, p.dir); err != nil {
			return err
		}
		p.start(kind, p.listen)
		return nil
	}
	l := both
	if kind == "any" || kind == "notified" {
		var err error
		if l, err = mlog.Open(p.dir, p.options); err != nil {
			return err
		}
	}
	reader, err := l.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		return err
	}
	p.start(kind, func(stay context.Context, _ *rand.Rand) error {
		err := p.sleep(stay, kind, l, reader)
		err = errors.Join(err, reader.Close())
		if l != both {
			err = errors.Join(err, l.Close())
		}
		return err
	})
	return nil
}

// sleep waits for all records in the manner of its kind.
func (p *pass) sleep(stay context.Context, kind string, l *mlog.Log, reader *mlog.Reader) (err error) {
	var wait func() error
	switch kind {
	case "any":
		other, err := p.idle.Reader(mlog.ReaderOptions{From: mlog.End()})
		if err != nil {
			return err
		}
		defer other.Close()
		wait = func() error { return mlog.WaitAny(stay, reader, other) }
	case "notified":
		n, err := l.Notifier()
		if err != nil {
			return err
		}
		defer n.Close()
		wait = func() error { return awaitEvent(stay, n) }
	}
	for got := 0; got < p.n; {
		ok := true
		if wait == nil {
			_, err = reader.Next(stay)
		} else if _, ok, err = reader.TryNext(); err == nil && !ok {
			err = wait()
		}
		if err == nil {
			err = stay.Err()
		}
		if err != nil {
			return fmt.Errorf("slept for record %d of %d: %w", got+1, p.n, err)
		}
		if ok {
			got++
			p.woke <- kind
		}
	}
	return nil
}

// listen passes on what the sleeper in the other process says.
func (p *pass) listen(context.Context, *rand.Rand) error {
	for range p.n {
		if _, err := p.tenant.expect("got"); err != nil {
			return err
		}
		p.woke <- "other process"
	}
	_, err := p.tenant.expect("rose")
	return err
}

// wakeAll appends one record when the sleepers sleep, and waits for all of them to
// have it. It reports whether the word wrapped.
func (p *pass) wakeAll(w *mlog.Writer, random *rand.Rand) (crossed bool, err error) {
	if err := p.awaitSleep(random); err != nil {
		return false, err
	}
	before, err := wakeWord(p.dir, sequenceAt)
	if err != nil {
		return false, err
	}
	began := time.Now()
	if _, err := w.Append(p.stay, mlog.Record{Value: []byte(strconv.Itoa(int(before)))}); err != nil {
		return false, err
	}
	after, err := wakeWord(p.dir, sequenceAt)
	if err != nil {
		return false, err
	}
	crossed = after < before
	for range sleepers {
		select {
		case kind := <-p.woke:
			p.tallies[kind].add(time.Since(began), crossed)
		case <-p.stay.Done():
			return false, fmt.Errorf("a sleeper was not woken when the word went from %d to %d", before, after)
		}
	}
	return crossed, nil
}

// awaitSleep returns when somebody is asleep, or about to be, and gives the others
// time for that too: much of it before the wrap.
func (p *pass) awaitSleep(random *rand.Rand) error {
	for p.stay.Err() == nil {
		flag, err := wakeWord(p.dir, flagAt)
		if err != nil {
			return err
		}
		if flag != 0 {
			break
		}
		pause(p.stay, 100*time.Microsecond)
	}
	sequence, err := wakeWord(p.dir, sequenceAt)
	if sequence == ^uint32(0) {
		pause(p.stay, 15*time.Millisecond)
	}
	pause(p.stay, upTo(random, 2*time.Millisecond))
	return err
}

func (u *wakeUps) add(took time.Duration, crossed bool) {
	u.all++
	if took > slowWakeUp {
		u.slow++
	}
	if crossed {
		u.crossings++
		if took > slowWakeUp {
			u.slowCrossings++
		}
	}
}

// judge tells a wake-up that is lost each time from one that was late: of each kind
// most must have been in time at the wrap, and nearly all at any time.
func (x *wrapper) judge() error {
	for _, kind := range sleepers {
		u := *x.tallies[kind]
		if u.crossings >= 3 && 2*u.slowCrossings >= u.crossings || u.slow > 3+u.all/50 {
			return fmt.Errorf("wake-ups of more than %v, of a sleeper of the kind %q: %d of %d at the wrap, %d of %d in all",
				slowWakeUp, kind, u.slowCrossings, u.crossings, u.slow, u.all)
		}
	}
	return nil
}

// wakeWord returns a word of a log's wake file.
func wakeWord(dir string, at int64) (uint32, error) {
	f, err := os.Open(filepath.Join(dir, "wake"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, 4)
	_, err = f.ReadAt(b, at)
	return binary.LittleEndian.Uint32(b), err
}

// slow is how many wake-ups were late, and how many there were.
func (x *wrapper) slow() (slow, all int) {
	for _, u := range x.tallies {
		slow, all = slow+u.slow, all+u.all
	}
	return slow, all
}
