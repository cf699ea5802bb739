// Command peers measures what programs use to hand records to each other, and to keep them, side by side: mlog among
// them, and each the same work. README.md says what is measured and how to add a peer.
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
	"runtime"
	"syscall"
	"time"
)

// Settings are the command line.
type Settings struct {
	Root     string
	Only     string
	Cases    string
	Quick    bool
	Prepare  bool
	Prepared bool
	Rounds   int
	Seconds  float64
	Limit    time.Duration
	JSON     string
	Add      bool
	Render   bool
	Markdown string
	SVG      string
}

func main() {
	runtime.LockOSThread() // what is started dies with this thread, should the process be killed
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "peers:", err)
		}
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (Settings, error) {
	var s Settings
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&s.Root, "root", ".", "directory with the peers' folders")
	f.StringVar(&s.Only, "only", ".*", "measure the peers whose name or folder is `REGEX`")
	f.StringVar(&s.Cases, "cases", "", "measure the cases in whose name `REGEX` is found, as \"stream 256\"")
	f.BoolVar(&s.Quick, "quick", false, "one round of 0.2 s")
	f.BoolVar(&s.Prepare, "prepare", false, "install and build, and measure nothing")
	f.BoolVar(&s.Prepared, "prepared", false, "everything is installed and built: go on to measure")
	f.IntVar(&s.Rounds, "rounds", 3, "how often everything is measured")
	f.Float64Var(&s.Seconds, "seconds", 0.5, "length of a measurement")
	f.DurationVar(&s.Limit, "limit", 30*time.Second, "kill a measurement that takes longer")
	f.StringVar(&s.JSON, "json", "", "write all figures to `FILE`")
	f.BoolVar(&s.Add, "add", false, "keep what the file of -json has, and add to it")
	f.BoolVar(&s.Render, "render", false, "measure nothing, and write the tables and charts of what the file of -json has")
	f.StringVar(&s.Markdown, "md", "", "write the tables to `FILE`")
	f.StringVar(&s.SVG, "svg", "", "write the charts into `DIR`")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.Quick {
		set := map[string]bool{}
		f.Visit(func(f *flag.Flag) { set[f.Name] = true })
		if !set["rounds"] {
			s.Rounds = 1
		}
		if !set["seconds"] {
			s.Seconds = 0.2
		}
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case s.Rounds < 1 || s.Seconds <= 0 || s.Limit <= 0:
		return s, errors.New("-rounds, -seconds and -limit must be above 0")
	case (s.Add || s.Render) && s.JSON == "":
		return s, errors.New("-add and -render need -json")
	}
	return s, nil
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	s, err := parse(args, progress)
	if err != nil {
		return err
	}
	report := &Report{}
	if s.Add || s.Render {
		if report, err = loadReport(s.JSON); err != nil {
			return err
		}
	}
	if s.Render {
		return write(report, s, out)
	}
	if err := collect(ctx, s, report, progress); err != nil || s.Prepare {
		return err
	}
	return write(report, s, out)
}

// collect measures, and adds to the report. What was measured before it is interrupted is saved.
func collect(ctx context.Context, s Settings, report *Report, progress io.Writer) (err error) {
	peers, err := discover(s.Root)
	if err != nil {
		return err
	}
	if peers, err = only(peers, s.Only); err != nil {
		return err
	}
	cases, err := onlyCases(matrix(), s.Cases)
	if err != nil {
		return err
	}
	data, err := dataDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	report.Machine, report.Seconds = thisMachine(data), s.Seconds
	c := &campaign{
		runner: &runner{root: s.Root, data: data, limit: s.Limit},
		report: report, peers: peers, cases: cases, rounds: s.Rounds, seconds: s.Seconds, progress: progress,
		save: func() error { return nil },
	}
	if s.JSON != "" {
		c.save = func() error { return report.save(s.JSON) }
	}
	if !s.Prepared {
		if peers, err = c.prepareAll(ctx); err != nil || s.Prepare {
			return err
		}
	}
	return errors.Join(c.measure(ctx, peers), c.save())
}

// dataDir makes a directory for what peers keep: where the cache is, since that is on a disk, as temporary
// directories often are not. Its name is short, for sockets are made in it.
func dataDir() (string, error) {
	cache := os.Getenv("MLOG_BENCH_CACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache", "mlog-bench")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(cache, "data")
}

// write prints the tables, and writes the files that were asked for.
func write(report *Report, s Settings, out io.Writer) error {
	text := report.markdown()
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if s.Markdown != "" {
		if err := os.WriteFile(s.Markdown, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if s.SVG != "" {
		return report.charts(s.SVG)
	}
	return nil
}
