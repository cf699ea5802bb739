package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain plays the roles that the tests start: they are this program.
func TestMain(m *testing.M) {
	if IsRole() {
		Main(testPeers()...)
	}
	os.Exit(m.Run())
}

// testPeers are a good pipe and a good file, and pipes with something wrong.
func testPeers() []Peer {
	good := Peer{Name: "good", Setup: pipes, Produce: produceWith(nil), Consume: consumePipe}
	threads := good
	threads.Name, threads.InProcess, threads.Notes = "threads", true, "threads of one process"
	with := func(name string, change func(p *Producer, rec []byte) [][]byte) Peer {
		p := good
		p.Name, p.Produce = name, produceWith(change)
		return p
	}
	dies, sleeps, skips, early := good, good, good, good
	dies.Name, dies.Produce = "dies", func(p *Producer) error { return errors.Join(p.Ready(), unix.Kill(os.Getpid(), unix.SIGKILL)) }
	sleeps.Name, sleeps.Produce = "sleeps", func(*Producer) error { time.Sleep(time.Hour); return nil }
	skips.Name, skips.Produce = "skips", func(*Producer) error { return Skip("no such thing on %s", "this machine") }
	early.Name, early.Consume = "early", func(c *Consumer) error { return c.Ready() }
	file := Peer{Name: "file", Keeps: true, Produce: produceFile, Consume: consumeFile}
	return []Peer{
		good, threads, dies, sleeps, skips, early, file,
		with("loses", func(p *Producer, rec []byte) [][]byte {
			if p.Sent() == 5 {
				return nil
			}
			return [][]byte{rec}
		}),
		with("doubles", func(p *Producer, rec []byte) [][]byte {
			if p.Sent() == 5 {
				return [][]byte{rec, rec}
			}
			return [][]byte{rec}
		}),
		with("spoils", func(p *Producer, rec []byte) [][]byte {
			if p.Sent() == 5 {
				rec[40] ^= 1
			}
			return [][]byte{rec}
		}),
	}
}

