// Package peer runs what mlog is compared with. Each peer lives in a folder of its
// own below bench/peers, with its own dependencies, and is used only through the
// script "run" there; bench/peers says what that must do.
package peer

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
)

// A Result is what one measurement of a peer came to.
type Result struct {
	Peer         string   `json:"peer"`
	Version      string   `json:"version"`
	Rate         float64  `json:"rate"` // records a second
	Latency      *Latency `json:"latency_ns"`
	Skipped      string   `json:"skipped"`
	Inapplicable string   `json:"inapplicable"`
}

// A Latency has percentiles in nanoseconds.
type Latency struct {
	Count, P50, P90, P99, P999, P9999, Max int64
}

// A Peer is one that is there.
type Peer struct {
	Name, Title string
	run         string
}

// Find looks for a peer by name below dir. The error, on one line, is a reason to
// go on without it.
func Find(dir, name string) (*Peer, error) {
	lists, err := filepath.Glob(filepath.Join(dir, "*", "peers.json"))
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			return nil, err
		}
		var peers []Peer
		if err := json.Unmarshal(text, &peers); err != nil {
			return nil, fmt.Errorf("%s: %w", list, err)
		}
		for _, p := range peers {
			if p.Name == name {
				p.run = filepath.Join(filepath.Dir(list), "run")
				return &p, nil
			}
		}
	}
	return nil, fmt.Errorf("peer not installed: %s", name)
}

// Prepare builds the peer, and may install what it needs.
func (p *Peer) Prepare(ctx context.Context) error {
	_, err := p.call(ctx, 10*time.Minute, "prepare", p.Name)
	return err
}

// Bench runs one measurement in a fresh directory below dir, which is removed
// afterwards. The peer must have been prepared.
func (p *Peer) Bench(ctx context.Context, dir string, flags ...string) (r Result, err error) {
	tmp, err := os.MkdirTemp(dir, "peer-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(tmp)
	out, err := p.call(ctx, 30*time.Second, append([]string{"bench", p.Name, "-dir", tmp}, flags...)...)
	if err != nil {
		return r, err
	}
	return parse(out)
}

// call runs the peer's script and returns what it wrote.
func (p *Peer) call(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, p.run, args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	// The script may start others. They are one group, which ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("peer %s did not run: %s", p.Name, reason(err, stderr.String()))
	}
	return stdout.String(), nil
}

func parse(out string) (r Result, err error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		return r, fmt.Errorf("a peer's last line is no result: %w", err)
	}
	switch {
	case r.Skipped != "":
		return r, errors.New("peer skipped: " + r.Skipped)
	case r.Inapplicable != "":
		return r, errors.New("peer has no such thing: " + r.Inapplicable)
	case r.Rate <= 0:
		return r, errors.New("peer reported no rate")
	}
	return r, nil
}

func reason(err error, stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return err.Error()
}
