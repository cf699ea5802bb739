// Command bench measures mlog against the machine's limit: each figure stands
// beside that of a loop which does only the work that no log can avoid, taken in
// turns with it, so that both see the same machine. See README.md on how to read
// what it prints.
//
//	go run .                    everything, in under five minutes
//	go run . -quick             in under one, for a look
//	go run . -only 'append|tail'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/chart"
	"github.com/seed27ccf144/mlog/bench/internal/machine"
	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
)

type options struct {
	out, dir, only string
	gate           string
	quick          bool
	pairs          int
	seed           uint64
}

func main() {
	if os.Getenv(proc.Role) != "" {
		os.Exit(exitCode(os.Stderr, serve(os.Stdin, os.Stdout)))
	}
	var o options
	flag.StringVar(&o.out, "out", "results", "`directory` for the JSON and SVG files")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "`directory` on a real filesystem, for the logs; they are removed")
	flag.StringVar(&o.only, "only", "", "measure only rows that match `regex`")
	flag.BoolVar(&o.quick, "quick", false, "fewer and shorter pairs, without what cannot be short: under a minute")
	flag.IntVar(&o.pairs, "pairs", 0, "measure `N` pairs in each row, instead of what its time allows")
	flag.Uint64Var(&o.seed, "seed", 1, "of what records hold")
	flag.StringVar(&o.gate, "gate", "", "compare with an older build of this program at `path`, and fail if that is quicker")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: it takes no arguments, only flags: %q\n", flag.Args())
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.gate != "" {
		os.Exit(exitCode(os.Stderr, gate(ctx, o, os.Stdout)))
	}
	os.Exit(exitCode(os.Stderr, run(ctx, o, os.Stdout, os.Stderr)))
}

func exitCode(stderr io.Writer, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUnsure):
		fmt.Fprintf(stderr, "skipped: %v\n", err) // as the script gate does
		return 75
	}
	fmt.Fprintf(stderr, "bench: %v\n", err)
	return 1
}

// A row is a measurement of one of the goals, which adds one or more lines to the report.
type row struct {
	name           string
	seconds, quick int // about how long it takes
	measure        func(*session) error
}

func rows() []row {
	return []row{
		{"append", 36, 3, measureAppend},
		{"batches", 7, 2, measureBatches},
		{"contend", 11, 2, measureContend},
		{"stream", 24, 3, measureStream},
		{"spinning", 17, 3, measureSpinning},
		{"parked", 32, 6, measureParked},
		{"replay", 6, 2, measureReplay},
		{"durable", 13, 5, measureDurable},
		{"shell", 10, 4, measureShell},
		{"fanout", 8, 3, measureFanout},
		{"tail", 19, 4, measureTail},
		{"allocs", 3, 2, measureAllocs},
		{"growth", 90, 5, measureGrowth},
		{"idle", 5, 8, measureIdle},
	}
}

// run measures what was asked for, and reports it. A row that fails becomes a line
// that says so, and an error at the end.
func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	chosen, err := choose(o)
	if err != nil {
		return err
	}
	s, err := newSession(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	began := time.Now()
	var failed []error
	attempt := func(name string, f func() error) {
		if err := f(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			s.add(report.Missing(name, name, "", "failed: "+err.Error()))
		}
	}
	s.progress.plan(chosen, o.quick)
	for _, r := range chosen {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.progress.begin(r.name)
		attempt(r.name, func() error { return s.inDir(r.name, func() error { return r.measure(s) }) })
	}
	s.progress.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.report.Seconds = time.Since(began).Seconds()
	if err := publish(s.report, o.out, stdout); err != nil {
		return err
	}
	return errors.Join(failed...)
}

func choose(o options) (chosen []row, err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
		if only.MatchString(r.name) {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only %q matches no row: they are %s", o.only, strings.Join(names, ", "))
	}
	return chosen, nil
}

// publish prints the table and writes the files.
func publish(r *report.Report, out string, stdout io.Writer) error {
	if err := r.WriteTable(stdout); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	name := filepath.Join(out, r.Machine.Time.Format("20060102-150405")+".json")
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := errors.Join(r.WriteJSON(f), f.Close()); err != nil {
		return err
	}
	charts, err := chart.Write(out, r)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nwritten to %s: %s %s\n", out, filepath.Base(name), strings.Join(charts, " "))
	return nil
}

func newSession(ctx context.Context, o options, stderr io.Writer) (*session, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(o.dir, "mlog-bench-")
	if err != nil {
		return nil, err
	}
	return &session{
		ctx: ctx, options: o, program: program, root: root, dir: root, progress: newProgress(stderr),
		report: &report.Report{Machine: machine.Look(root), Command: "bench " + strings.Join(os.Args[1:], " "), Quick: o.quick, Seed: o.seed},
	}, nil
}
