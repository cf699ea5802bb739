package acceptance_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	producers    = 4
	consumers    = 4       // the last one starts in the middle
	shareOfLines = 100_000 // without -full, or a few more: files are taken whole,
	longestLine  = 32_000  // and those with longer lines, which need large segments, not at all
)

// TestProcessesShareOneLog: several processes produce the lines of the Go
// source at once, each its own share and each with its name as the key, while
// others follow. The last consumer starts in the middle, from the start.
// Producers keep half of their lines back until it has printed something, so
// that it goes from replay to following whatever the machine's speed.
//
// All outputs must be the same, byte for byte, with offsets from 0 without a
// hole, and the lines of each key must be that producer's share.
func TestProcessesShareOneLog(t *testing.T) {
	ctx := newContext(t)
	tmp := t.TempDir()
	shares := makeShares(t, tmp)
	total, totalBytes := 0, int64(0)
	for _, s := range shares {
		total += s.lines
		totalBytes += size(t, s.path)
	}
	dir, segmentBytes := filepath.Join(tmp, "log"), "64KiB"
	if *full {
		segmentBytes = "4MiB" // one line of the Go source is longer than 1 MiB
	}
	run(t, ctx, nil, "produce", dir, "--segment-bytes", segmentBytes) // an empty log, for consumers to open
	began := time.Now()

	var readers []*process
	var outputs []string
	follow := func() {
		path := filepath.Join(tmp, fmt.Sprintf("consumer%d", len(readers)+1))
		out := create(t, path)
		defer out.Close() // the process has its own
		readers = append(readers, start(t, ctx, nil, out,
			"consume", dir, "-o", "start", "-n", strconv.Itoa(total), "-f", `%o %k %v\n`))
		outputs = append(outputs, path)
	}
	for range consumers - 1 {
		follow()
		until(t, ctx, "the consumer has opened the log", func() bool { return hasOpen(readers[len(readers)-1], dir) }, readers...)
	}

	gate := make(chan struct{})
	var writers []*process
	for _, s := range shares {
		writers = append(writers, start(t, ctx, s.halves(t, ctx, gate), nil, "produce", dir, "-k", s.key))
	}
	everyone := append(writers, readers...)
	until(t, ctx, "a quarter of the lines was seen", func() bool { return size(t, outputs[0]) >= totalBytes/4 }, everyone...)
	follow()
	everyone = append(everyone, readers[consumers-1])
	until(t, ctx, "the last consumer prints", func() bool { return size(t, outputs[consumers-1]) > 0 }, everyone...)
	close(gate)
	wait(t, ctx, "all is produced and consumed", everyone...)
	took := time.Since(began)

	for _, path := range outputs[1:] {
		compare(t, outputs[0], path)
	}
	checkOutput(t, outputs[0], shares)
	info := readInfo(t, ctx, dir)
	if info.StartOffset != 0 || info.EndOffset != total {
		t.Errorf("the log has offsets %d to %d, want 0 to %d", info.StartOffset, info.EndOffset, total)
	}
	t.Logf("%d lines, %d bytes of output for each of %d consumers, %d segments of %s, %.1f s",
		total, size(t, outputs[0]), consumers, info.Segments, segmentBytes, took.Seconds())
}

// A share is what one producer is fed: a file of lines.
type share struct {
	key   string
	path  string
	lines int
}

