package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// fakes is the script of peers that behave well and badly. A good one answers what it is asked.
const fakes = `#!/usr/bin/env bash
verb=$1 name=$2
shift 2
if [[ $verb == prepare ]]; then
  [[ $name != absent ]] || { echo "some talk" >&2; echo "there is no such package" >&2; exit 1; }
  exit 0
fi
durable=false latency=null spin=false
while (($# > 0)); do
  case $1 in
    -durable) durable=true; shift; continue ;;
    -spin) spin=true; shift; continue ;;
    -work) work=$2 ;;
    -size) size=$2 ;;
    -producers) producers=$2 ;;
    -consumers) consumers=$2 ;;
    -dir) dir=$2 ;;
  esac
  shift 2
done
[[ $work != latency ]] || latency='{"count":9,"p50":1000,"p90":2000,"p99":3000,"p999":4000,"p9999":5000,"max":6000}'
result() {
  printf '{"peer":"%s","version":"1.2","work":"%s","size":%d,"producers":%d,"consumers":%d,"durable":%s,"records":1000,"seconds":0.5,"rate":%d,"latency_ns":%s,"cpu_seconds":0.1,"notes":"%s"}\n' \
    "$1" "$work" "$size" "$producers" "$consumers" "$durable" "${2:-2000}" "$latency" "$3"
}
case $name in
  good) echo "some talk"; touch "$dir/kept"; result good 2000 "a note" ;;
  only-append) [[ $work == append ]] && result only-append || echo '{"peer":"only-append","inapplicable":"it has none"}' ;;
  unable) echo '{"peer":"unable","skipped":"not on this machine"}' ;;
  fails) echo "first" >&2; echo "the disk is full" >&2; exit 1 ;;
  nonsense) echo "all went well" ;;
  silent) ;;
  other) result good ;;
  zero) result zero 0 ;;
  different) size=7; result different ;;
  hangs) sleep 1000 & echo $! > "$PIDS/hangs"; wait ;;
  leaves) sleep 1000 > /dev/null 2>&1 & echo $! > "$PIDS/leaves"; result leaves ;;
  leaves-output) sleep 1000 & echo $! > "$PIDS/leaves-output"; result leaves-output ;;
esac
`

var fakeNames = []string{"good", "only-append", "unable", "fails", "nonsense", "silent", "other", "zero", "different",
	"hangs", "leaves", "leaves-output", "absent"}

// fakeRoot makes a directory with a folder of the fake peers.
func fakeRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	var peers []Peer
	for _, name := range fakeNames {
		peers = append(peers, Peer{Name: name, Title: "The " + name, Kind: "log", Settings: "s", Why: "w", URL: "https://example.org"})
	}
	text, err := json.Marshal(peers)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "fake")
	put(t, filepath.Join(folder, "peers.json"), string(text), 0o644)
	put(t, filepath.Join(folder, "run"), fakes, 0o755)
	t.Setenv("PIDS", t.TempDir())
	t.Setenv("MLOG_BENCH_CACHE", t.TempDir())
	return root
}

