package faults_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// straced is how many runs under strace the short form makes in which the fault is
// reached, if it finds so many among mostTraced.
const straced, mostTraced = 8, 40

// tracedCalls are made to fail by strace, in the command itself. The Go runtime
// makes some of these calls too, and does not survive that they fail: futex is
// therefore left to TestSeam, and mmap and write fail for certain files only.
var tracedCalls = []struct {
	call string
	only []string // files of the log, or the command's output; all if there are none
}{
	{"openat", nil}, {"fallocate", nil}, {"ftruncate", nil}, {"fdatasync", nil}, {"msync", nil}, {"fsync", nil},
	{"renameat", nil}, {"unlinkat", nil}, {"linkat", nil}, {"mkdirat", nil}, {"flock", nil},
	{"pwrite64", nil}, {"pread64", nil}, {"getdents64", nil}, {"fchmod", nil}, {"fstat", nil},
	{"newfstatat", nil}, {"statfs", nil}, {"fchown", nil},
	{"mmap", []string{"log/control", "log/wake", "log/unfinished", "log/" + firstName + ".seg", "log/" + firstName + ".idx"}},
	{"write", []string{"output"}},
}

const firstName = "00000000000000000000"

// whens say which of a thread's calls fails, in strace's words.
var whens = []string{"1", "2", "3", "5", "8", "13", "1+", "4+"}

// A tracedRun is one command with one fault.
type tracedRun struct {
	command string // "create", "append" or "consume"
	call    int    // of tracedCalls
	errno   string
	when    string
}

func (r tracedRun) String() string {
	return fmt.Sprintf("%s/%s/%s/%s", r.command, tracedCalls[r.call].call, r.errno, r.when)
}

// The real command, under strace, which has its calls fail: it ends with one clear
// line and an exit code of its own, what it acknowledged is there, and the next
// one goes on.
func TestStrace(t *testing.T) {
	if out, err := exec.Command("strace", "-f", "-o", os.DevNull, "-e", "inject=fdatasync:error=EIO", "true").CombinedOutput(); err != nil {
		t.Skipf("strace is not installed or may not trace here: %v %s", err, out)
	}
	root := workRoot(t)
	bin := filepath.Join(t.TempDir(), "mlog")
	build := exec.Command("go", "build", "-o", bin, "../../cmd/mlog")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // or the loader of shared libraries would be what fails
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	filter, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	var all []tracedRun
	for _, command := range []string{"create", "append", "consume"} {
		for call := range tracedCalls {
			for _, errno := range errnos {
				for _, when := range whens {
					r := tracedRun{command, call, errnoNames[errno], when}
					// What is interrupted for ever is made again for ever. And a lock that
					// cannot be given back for ever is, in its process, taken for ever.
					endless := strings.HasSuffix(when, "+") && (errno == eintr || tracedCalls[call].call == "flock" && when != "1+")
					if filter.MatchString(r.String()) && !endless {
						all = append(all, r)
					}
				}
			}
		}
	}
	found := len(all)
	if !*every {
		r := rand.New(rand.NewPCG(*seed, 1))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	var sum summary
	began, told := time.Now(), time.Now()
	for i, run := range all {
		if !*every && (sum.played-sum.missed == fewer(straced) || sum.played == mostTraced) {
			break
		}
		dir, remove := workDir(t, root, fmt.Sprint(i))
		w := tracedWorld{world: newWorld(t, dir), bin: bin}
		o := w.play(run)
		remove(len(o.breaches) > 0)
		sum.add(t, run.String(), o)
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			t.Logf("%d of %d: %v", i+1, len(all), &sum)
		}
	}
	if *only == "" && sum.played == sum.missed {
		t.Errorf("none of %d faults was reached", sum.played)
	}
	t.Logf("strace: seed=%d runs=%d of %d, %v, %v", *seed, sum.played, found, &sum, time.Since(began).Round(time.Second))
}

// A tracedWorld is one whose records the command appends.
type tracedWorld struct {
	*world
	bin string
}

const inputs = 8

// input is the n-th record that a command is given: four fit a segment.
func input(n int) string { return fmt.Sprintf("input %d ", n) + strings.Repeat("i", 15_000) }

func (w *tracedWorld) play(run tracedRun) (o outcome) {
	defer func() { o.breaches = w.breaches }()
	if run.command != "create" {
		if out := w.mlog(nil, 0, 5, "produce", w.dir, "--segment-bytes", "64KiB"); out.code != 0 {
			w.breach("before any fault: %s", out.stderr)
			return o
		}
	}
	before := w.end
	args := []string{"produce", w.dir, "--segment-bytes", "64KiB", "-o", `%o\n`}
	switch run.command {
	case "append":
		args = append(args, "--ack", "durable")
	case "consume":
		args = []string{"consume", w.dir, "-e", "-f", `%o\n`}
	}
	trace := filepath.Join(w.root, "trace")
	c := tracedCalls[run.call]
	strace := []string{"strace", "-f", "-qq", "-o", trace, "-e", "trace=" + c.call,
		"-e", fmt.Sprintf("inject=%s:error=%s:when=%s", c.call, run.errno, run.when)}
	for _, path := range c.only {
		strace = append(strace, "-P", filepath.Join(w.root, path))
	}
	from := len(w.records)
	out := w.mlog(strace, from, inputs, args...)
	traced, _ := os.ReadFile(trace)
	o.missed = !bytes.Contains(traced, []byte("(INJECTED)"))
	w.judgeOutput(run, out, before, o.missed)
	o.poisoned = w.nextGoesOn(c.call)
	return o
}

