package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/report"
)

// measureShell has the command take a file of lines into a log, and write them out
// to another file, each in turns with cat from file to file: a shell can do no
// less than have one process read it all and write it all.
//
// All that can be alike is. Input and outputs are on one filesystem, and the input is
// in the page cache, having been written just before. What an earlier turn wrote of
// the same kind is removed beforehand, so that each writes new files; before produce,
// which syncs, the copy as well, so that no pages of it are written meanwhile. The
// clock runs from the start of the process to its end, exit and closing included. Two
// things remain that cat has not got to do: produce ends with all of it on disk, and
// both hash every byte. The command has its default settings.
func measureShell(s *session) error {
	const lineBytes = 100
	lines := 2_000_000
	if s.options.quick {
		lines = 500_000
	}
	command := s.path("mlog")
	build := exec.CommandContext(s.ctx, "go", "build", "-C", "..", "-o", command, "./cmd/mlog")
	if out, err := build.CombinedOutput(); err != nil {
		s.add(report.Missing("shell", "shell, 100-byte lines", "≥ 2 M/s, ≥ 0.25 × cat", fmt.Sprintf("cmd/mlog cannot be built from here: %s", bytes.TrimSpace(out))))
		return nil
	}
	input := s.path("lines")
	if err := os.WriteFile(input, text(lines, lineBytes, s.options.seed), 0o600); err != nil {
		return err
	}
	log, output := s.path("log"), s.path("out")
	rate := func(in, out string, args ...string) side {
		return func() (float64, error) {
			seconds, err := s.shellRun(in, out, args...)
			return float64(lines) / seconds, err
		}
	}
	produce := rate(input, "", command, "produce", log)
	consume := rate("", output, command, "consume", log, "--exit-eof")
	cat := rate(input, output, "cat")
	figures, err := s.takeTurns(s.pairs(3, 1), cat, func() (float64, error) {
		_ = os.RemoveAll(log)
		_ = os.Remove(output)
		return produce()
	}, func() (float64, error) { // after or before its produce, as the turn is; then of the round before
		if _, err := os.Stat(log); err != nil {
			if _, err := produce(); err != nil {
				return 0, err
			}
		}
		figure, err := consume()
		if err != nil {
			return 0, err
		}
		return figure, same(input, output)
	})
	if err != nil {
		return err
	}
	for i, name := range []string{"mlog produce < file", "mlog consume > file"} {
		l := report.Paired("shell", name+", 100-byte lines", "lines/s", "cat", figures[i+1], figures[0])
		s.add(l.Judged("≥ 2 M/s and ≥ 0.25", l.Mlog >= 2e6 && l.Ratio.Median >= 0.25))
	}
	return nil
}

// shellRun runs a command with files as its input and output, as a shell does.
func (s *session) shellRun(in, out string, args ...string) (seconds float64, err error) {
	cmd := exec.CommandContext(s.ctx, args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if in != "" {
		f, err := os.Open(in)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	if out != "" {
		if err := os.Remove(out); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		f, err := os.Create(out)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		cmd.Stdout = f
	}
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return time.Since(began).Seconds(), nil
}

// text returns lines of so many bytes, the newline included.
func text(lines, lineBytes int, seed uint64) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,.;:-_"
	noise := block(seed)
	out := make([]byte, lines*lineBytes)
	for i := range lines {
		line := out[i*lineBytes : (i+1)*lineBytes]
		for k := range line {
			line[k] = letters[int(noise[(i*37+k)%len(noise)])%len(letters)]
		}
		line[lineBytes-1] = '\n'
	}
	return out
}

// same compares files.
func same(a, b string) error {
	x, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(x, y) {
		return fmt.Errorf("%s and %s differ: what came out is not what went in", a, b)
	}
	return nil
}
