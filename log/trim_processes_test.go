package log_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
)

func init() {
	roles["appender"] = appenderRole
	roles["trimmer"] = trimmerRole
}

// appenderRole (DIR NAME) appends records until it is killed, and says after each
// one what is in the log now: "OFFSET NAME NUMBER".
func appenderRole(args []string) error {
	l, err := mlog.Open(args[0], mlog.Options{MustExist: true})
	if err != nil {
		return err
	}
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		text := fmt.Sprintf("%s %d", args[1], n)
		offset, err := w.Append(context.Background(), mlog.Record{Value: fmt.Appendf(nil, "%-4000s", text)})
		if err != nil {
			return err
		}
		fmt.Println(offset, text)
	}
}

// trimmerRole (DIR) opens the log and trims it until it is killed, and says when it
// has begun.
func trimmerRole(args []string) error {
	for first := true; ; first = false {
		l, err := mlog.Open(args[0], mlog.Options{MustExist: true})
		if err != nil {
			return err
		}
		if _, err := l.Trim(context.Background(), mlog.TrimOptions{Keep: mlog.Retention{Bytes: 4 * l.SegmentBytes()}}); err != nil {
			return err
		}
		if first {
			fmt.Println("trimming")
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
}

func command(role string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return cmd
}

// Processes append while others trim, and trimmers are killed wherever they are.
// What was acknowledged and is not before the log's start is there, in order,
// without a hole; the appenders never notice.
func TestTrimWhileOthersAppend(t *testing.T) {
	dir := t.TempDir()
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var processes []*exec.Cmd
	var appenders []*lines
	for _, name := range []string{"one", "two"} {
		cmd := command("appender", dir, name)
		processes = append(processes, cmd)
		appenders = append(appenders, startLines(t, cmd))
	}
	acknowledged := make(map[int64]string)
	trimmed := 0
	for round := range 5 {
		trimmer := command("trimmer", dir)
		startLines(t, trimmer).expect("trimming")
		for _, a := range appenders {
			for range 20 + 10*round {
				if !collectOne(t, a.scan, acknowledged) {
					t.Fatalf("an appender ended: %v", a.scan.Err())
				}
			}
		}
		if err := trimmer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		result, err := l.Trim(context.Background(), mlog.TrimOptions{Keep: mlog.Retention{Bytes: 2 * l.SegmentBytes()}})
		if err != nil {
			t.Fatal(err)
		}
		trimmed += result.Segments
	}
	for i, p := range processes {
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for collectOne(t, appenders[i].scan, acknowledged) {
		}
	}
	checkAcknowledged(t, l, acknowledged)
	if start, err := l.StartOffset(); start == 0 || trimmed == 0 || err != nil {
		t.Errorf("nothing was trimmed: the log starts at %d, %v", start, err)
	}
}

// collectOne notes what an appender says next, and reports false when that has
// come to its end.
func collectOne(t *testing.T, from *bufio.Scanner, acknowledged map[int64]string) bool {
	t.Helper()
	if !from.Scan() {
		return false
	}
	var offset int64
	var name string
	var number int
	if n, _ := fmt.Sscan(from.Text(), &offset, &name, &number); n < 3 {
		return false // it was killed as it said so
	}
	acknowledged[offset] = fmt.Sprint(name, " ", number)
	return true
}

// checkAcknowledged reads the log from its start to its end: there is no hole, each
// appender's records are in order, and what was acknowledged is there.
func checkAcknowledged(t *testing.T, l *mlog.Log, acknowledged map[int64]string) {
	t.Helper()
	r, err := l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := r.Offset()
	seen := 0
	last := make(map[string]int)
	for rec, err := range r.Records(context.Background()) {
		text := strings.TrimRight(string(rec.Value), " ")
		sent, known := acknowledged[rec.Offset]
		if err != nil || rec.Offset != want || known && sent != text {
			t.Fatalf("offset %d holds %q, %v; offset %d was expected, and acknowledged was %q", rec.Offset, text, err, want, sent)
		}
		if known {
			seen++
		}
		want++
		name, number, _ := strings.Cut(text, " ")
		n, err := strconv.Atoi(number)
		if before, any := last[name]; err != nil || any && n != before+1 {
			t.Fatalf("offset %d holds %q, after number %d", rec.Offset, text, before)
		}
		last[name] = n
	}
	if end, err := l.EndOffset(); end != want || err != nil {
		t.Errorf("the log ends at %d, %v; read was up to %d", end, err, want)
	}
	for offset := range acknowledged {
		if offset >= want {
			t.Errorf("offset %d was acknowledged, and the log ends at %d", offset, want)
		}
	}
	if seen == 0 {
		t.Error("no acknowledged record was seen")
	}
}
