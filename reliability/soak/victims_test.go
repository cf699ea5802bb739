//go:build linux

package soak

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// beVictim is a process that appends, reads, sleeps and is in a group until it is
// killed, or until the end of its input.
func beVictim(j job, note func(ack) error) error {
	l, err := mlog.Open(j.Dir, j.Options)
	if err != nil {
		return err
	}
	c := newCrew(context.Background(), j.Seed)
	for i, s := range []style{
		{most: 1, length: 2000},
		{most: 10, length: 400, pause: 200 * time.Microsecond},
		{most: 2, length: 400, ack: mlog.Durable},
	} {
		w, err := l.Writer(mlog.WriterOptions{Ack: s.ack})
		if err != nil {
			return err
		}
		c.start("append", (&stream{first: identity{Producer: uint64(j.ID) << 32, Stream: uint16(i)}, style: s, w: w, note: note}).run)
	}
	c.start("follow", func(stay context.Context, random *rand.Rand) error {
		f, err := openSomewhere(l, j.Dir, random)
		if err != nil {
			return err
		}
		defer f.reader.Close()
		return f.follow(stay)
	})
	c.start("join", func(stay context.Context, _ *rand.Rand) error { return staysMember(stay, l) })
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		}
		c.cancel()
	}()
	return errors.Join(c.wait(), l.Close())
}

// staysMember commits all the time, so that a member's death is often in a commit.
func staysMember(stay context.Context, l *mlog.Log) error {
	g, err := l.Group("victims")
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Join(stay); isOver(stay, err) {
		return nil
	} else if err != nil {
		return err
	}
	for stay.Err() == nil {
		end, err := l.EndOffset()
		if err != nil {
			return err
		}
		if err := g.Commit(end); err != nil {
			return err
		}
		pause(stay, time.Millisecond)
	}
	return nil
}

// sacrifice starts processes, one after the other, and ends them: most are killed.
func (w *world) sacrifice(stay context.Context, random *rand.Rand) error {
	for first := true; first || stay.Err() == nil; first = false {
		if err := w.sacrificeOne(random); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) sacrificeOne(random *rand.Rand) error {
	p, err := start(w.newJob(victimRole, random.Uint64()))
	if err != nil {
		return err
	}
	defer p.kill() // if not ended by then
	if err := p.awaitFirstAck(); err != nil {
		return err
	}
	time.Sleep(upTo(random, 20*time.Millisecond))
	if random.IntN(4) == 0 {
		if err := p.leave(); err != nil {
			return err
		}
	} else {
		if random.IntN(3) > 0 {
			w.aim(p, random)
		}
		w.ledger.bury(p.ID)
		p.kill()
		w.killed.Add(1)
	}
	w.opened.Add(1)
	if err := w.ledger.collect(p.Report); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	p.removeFiles()
	return nil
}

// awaitFirstAck waits until a process has been told of an append.
func (p *process) awaitFirstAck() error {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(p.Report); err == nil && info.Size() > 0 {
			return nil
		}
		select {
		case <-p.ended:
			return errors.Join(fmt.Errorf("%s left before it was told to", p), p.complaint())
		default:
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("%s has appended nothing", p), p.quit())
		}
	}
}

// Places of the control file, see docs/format.md.
const (
	lockAt  = 128
	rollsAt = 392
)

// aim stops a process, most times at an instruction between taking the log's lock
// and freeing it. Deaths that are drawn blindly seldom fall there, as the lock is
// held for a microsecond.
func (w *world) aim(p *process, random *rand.Rand) {
	for range 40 {
		_ = p.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(upTo(random, 300*time.Microsecond))
		before, err := w.word(lockAt)
		time.Sleep(300 * time.Microsecond)
		if after, _ := w.word(lockAt); err == nil && uint16(before) != 0 && uint16(after) == uint16(before) {
			return
		}
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		time.Sleep(upTo(random, 300*time.Microsecond))
	}
}

// word returns a word of the shared log's control file.
func (w *world) word(at int64) (uint64, error) {
	f, err := os.Open(filepath.Join(w.dir, "control"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, 8)
	_, err = f.ReadAt(b, at)
	return binary.LittleEndian.Uint64(b), err
}