func put(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// fakeRunner calls the fake peers, with little patience.
func fakeRunner(t *testing.T) *runner {
	return &runner{root: fakeRoot(t), data: t.TempDir(), limit: 10 * time.Second}
}

var stream256 = Case{Work: harness.Stream, Size: 256, Producers: 1, Consumers: 1}

func fake(name string) Peer { return Peer{Name: name, Folder: "fake"} }

func TestBenchOfGoodPeer(t *testing.T) {
	r := fakeRunner(t)
	for _, c := range matrix() {
		got, err := r.bench(t.Context(), fake("good"), c, 0.1)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if got.Rate != 2000 || got.Version != "1.2" || got.Work != c.Work || got.Durable != c.Durable {
			t.Errorf("%v: %+v", c, got)
		}
	}
	if left, err := os.ReadDir(r.data); err != nil || len(left) > 0 {
		t.Errorf("%d directories of measurements are left, %v", len(left), err)
	}
}

func TestBenchOfBadPeers(t *testing.T) {
	r := fakeRunner(t)
	for name, want := range map[string]string{
		"fails":     "exit status 1: the disk is full",
		"nonsense":  "its last line is no result",
		"silent":    "its last line is no result",
		"other":     `its result is of peer "good"`,
		"zero":      "no figures",
		"different": "its result is of stream 7 B 1-1",
	} {
		_, err := r.bench(t.Context(), fake(name), stream256, 0.1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
}

func TestHangingPeerIsKilled(t *testing.T) {
	r := fakeRunner(t)
	r.limit = 500 * time.Millisecond
	_, err := r.bench(t.Context(), fake("hangs"), stream256, 0.1)
	if !errors.Is(err, errLate) {
		t.Errorf("error %v, want %v", err, errLate)
	}
	mustDie(t, "hangs")
}

func TestInterrupt(t *testing.T) {
	r := fakeRunner(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if text, _ := os.ReadFile(pidFile("hangs")); len(text) > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := r.bench(ctx, fake("hangs"), stream256, 0.1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	mustDie(t, "hangs")
}

func TestWhatAPeerLeavesIsKilled(t *testing.T) {
	r := fakeRunner(t)
	for _, name := range []string{"leaves", "leaves-output"} {
		if _, err := r.bench(t.Context(), fake(name), stream256, 0.1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mustDie(t, name)
	}
}

func pidFile(name string) string { return filepath.Join(os.Getenv("PIDS"), name) }

// mustDie checks that the process that a fake peer has started ends.
func mustDie(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(pidFile(name))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if !runs(pid) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d of %s still runs", pid, name)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// runs says whether a process is there and no zombie, which it may stay if nobody waits for orphans here.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// A whole run: what went wrong is in the report and stops nothing else.
func TestRun(t *testing.T) {
	root := fakeRoot(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "out.json")
	args := []string{"-root", root, "-only", "good|only-append|unable|fails|nonsense|absent", "-rounds", "3", "-json", file,
		"-md", filepath.Join(dir, "out.md"), "-svg", filepath.Join(dir, "svg")}
	var out, progress strings.Builder
	if err := run(t.Context(), args, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, want := range []string{"| The good | 2.00 k ±0 % |", "| The only-append | 2.00 k ±0 % |", "The good, sleeping | 1.00 µs | 2.00 µs",
		"The absent: it cannot be installed here: exit status 1: there is no such package", "The unable, stream 256 B 1-1: not on this machine",
		"The fails, stream 256 B 1-1: failed: exit status 1: the disk is full", "a note", "1.2"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables have no %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
	report, err := loadReport(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(report.find("good").lookup(stream256).Samples); n != 3 {
		t.Errorf("%d samples, want 3", n)
	}
	if n := len(report.find("nonsense").lookup(stream256).Failures); n != 1 {
		t.Errorf("what failed was tried %d times, want 1", n)
	}
	for _, chart := range []string{"append", "stream", "replay", "durable", "latency", "latency-spin"} {
		text, err := os.ReadFile(filepath.Join(dir, "svg", chart+".svg"))
		if err != nil || !strings.Contains(string(text), "The good") {
			t.Errorf("chart %s: %v, or it does not show the peer", chart, err)
		}
	}

	// Adding keeps what there is.
	if err := run(t.Context(), []string{"-root", root, "-only", "good", "-cases", "stream 256", "-rounds", "2", "-add", "-json", file}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if report, err = loadReport(file); err != nil {
		t.Fatal(err)
	}
	if n := len(report.find("good").lookup(stream256).Samples); n != 5 {
		t.Errorf("%d samples after adding, want 5", n)
	}
	if report.find("only-append") == nil {
		t.Error("adding has dropped the others")
	}
}

func TestCommandLine(t *testing.T) {
	root := fakeRoot(t)
	for _, args := range [][]string{
		{"-rounds", "0"}, {"-add"}, {"-render"}, {"more"}, {"-only", "nobody"}, {"-cases", "nothing"}, {"-only", "("}, {"-seconds", "-1"},
	} {
		if err := run(t.Context(), append([]string{"-root", root}, args...), io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
	if s, err := parse([]string{"-quick"}, io.Discard); err != nil || s.Rounds != 1 || s.Seconds >= 0.5 {
		t.Errorf("-quick: %+v, %v", s, err)
	}
	if s, err := parse([]string{"-quick", "-rounds", "4"}, io.Discard); err != nil || s.Rounds != 4 {
		t.Errorf("-quick -rounds 4: %+v, %v", s, err)
	}
}

func TestDiscover(t *testing.T) {
	for name, text := range map[string]string{
		"no array":      `{}`,
		"no JSON":       `[`,
		"a bad name":    `[{"name":"A b","title":"t","kind":"ipc","settings":"s","why":"w","url":"u"}]`,
		"a bad kind":    `[{"name":"a","title":"t","kind":"x","settings":"s","why":"w","url":"u"}]`,
		"no settings":   `[{"name":"a","title":"t","kind":"ipc","why":"w","url":"u"}]`,
		"the same name": `[{"name":"a","title":"t","kind":"ipc","settings":"s","why":"w","url":"u"},{"name":"a","title":"t","kind":"ipc","settings":"s","why":"w","url":"u"}]`,
	} {
		root := t.TempDir()
		put(t, filepath.Join(root, "x", "peers.json"), text, 0o644)
		if peers, err := discover(root); err == nil {
			t.Errorf("%s: %+v", name, peers)
		}
	}
	if _, err := discover(t.TempDir()); err == nil {
		t.Error("no peers: no error")
	}
}

// The folders of this repository must be right, and can be called.
func TestOwnPeers(t *testing.T) {
	peers, err := discover(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		info, err := os.Stat(filepath.Join(p.Folder, "run"))
		if err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s: run is not there, or cannot be executed: %v", p.Folder, err)
		}
	}
}
