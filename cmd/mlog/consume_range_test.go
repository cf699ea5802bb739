package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	mlog "github.com/seed27ccf144/mlog/log"
)

// Who asks for the start is never told that the start is gone, however quick retention is;
// who asks for an offset is.
func TestConsumeFromAMovingPlace(t *testing.T) {
	dir := hundredSegments(t)
	logtest.DropAfterEachLook(t, layout.Dir(dir))
	for from, want := range map[string]int{"start": exitDone, "+1": exitDone, "-300": exitDone, "@2020-01-01": exitDone, "0": exitOutOfRange} {
		first := logtest.Row(t, layout.Dir(dir))[0]
		code, out, told := runCaptured(t, "consume", dir, "-n", "1", "-f", "%o", "-o", from)
		if code != want {
			t.Errorf("from %s: exit code %d, want %d: %s", from, code, want, told)
		}
		if want != exitDone {
			continue
		}
		if offset, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64); offset < first || offset > first+60 || err != nil {
			t.Errorf("from %s: offset %q; the log began at %d", from, out, first)
		}
		if told != "" {
			t.Errorf("from %s: %s", from, told)
		}
	}
}

// Damage is skipped although retention takes what is behind it, too.
func TestSkipDamageOvertakenByRetention(t *testing.T) {
	dir := hundredSegments(t)
	for _, base := range logtest.Row(t, layout.Dir(dir))[:20] {
		logtest.Overwrite(t, layout.Dir(dir), base, 0, make([]byte, 4096))
	}
	logtest.DropAfterEachLook(t, layout.Dir(dir))
	code, out, told := runCaptured(t, "consume", dir, "-n", "1", "-f", "%o", "-o", "start", "--on-damage", "skip")
	if offset, err := strconv.Atoi(strings.TrimSpace(out)); code != exitDone || offset > 120 || err != nil {
		t.Errorf("exit code %d, offset %q, %s", code, out, told)
	}
}

// hundredSegments makes a log of so many, with three records in each. Nobody has it open.
func hundredSegments(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "log")
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if _, err := w.Append(context.Background(), mlog.Record{Value: make([]byte, 20_000)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// runCaptured runs a command in this process.
func runCaptured(t *testing.T, args ...string) (code int, out, told string) {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	std := &streams{in: open("in"), out: open("out"), err: open("err")}
	code = run(args, std)
	read := func(f *os.File) string {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return code, read(std.out), read(std.err)
}
