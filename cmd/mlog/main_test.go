package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/recordfmt"
	mlog "github.com/seed27ccf144/mlog/log"
)

func TestExitCode(t *testing.T) {
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{fs.ErrNotExist, 1},
		{fmt.Errorf("x: %w", mlog.ErrTooLarge), 1},
		{fmt.Errorf("x: %w", mlog.ErrSyncFailed), 1},
		{usagef("bad"), 2},
		{fmt.Errorf("x: %w", &mlog.DamageError{}), 3},
		{fmt.Errorf("x%w", silent{&mlog.RangeError{}}), 4},
		{fmt.Errorf("%w: x", errTimeout), 5},
	}
	for _, tt := range tests {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("exitCode(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestReportIsOneLine(t *testing.T) {
	var b strings.Builder
	code := report(&b, "produce", errors.New("open a\nb\x1b[31m: no"))
	if want := "mlog produce: open a\\nb\\x1b[31m: no\n"; code != 1 || b.String() != want {
		t.Fatalf("%d %q, want %q", code, b.String(), want)
	}
}

func TestDidYouMean(t *testing.T) {
	for name, want := range map[string]string{"prodcue": "produce", "consum": "consume", "infos": "info", "xyzzy": ""} {
		got := didYouMean(name, commands())
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("didYouMean(%q) = %q, want %q", name, got, want)
		}
	}
}

// Every command has what help and completion need.
func TestCommandsAreComplete(t *testing.T) {
	for _, c := range commands() {
		if c.summary == "" || len(c.examples) == 0 || c.flags == nil || c.run == nil {
			t.Errorf("command %q lacks something", c.name)
		}
		for _, e := range c.examples {
			if !strings.Contains(e, "mlog "+c.name) {
				t.Errorf("example of %q does not show it: %s", c.name, e)
			}
			if len(e) > 98 {
				t.Errorf("example of %q is too wide for a terminal: %s", c.name, e)
			}
		}
		for _, line := range strings.Split(c.details, "\n") {
			if len(line) > 84 {
				t.Errorf("line in the help of %q is too wide: %s", c.name, line)
			}
		}
		for _, f := range visibleFlags(c) {
			if takesValue(f) && !strings.Contains(f.Usage, "`") && f.Annotations[annotateValues] == nil {
				t.Errorf("mlog %s --%s: the help does not name its value", c.name, f.Name)
			}
		}
	}
}

func TestShowsTime(t *testing.T) {
	for format, want := range map[string]bool{
		"%v": false, "%o %k": false, "%d": true, "json": true,
		"%d{go[15]}": true, "%d{strftime[%m]}": true, "%d{go[Mon]}": true, "%%d": false,
	} {
		f, err := recordfmt.Compile(format)
		if err != nil {
			t.Fatal(err)
		}
		if got := showsTime(f); got != want {
			t.Errorf("showsTime(%q) = %v, want %v", format, got, want)
		}
	}
}

func TestHumanNumbers(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{humanBytes(0), "0B"}, {humanBytes(1023), "1023B"}, {humanBytes(1024), "1KiB"},
		{humanBytes(64 << 20), "64MiB"}, {humanBytes(1536), "1.5KiB"}, {humanBytes(5 << 40), "5TiB"},
		{grouped(0), "0"}, {grouped(999), "999"}, {grouped(1000), "1,000"}, {grouped(1234567), "1,234,567"}, {grouped(-1000), "-1,000"}, {grouped(-100), "-100"},
		{humanRetention(mlog.Retention{}), "everything"},
		{humanRetention(mlog.Retention{Bytes: 1 << 30, Age: 48 * time.Hour}), "the last 1GiB and the last 2d"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

// A cancelled read must hand on what came before, and never swallow what comes
// after: the next process of the pipeline may still want it.
func TestCancellable(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	in, release, err := cancellable(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	io.WriteString(w, "before")
	buf := make([]byte, 100)
	if n, err := in.Read(buf); string(buf[:n]) != "before" || err != nil {
		t.Fatalf("%q %v", buf[:n], err)
	}
	done := make(chan error)
	go func() {
		_, err := in.Read(make([]byte, 100))
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want %v", err, context.Canceled)
		}
	case <-time.After(time.Minute):
		t.Fatal("a cancelled Read goes on")
	}
	io.WriteString(w, "after")
	if _, err := in.Read(buf); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	if n, err := r.Read(buf); string(buf[:n]) != "after" || err != nil {
		t.Fatalf("a cancelled Read took bytes: %q is left, %v", buf[:n], err)
	}
}

func TestCancellableEnd(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in, release, err := cancellable(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	io.WriteString(w, "all")
	w.Close()
	if text, err := io.ReadAll(in); string(text) != "all" || err != nil {
		t.Fatalf("%q %v", text, err)
	}
}