// pipes makes a pipe for each consumer, which the producers share.
func pipes(e *Env) error {
	for range e.Consumers {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		e.Files = append(e.Files, os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w"))
	}
	e.Set("greeting", "hello")
	return nil
}

func produceWith(change func(p *Producer, rec []byte) [][]byte) func(p *Producer) error {
	return func(p *Producer) error {
		if p.Get("greeting") != "hello" {
			return errors.New("what Setup has set is not there")
		}
		p.Window(2048)
		if err := p.Ready(); err != nil {
			return err
		}
		rec := make([]byte, p.Size)
		for p.Fill(rec) {
			out := [][]byte{rec}
			if change != nil {
				out = change(p, rec)
			}
			for _, rec := range out {
				for c := range p.Consumers {
					if _, err := p.File(2*c + 1).Write(rec); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
}

func consumePipe(c *Consumer) error {
	if err := c.Ready(); err != nil {
		return err
	}
	rec := make([]byte, c.Size)
	for {
		if _, err := io.ReadFull(c.File(2*c.Index), rec); err != nil {
			return err
		}
		if done, err := c.Take(rec); done || err != nil {
			return err
		}
	}
}

func produceFile(p *Producer) error {
	f, err := os.Create(filepath.Join(p.Dir, strconv.Itoa(p.Index)))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := p.Ready(); err != nil {
		return err
	}
	rec := make([]byte, p.Size)
	for p.Fill(rec) {
		if _, err := f.Write(rec); err != nil {
			return err
		}
	}
	return nil
}

func consumeFile(c *Consumer) error {
	text, err := os.ReadFile(filepath.Join(c.Dir, "0"))
	if err != nil {
		return err
	}
	if err := c.Ready(); err != nil {
		return err
	}
	for i := 0; ; i += c.Size {
		if done, err := c.Take(text[i : i+c.Size]); done || err != nil {
			return err
		}
	}
}

// bench makes a measurement as the command line would, and returns what it prints.
func bench(t *testing.T, args ...string) (Result, error) {
	t.Helper()
	args = append(args, "-dir", t.TempDir())
	var out bytes.Buffer
	if err := Run(args, &out, testPeers()...); err != nil {
		return Result{}, err
	}
	var r Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	return r, nil
}

func TestStream(t *testing.T) {
	for _, name := range []string{"good", "threads"} {
		for _, n := range []int{1, 3} {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				r, err := bench(t, name, "-count", "5000", "-producers", strconv.Itoa(n), "-consumers", strconv.Itoa(n), "-size", "64")
				if err != nil {
					t.Fatal(err)
				}
				if r.Records != int64(5000*n) || r.Rate <= 0 || r.Seconds <= 0 || r.CPU <= 0 {
					t.Errorf("%+v, want %d records", r, 5000*n)
				}
			})
		}
	}
}

func TestStreamByTime(t *testing.T) {
	r, err := bench(t, "good", "-seconds", "0.1", "-warm", "0.05")
	if err != nil {
		t.Fatal(err)
	}
	if r.Records == 0 || r.Seconds < 0.05 {
		t.Errorf("%d records in %g s", r.Records, r.Seconds)
	}
}

func TestPinned(t *testing.T) {
	for _, pin := range []string{PinSame, PinApart} {
		r, err := bench(t, "good", "-count", "100", "-pin", pin)
		if err != nil {
			t.Fatal(err)
		}
		if r.Pin != pin || (r.Records != 100 && r.Skipped == "") {
			t.Errorf("%+v", r)
		}
	}
}

func TestLatencyCountsAllButTheWarmUp(t *testing.T) {
	for _, pin := range []string{PinNone, PinSame} {
		r, err := bench(t, "good", "-work", "latency", "-rate", "2000", "-seconds", "0.1", "-warm", "0.05", "-pin", pin)
		if err != nil {
			t.Fatal(err)
		}
		if l := r.Latency; l == nil || l.Count != 200 || l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
			t.Errorf("%+v: latencies %+v, want 200", r, r.Latency)
		}
		if r.Rate != 2000 || r.Records != 200 {
			t.Errorf("rate %g and %d records, want 2000 and 200", r.Rate, r.Records)
		}
	}
}

func TestAppendAndReplay(t *testing.T) {
	r, err := bench(t, "file", "-work", "append", "-count", "1000", "-producers", "2")
	if err != nil || r.Records != 2000 {
		t.Errorf("append: %+v, %v, want 2000 records", r, err)
	}
	r, err = bench(t, "file", "-work", "replay", "-count", "1000")
	if err != nil || r.Records != 1000 {
		t.Errorf("replay: %+v, %v, want 1000 records", r, err)
	}
}

func TestInapplicable(t *testing.T) {
	for _, args := range [][]string{
		{"good", "-work", "append"},
		{"good", "-work", "replay"},
		{"file", "-work", "append", "-durable"},
		{"good", "-work", "latency", "-spin"},
	} {
		if r, err := bench(t, args...); err != nil || r.Inapplicable == "" || r.Records != 0 {
			t.Errorf("%v: %+v, %v", args, r, err)
		}
	}
}

func TestSkipped(t *testing.T) {
	r, err := bench(t, "skips")
	if err != nil || r.Skipped != "no such thing on this machine" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWhatGoesWrongIsAnError(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"loses", nil, "records 4 to 4 are lost"},
		{"doubles", nil, "record 4 again"},
		{"spoils", nil, "corrupt"},
		{"dies", nil, "ended without a report"},
		{"sleeps", []string{"-limit", "300ms"}, "only 1 of 2 producers and consumers came to the start"},
		{"early", nil, "ended after 0 records, before the last"},
		{"nobody", nil, "no peer"},
		{"good", []string{"-work", "dance"}, "dance"},
		{"good", []string{"-size", "8"}, "-size"},
		{"good", []string{"-producers", "0"}, "producers"},
		{"good", []string{"-work", "latency", "-producers", "2"}, "one producer"},
		{"good", []string{"more"}, "unexpected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{test.name}, test.args...)
			if !strings.Contains(strings.Join(args, " "), "more") {
				args = append(args, "-count", "20000")
			}
			r, err := bench(t, args...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, error %v; want one with %q", r, err, test.want)
			}
		})
	}
}

// Nobody hashes with -verify=false, but what is lost is found all the same.
func TestWithoutVerify(t *testing.T) {
	if _, err := bench(t, "spoils", "-verify=false", "-count", "100"); err != nil {
		t.Error(err)
	}
	if _, err := bench(t, "loses", "-verify=false", "-count", "100"); err == nil {
		t.Error("a lost record was not found")
	}
}

func TestNoProcessIsLeft(t *testing.T) {
	for _, name := range []string{"good", "dies", "sleeps", "loses"} {
		_, _ = bench(t, name, "-limit", "300ms", "-count", "1000")
		for _, pid := range children(t) {
			t.Errorf("after %s process %s is left", name, pid)
		}
	}
}

// children returns the processes that this one has started and not waited for.
func children(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(files) == 0 {
		t.Skip("the kernel does not tell the children of a process")
	}
	var all []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(text))...)
	}
	return all
}
