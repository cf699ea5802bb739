package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// A runner calls the run scripts of peers.
type runner struct {
	root  string        // folders of peers
	data  string        // where measurements keep their records
	limit time.Duration // of one measurement
}

const prepareLimit = 15 * time.Minute // it may install a broker, and build with cold caches

// errLate says that a call took too long and was killed.
var errLate = errors.New("killed after")

// prepare has a peer built.
func (r *runner) prepare(ctx context.Context, p Peer) error {
	_, err := r.call(ctx, p, prepareLimit, "prepare", p.Name)
	return err
}

// bench makes one measurement, with a directory of its own. What it leaves for the disk to write is written before
// bench returns: the next measurement is not to wait for that.
func (r *runner) bench(ctx context.Context, p Peer, c Case, seconds float64) (harness.Result, error) {
	dir, err := os.MkdirTemp(r.data, "")
	if err != nil {
		return harness.Result{}, err
	}
	defer syscall.Sync()
	defer os.RemoveAll(dir)
	out, err := r.call(ctx, p, r.limit, append([]string{"bench", p.Name}, c.flags(seconds, dir)...)...)
	if err != nil {
		return harness.Result{}, err
	}
	return parseResult(out, p, c)
}

// call runs a folder's script in a process group of its own, and returns what it wrote. Whatever is left of the
// group afterwards is killed.
func (r *runner) call(ctx context.Context, p Peer, limit time.Duration, args ...string) ([]byte, error) {
	script, err := filepath.Abs(filepath.Join(r.root, p.Folder, "run"))
	if err != nil {
		return nil, err
	}
	var out, complaints bytes.Buffer
	cmd := exec.Command(script, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second // for the pipes, should a process outside the group hold them
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	killGroup := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err = <-ended:
		killGroup()
	case <-timer.C:
		killGroup()
		<-ended
		return nil, fmt.Errorf("%w %v%s", errLate, limit, lastLine(": ", complaints.String()))
	case <-ctx.Done():
		killGroup()
		<-ended
		return nil, ctx.Err()
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) { // that one: it ended well, and left somebody with its output
		return nil, fmt.Errorf("%w%s", err, lastLine(": ", complaints.String()))
	}
	return out.Bytes(), nil
}

// lastLine returns the last line that is not empty, with a prefix, or "".
func lastLine(prefix, text string) string {
	text = strings.TrimSpace(text)
	text = strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
	if text == "" {
		return ""
	}
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return prefix + text
}

// parseResult reads the last line of what a measurement wrote, and checks that it is of what was asked for.
func parseResult(out []byte, p Peer, c Case) (harness.Result, error) {
	var r harness.Result
	line := lastLineOf(out)
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("its last line is no result: %w%s", err, lastLine(": ", string(line)))
	}
	got := Case{Work: r.Work, Size: r.Size, Producers: r.Producers, Consumers: r.Consumers, Durable: r.Durable, Spin: c.Spin}
	switch {
	case r.Peer != p.Name:
		return r, fmt.Errorf("its result is of peer %q", r.Peer)
	case r.Skipped != "" || r.Inapplicable != "":
		return r, nil
	case got != c:
		return r, fmt.Errorf("its result is of %v", got)
	case r.Rate <= 0 || r.Seconds <= 0 || r.Records <= 0:
		return r, fmt.Errorf("its result has no figures: %d records in %g s, %g a second", r.Records, r.Seconds, r.Rate)
	case c.Work == harness.Latency && (r.Latency == nil || r.Latency.Count <= 0):
		return r, errors.New("its result has no latencies")
	}
	return r, nil
}

func lastLineOf(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}