// makeShares deals the .go files of the Go installation out to the producers.
func makeShares(t *testing.T, dir string) []share {
	t.Helper()
	shares := make([]share, producers)
	files := make([]*bufio.Writer, producers)
	for i := range shares {
		shares[i].key = fmt.Sprintf("p%d", i+1)
		shares[i].path = filepath.Join(dir, "share"+strconv.Itoa(i+1))
		f := create(t, shares[i].path)
		defer f.Close()
		files[i] = bufio.NewWriter(f)
	}
	dealt, total := 0, 0
	err := filepath.WalkDir(goSource(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || len(text) == 0 {
			return err
		}
		if text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		if !*full && hasLongLine(text) {
			return nil
		}
		i := dealt % producers
		dealt++
		n := bytes.Count(text, []byte{'\n'})
		shares[i].lines += n
		if total += n; !*full && total >= shareOfLines && dealt >= producers {
			err = fs.SkipAll
		}
		_, werr := files[i].Write(text)
		return errors.Join(err, werr)
	})
	if err != nil && !errors.Is(err, fs.SkipAll) {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return shares
}

func hasLongLine(text []byte) bool {
	for line := range bytes.Lines(text) {
		if len(line) > longestLine {
			return true
		}
	}
	return false
}

func goSource(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	src, err := filepath.EvalSymlinks(filepath.Join(strings.TrimSpace(string(root)), "src"))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// halves reads the share, and waits for the gate in the middle of it.
func (s *share) halves(t *testing.T, ctx context.Context, gate <-chan struct{}) io.Reader {
	t.Helper()
	f, err := os.Open(s.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return io.MultiReader(io.LimitReader(f, size(t, s.path)/2), waiter{ctx, gate}, f)
}

// A waiter is an empty input that ends when its gate opens.
type waiter struct {
	ctx  context.Context
	gate <-chan struct{}
}

func (w waiter) Read([]byte) (int, error) {
	select {
	case <-w.gate:
		return 0, io.EOF
	case <-w.ctx.Done():
		return 0, w.ctx.Err()
	}
}

// hasOpen reports whether the process has mapped a file of the log. Only Linux
// tells; elsewhere the consumers may be later than the first records.
func hasOpen(p *process, dir string) bool {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.cmd.Process.Pid))
	return err != nil && runtime.GOOS != "linux" || bytes.Contains(maps, []byte(dir+string(filepath.Separator)))
}

// compare fails unless both files are the same byte for byte.
func compare(t *testing.T, one, other string) {
	t.Helper()
	a, b := open(t, one), open(t, other)
	defer a.Close()
	defer b.Close()
	bufA, bufB := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := 0; ; {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			t.Fatalf("%s and %s differ within a MiB of byte %d", filepath.Base(one), filepath.Base(other), at)
		}
		if errA != nil || errB != nil {
			if !atEnd(errA) || !atEnd(errB) {
				t.Fatal(errors.Join(errA, errB))
			}
			return
		}
		at += n
	}
}

func atEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// checkOutput takes the output of a consumer, lines of offset, key and value,
// apart again: into the offsets, which must count from 0, and the shares.
func checkOutput(t *testing.T, path string, shares []share) {
	t.Helper()
	f := open(t, path)
	defer f.Close()
	fed := make(map[string]*bufio.Reader)
	for _, s := range shares {
		in := open(t, s.path)
		defer in.Close()
		fed[s.key] = bufio.NewReaderSize(in, 1<<20)
	}
	out := bufio.NewReaderSize(f, 1<<20)
	for offset := 0; ; offset++ {
		line, err := out.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil {
			t.Fatalf("line %d of the output: %v: %q", offset, err, line)
		}
		number, rest, _ := bytes.Cut(line, []byte{' '})
		key, value, _ := bytes.Cut(rest, []byte{' '})
		if string(number) != strconv.Itoa(offset) || fed[string(key)] == nil {
			t.Fatalf("line %d of the output should begin with that number and a producer: %q", offset, line)
		}
		want, err := fed[string(key)].ReadBytes('\n')
		if err != nil || !bytes.Equal(value, want) {
			t.Fatalf("offset %d: %s produced %q next (%v), the consumer got %q", offset, key, want, err, value)
		}
	}
	for key, in := range fed {
		if rest, err := in.ReadBytes('\n'); !errors.Is(err, io.EOF) {
			t.Errorf("nobody got what %s produced last, from %q on", key, rest)
		}
	}
}

type logInfo struct {
	StartOffset int `json:"start_offset"`
	EndOffset   int `json:"end_offset"`
	Segments    int `json:"segments"`
}

func readInfo(t *testing.T, ctx context.Context, dir string) (info logInfo) {
	t.Helper()
	if err := json.Unmarshal(run(t, ctx, nil, "info", dir, "--json"), &info); err != nil {
		t.Fatal(err)
	}
	return info
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}
