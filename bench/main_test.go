package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"
)

// The test program is its own worker, as bench is.
func TestMain(m *testing.M) {
	if os.Getenv(proc.Role) != "" {
		os.Exit(exitCode(os.Stderr, serve(os.Stdin, os.Stdout)))
	}
	os.Exit(m.Run())
}

func newTestSession(t *testing.T) *session {
	t.Helper()
	s, err := newSession(t.Context(), options{dir: t.TempDir(), quick: true, seed: 1, pairs: 1}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// Each job does what it counts, in real processes.
func TestJobs(t *testing.T) {
	s := newTestSession(t)
	const n = 3000
	check(t, s.inDir("jobs", func() error {
		workers, err := s.startN(2)
		if err != nil {
			return err
		}
		a, b := workers[0], workers[1]
		log := s.path("log")
		one := func(w *proc.Worker, task task) reply {
			t.Helper()
			r, err := s.ask(w, task)
			if err != nil {
				t.Fatalf("%s: %v", task.Job, err)
			}
			return r
		}
		one(a, task{Job: "append", Dir: log, Size: record, N: n})
		one(b, task{Job: "follow", Dir: log})
		if r := one(a, task{Job: "replay", Dir: log, N: n}); r.Records != n {
			t.Errorf("replayed %d records of %d", r.Records, n)
		}
		one(a, task{Job: "limit-replay", Dir: log, N: n, Size: record})
		if _, err := s.ask(a, task{Job: "replay", Dir: log, N: n + 1}); err == nil {
			t.Error("more records were replayed than there are")
		}
		replies, err := s.askAll(workers, task{Job: "append", Dir: log, Size: record, N: n}, task{Job: "read", Dir: log, Size: record, N: n})
		if err != nil {
			return err
		}
		if d := replies[0].Began - replies[1].Began; max(d, -d) > int64(5*time.Second) {
			t.Errorf("they began %v apart", time.Duration(d))
		}
		if r := one(a, task{Job: "append-batches", Dir: log, For: time.Millisecond}); r.Records == 0 || r.Records%batchRecords != 0 {
			t.Errorf("%d records in batches of %d", r.Records, batchRecords)
		}
		for _, many := range []int{1, 4} {
			if r := one(a, task{Job: "append-durable", Dir: log, Size: record, For: time.Millisecond, Many: many}); r.Records == 0 || r.rate() <= 0 {
				t.Errorf("nothing was durable: %+v", r)
			}
		}
		one(a, task{Job: "limit-durable", Dir: s.path("bare"), Size: record, For: time.Millisecond, Bytes: 1 << 20})
		if r := one(a, task{Job: "limit-group", Dir: s.path("group"), Size: record, For: time.Millisecond, Bytes: 1 << 16}); r.Records == 0 {
			t.Error("the bare group appended nothing")
		}
		one(a, task{Job: "limit-fresh", Dir: s.path("fresh"), Size: record, N: n})
		if r := one(b, task{Job: "first-append", Dir: log, Size: record}); r.Value <= 0 {
			t.Errorf("the first append took %v ms", r.Value)
		}
		for _, job := range []string{"paced-append", "paced-limit"} {
			r := one(a, task{Job: job, Dir: map[string]string{"paced-append": log, "paced-limit": s.path("ring")}[job], Bytes: 1 << 20, Size: record, Rate: 1e6, N: n})
			if h := decode(t, r.Histogram); h.TotalCount() != n {
				t.Errorf("%s: %d latencies of %d records", job, h.TotalCount(), n)
			}
		}
		if _, err := s.ask(a, task{Job: "no such job"}); err == nil {
			t.Error("a job that is not there was done")
		}
		return nil
	}))
}

func decode(t *testing.T, encoded []byte) *hdrhistogram.Histogram {
	t.Helper()
	h, err := hdrhistogram.Decode(encoded)
	check(t, err)
	return h
}

// The limit loop must do the work that it stands for: hand over each record, whole.
func TestRing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	w := &worker{block: block(1), rings: make(map[string]*ring)}
	r, err := w.openRing(path, 1<<16, record)
	check(t, err)
	for i := range 3 * r.slots { // around it three times
		want := w.payload(i, record)
		r.put(want)
		if !r.get(i) {
			t.Fatalf("record %d has a wrong checksum", i)
		}
		if got := r.at(i)[frameHeader:][:record]; !bytes.Equal(got, want) {
			t.Fatalf("record %d is not what was put", i)
		}
	}
	last := 3*r.slots - 1
	r.at(last)[frameHeader+7] ^= 1
	if r.get(last) {
		t.Error("a flipped bit goes unnoticed")
	}
	check(t, shm.Close(r.b))
}

func TestTransports(t *testing.T) {
	s := newTestSession(t)
	check(t, s.inDir("transports", func() error {
		cpu := proc.CPUs()[0]
		l := &link{s: s, cpus: [2]int{cpu, cpu}, rate: 2000, name: "test"}
		timings, err := l.compare(2, viaFutex, viaLog, viaPipe)
		if err != nil {
			return err
		}
		for i, timing := range timings {
			if len(timing.p50) != 2 || timing.all.TotalCount() != 2*400 {
				t.Errorf("transport %d: %d rounds, %d latencies", i, len(timing.p50), timing.all.TotalCount())
			}
		}
		return nil
	}))
}

// In the long run each side is measured as often before each other one as after.
func TestTurnsAreFair(t *testing.T) {
	for _, n := range []int{2, 3, 4} {
		before := make(map[string]int)
		for round := range 2 * n {
			var order []int
			for i := range n {
				order = append(order, turn(round, i, n))
			}
			if sorted := slices.Sorted(slices.Values(order)); sorted[0] != 0 || sorted[n-1] != n-1 || len(slices.Compact(sorted)) != n {
				t.Fatalf("round %d of %d sides: %v", round, n, order)
			}
			for i := range order {
				for k := i + 1; k < n; k++ {
					before[fmt.Sprint(order[i], order[k])]++
				}
			}
		}
		for pair, count := range before {
			if count != n {
				t.Errorf("of %d sides, %s came in this order %d times of %d", n, pair, count, 2*n)
			}
		}
	}
}

func TestTakeTurnsDropsTheFirstRound(t *testing.T) {
	s := newTestSession(t)
	calls := 0.0
	figures, err := s.takeTurns(3, func() (float64, error) { calls++; return calls, nil })
	if err != nil || !slices.Equal(figures[0], []float64{2, 3, 4}) {
		t.Errorf("figures %v, %v", figures, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.ctx = ctx
	cancel()
	if _, err := s.takeTurns(1, func() (float64, error) { return 1, nil }); err == nil {
		t.Error("an interrupted run goes on")
	}
}

// A row from beginning to end: it prints a table, and writes a file that can be read.
func TestRun(t *testing.T) {
	out := t.TempDir()
	var table, progress bytes.Buffer
	check(t, run(t.Context(), options{out: out, dir: t.TempDir(), only: "^batches$", quick: true, pairs: 1, seed: 1}, &table, &progress))
	files, err := filepath.Glob(filepath.Join(out, "*.json"))
	check(t, err)
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	f, err := os.Open(files[0])
	check(t, err)
	defer f.Close()
	r, err := report.Read(f)
	check(t, err)
	if len(r.Lines) != 1 || r.Lines[0].Mlog <= 0 || r.Lines[0].Other <= 0 || r.Lines[0].Ratio.N != 1 {
		t.Errorf("lines %+v", r.Lines)
	}
	if !bytes.Contains(table.Bytes(), []byte("atomic batches")) || !bytes.Contains(progress.Bytes(), []byte("batches")) {
		t.Errorf("table:\n%s\nprogress:\n%s", table.Bytes(), progress.Bytes())
	}
	if err := run(t.Context(), options{only: "no such row", dir: t.TempDir()}, io.Discard, io.Discard); err == nil {
		t.Error("no row was chosen, and that was fine")
	}
}

func TestShellText(t *testing.T) {
	b := text(100, 100, 1)
	if len(b) != 10_000 || bytes.Count(b, []byte("\n")) != 100 {
		t.Errorf("%d bytes in %d lines", len(b), bytes.Count(b, []byte("\n")))
	}
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "a"), b, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "b"), b[1:], 0o600))
	if same(filepath.Join(dir, "a"), filepath.Join(dir, "a")) != nil || same(filepath.Join(dir, "a"), filepath.Join(dir, "b")) == nil {
		t.Error("files are compared wrongly")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
