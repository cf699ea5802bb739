package faults_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// A life is a process that uses a log in every way: it appends, follows, replays,
// syncs, commits, and looks around. It may be this process or another one.
type life interface {
	// step does everything once, and says how it went.
	step() stepResult
	end()
}

// A stepResult is what one step came to.
type stepResult struct {
	Appended []string          // acknowledged
	Read     int               // records of a replay that were read, or stepped over as damage
	Errors   map[string]string // by what was done; nothing that went well
	Damaged  bool              // the replay met damage, as a typed error
}

// ownLife is one in this process.
type ownLife struct {
	name  string
	steps int
	l     *mlog.Log
	w     *mlog.Writer
	g     *mlog.Group

	stop     context.CancelFunc
	followed sync.WaitGroup
	mu       sync.Mutex
	follow   error // of the one that follows, since the last step
}

func newLife(dir, name string) (*ownLife, error) {
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: smallest, FlushEvery: 2 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	life := &ownLife{name: name, l: l}
	if life.w, err = l.Writer(mlog.WriterOptions{}); err == nil {
		life.g, err = l.Group("readers-" + name)
	}
	if err == nil {
		_, err = life.g.TryJoin()
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	life.stop = stop
	life.followed.Go(func() { life.following(ctx) })
	return life, nil
}

func (o *ownLife) step() stepResult {
	o.steps++
	r := stepResult{Errors: make(map[string]string)}
	ctx, cancel := context.WithTimeout(context.Background(), patience/2)
	defer cancel()
	note := func(what string, err error) {
		if err != nil {
			r.Errors[what] = err.Error()
		}
	}
	for i := range 3 {
		text := fmt.Sprintf("%s, step %d, record %d ", o.name, o.steps, i)
		if _, err := o.w.Append(ctx, mlog.Record{Value: []byte(text)}); err != nil {
			note("append", err)
		} else {
			r.Appended = append(r.Appended, text)
		}
	}
	note("sync", o.w.Sync(ctx))
	var err error
	r.Read, r.Damaged, err = o.replay()
	note("replay", err)
	_, err = o.l.Info()
	note("info", err)
	_, err = o.l.OffsetAt(time.Now())
	note("look up", err)
	note("commit", o.g.Commit(int64(o.steps)))
	o.mu.Lock()
	defer o.mu.Unlock()
	note("follow", o.follow)
	o.follow = nil
	return r
}

// replay reads from the start to the end, steps over damage, and looks at each
// byte, which may fault.
func (o *ownLife) replay() (read int, damaged bool, err error) {
	r, err := o.l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		return 0, false, err
	}
	defer r.Close()
	for {
		rec, ok, err := r.TryNext()
		if d := (*mlog.DamageError)(nil); errors.As(err, &d) {
			damaged = true
			read += int(d.Last - d.First + 1)
			if err = r.SkipDamage(); err == nil {
				continue
			}
		}
		if errors.Is(err, io.EOF) || err == nil && !ok {
			return read, damaged, nil
		}
		if err == nil {
			err = look(rec)
		}
		if err != nil {
			return read, damaged, err
		}
		read++
	}
}

// look reads a view, as a careful program does that expects its file to be cut.
func look(rec mlog.Record) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the view of offset %d: %v", rec.Offset, p)
		}
	}()
	_ = strings.Count(string(rec.Value), "x")
	return nil
}

// following waits for records as they come, whatever happens.
func (o *ownLife) following(ctx context.Context) {
	var r *mlog.Reader
	for ctx.Err() == nil {
		var err error
		if r == nil {
			r, err = o.l.Reader(mlog.ReaderOptions{From: mlog.End()})
		}
		var rec mlog.Record
		if err == nil {
			rec, err = r.Next(ctx)
		}
		if err == nil {
			err = look(rec)
		}
		if err != nil && ctx.Err() == nil {
			if r != nil && errors.Is(err, mlog.ErrDamaged) {
				_ = r.Seek(mlog.At(r.Offset())) // it stays at damage until it is moved: look at the file again
			}
			o.mu.Lock()
			o.follow = err
			o.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
	}
	if r != nil {
		r.Close()
	}
}

func (o *ownLife) end() {
	o.stop()
	o.followed.Wait()
	o.g.Close()
	o.l.Close() // which tells of faults that are the test's doing
}

// otherLife is one in another process, which does a step for each line it is told.
type otherLife struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func newOtherLife(t *testing.T, dir, name string) *otherLife {
	t.Helper()
	cmd := child("life", dir, name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o := &otherLife{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
	o.out.Buffer(nil, 1<<20)
	return o
}

func (o *otherLife) step() (r stepResult) {
	o.t.Helper()
	if _, err := io.WriteString(o.in, "step\n"); err != nil {
		o.t.Fatalf("the other process is gone: %v", errors.Join(err, o.cmd.Wait()))
	}
	if !o.out.Scan() {
		o.t.Fatalf("the other process died: %v", o.cmd.Wait())
	}
	if err := json.Unmarshal(o.out.Bytes(), &r); err != nil {
		o.t.Fatalf("the other process said %q", o.out.Text())
	}
	return r
}

func (o *otherLife) end() {
	o.in.Close()
	if err := o.cmd.Wait(); err != nil {
		o.t.Errorf("the other process ended with %v", err)
	}
}

func init() { roles["life"] = lifeRole }

// lifeRole (DIR NAME) takes a step for each line of its input, and answers with
// what came of it.
func lifeRole(args []string) error {
	o, err := newLife(args[0], args[1])
	if err != nil {
		return err
	}
	defer o.end()
	answers := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := answers.Encode(o.step()); err != nil {
			return err
		}
	}
	return nil
}
