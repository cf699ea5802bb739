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
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "bench: %v\n", err)
	return 1
}

// A row is a measurement, which adds one or more lines to the report.
type row struct {
	name           string
	seconds, quick int // about how long it takes; 0: not in the short form
	measure        func(*session) error
}

func rows() []row {
	return []row{
		{"append", 20, 5, measureAppend},
		{"batches", 8, 3, measureBatches},
		{"contend", 10, 3, measureContend},
		{"stream", 12, 4, measureStream},
		{"spinning", 14, 4, measureSpinning},
		{"parked", 24, 6, measureParked},
		{"replay", 8, 3, measureReplay},
		{"durable", 14, 5, measureDurable},
		{"growth", 100, 8, measureGrowth},
		{"shell", 18, 5, measureShell},
		{"fanout", 8, 3, measureFanout},
		{"tail", 12, 4, measureTail},
		{"allocs", 2, 1, measureAllocs},
	}
}

// run measures what was asked for, and reports it. A row that fails becomes a line
// that says so, and an error at the end.
func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	chosen, idling, err := choose(o)
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
	var idle *idlers
	if idling { // it waits beside the others, which costs nobody anything
		attempt("idle", func() (err error) { idle, err = s.startIdlers(); return err })
	}
	s.progress.plan(chosen, o.quick)
	for _, r := range chosen {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.progress.begin(r.name)
		attempt(r.name, func() error { return s.inDir(r.name, func() error { return r.measure(s) }) })
	}
	if idle != nil {
		s.progress.begin("idle")
		attempt("idle", func() error { return idle.judge(s) })
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

func choose(o options) (chosen []row, idle bool, err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, false, fmt.Errorf("-only: %w", err)
	}
	names := []string{"idle"}
	for _, r := range rows() {
		names = append(names, r.name)
		if only.MatchString(r.name) {
			chosen = append(chosen, r)
		}
	}
	idle = only.MatchString("idle")
	if len(chosen) == 0 && !idle {
		return nil, false, fmt.Errorf("-only %q matches no row: they are %s", o.only, strings.Join(names, ", "))
	}
	return chosen, idle, nil
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