// judgeOutput asks for one clear line and a result that is right as far as it goes.
func (w *tracedWorld) judgeOutput(run tracedRun, out commandResult, before int64, missed bool) {
	for line := range strings.Lines(out.stderr) {
		if !strings.HasPrefix(line, "mlog ") {
			w.breach("on stderr: %s", out.stderr)
			break
		}
	}
	if out.code != 0 && out.code != 1 || out.code == 1 && out.stderr == "" {
		w.breach("exit code %d, %q", out.code, out.stderr)
	}
	if out.code == 1 && missed {
		w.breach("nothing failed, and yet: %s", out.stderr)
	}
	offsets := strings.Fields(out.stdout)
	first, want := before, int64(inputs)
	if run.command == "consume" {
		first, want = 0, before
	}
	for i, text := range offsets {
		offset, err := strconv.ParseInt(text, 10, 64)
		if torn := i == len(offsets)-1 && c(run) == "write"; (err != nil || offset != first+int64(i)) && !torn {
			w.breach("line %d of the output is %q", i, text)
		}
	}
	if out.code == 0 && int64(len(offsets)) != want {
		w.breach("%d of %d lines, and exit code 0", len(offsets), want)
	}
	if run.command == "consume" {
		return
	}
	// What is acknowledged is there; of what is not, the log has as much as it has.
	w.end = before + int64(len(offsets))
}

func c(run tracedRun) string { return tracedCalls[run.call].call }

// nextGoesOn asks that the next command appends, or, after a failed sync, refuses,
// and that then a copy takes appends.
func (w *tracedWorld) nextGoesOn(call string) (poisoned bool) {
	dir, acknowledged := w.dir, w.end
	out := w.mlog(nil, inputs*2, 1, "produce", dir, "--segment-bytes", "64KiB")
	if strings.Contains(out.stderr, mlog.ErrSyncFailed.Error()) && (call == "fdatasync" || call == "msync" || call == "fsync") {
		poisoned = true
		dir = filepath.Join(w.root, "rebooted")
		if err := copyLog(w.dir, dir); err != nil {
			w.breach("copy: %v", err)
		}
		out = w.mlog(nil, inputs*2, 1, "produce", dir)
	}
	if out.code != 0 {
		w.breach("the next command does not go on: %s", out.stderr)
		return poisoned
	}
	l, err := check.Read(dir, check.Options{PowerLost: true})
	if err != nil {
		w.breach("the checker finds: %s", oneLine(err))
	}
	if l == nil {
		return poisoned
	}
	if l.End < acknowledged+1 {
		w.breach("the log ends at %d, %d records were acknowledged, and one more", l.End, acknowledged)
	}
	for i, r := range l.Records {
		if i == len(l.Records)-1 {
			if string(r.Value) != input(inputs*2) {
				w.breach("the last record is %q", brief(string(r.Value)))
			}
		} else if string(r.Value) != w.records[r.Offset] {
			w.breach("offset %d is %q, it was given as %q", r.Offset, brief(string(r.Value)), brief(w.records[r.Offset]))
		}
	}
	return poisoned
}

type commandResult struct {
	stdout, stderr string
	code           int
}

// mlog runs the command, with n records from the given one on as its input.
func (w *tracedWorld) mlog(before []string, from, n int, args ...string) commandResult {
	argv := slices.Concat(before, []string{w.bin}, args)
	cmd := exec.Command(argv[0], argv[1:]...)
	var in, stderr bytes.Buffer
	for i := range n {
		text := input(from + i)
		in.WriteString(text + "\n")
		if args[0] == "produce" && from+i < inputs*2 {
			w.records[int64(from+i)] = text
		}
	}
	cmd.Stdin, cmd.Stderr = &in, &stderr
	output := filepath.Join(w.root, "output")
	f, err := os.Create(output)
	if err != nil {
		return commandResult{stderr: err.Error(), code: -1}
	}
	cmd.Stdout = f
	err = cmd.Start()
	if err == nil {
		hung := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		err = cmd.Wait()
		hung.Stop()
	}
	f.Close()
	code := cmd.ProcessState.ExitCode()
	if err != nil && code < 0 {
		stderr.WriteString(err.Error())
	}
	stdout, err := os.ReadFile(output)
	if err != nil {
		stderr.WriteString(err.Error())
	}
	if len(before) == 0 && args[0] == "produce" && from == 0 {
		w.end = int64(n)
	}
	return commandResult{string(stdout), stderr.String(), code}
}
