package writer_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

const smallest = 64 << 10 // bytes of the smallest segment

// newLog creates a log with the smallest segments.
func newLog(t testing.TB) layout.Dir {
	t.Helper()
	return newLogWith(t, layout.Settings{SegmentBytes: smallest, Mode: 0o600})
}

func newLogWith(t testing.TB, s layout.Settings) layout.Dir {
	t.Helper()
	dir := layout.Dir(filepath.Join(t.TempDir(), "log"))
	if _, err := dir.Create(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	return dir
}

func readMeta(t testing.TB, dir layout.Dir) layout.Meta {
	t.Helper()
	meta, err := dir.ReadMeta()
	if err != nil {
		t.Fatal(err)
	}
	return meta
}

// openWriter opens a producer that never flushes by itself.
func openWriter(t testing.TB, dir layout.Dir) *writer.Writer {
	t.Helper()
	w, err := tryOpen(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func tryOpen(t testing.TB, dir layout.Dir) (*writer.Writer, error) {
	return writer.Open(context.Background(), dir, readMeta(t, dir), writer.Options{Logger: slog.New(slog.DiscardHandler)})
}

// big is a record of which three fit the smallest segment and the fourth rolls.
func big(name string) string { return name + strings.Repeat(".", 20_000) }

// brief shortens the texts of big for a message.
func brief(texts []string) string {
	short := make([]string, len(texts))
	for i, s := range texts {
		short[i] = strings.TrimRight(s, ".")
	}
	return fmt.Sprintf("%d %q", len(short), short)
}

func values(texts ...string) []segment.Record {
	records := make([]segment.Record, len(texts))
	for i, text := range texts {
		records[i].Value = []byte(text)
	}
	return records
}

func mustAppend(t testing.TB, w *writer.Writer, texts ...string) int64 {
	t.Helper()
	base, err := w.Append(context.Background(), values(texts...))
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// readAll returns the values of all records that are there now, having checked
// that offsets are dense and times never run backwards.
func readAll(t testing.TB, dir layout.Dir) []string {
	t.Helper()
	texts, err := tryReadAll(dir, readMeta(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func tryReadAll(dir layout.Dir, meta layout.Meta) ([]string, error) {
	src, err := reader.NewSource(dir, meta)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	start, err := src.Start()
	if err != nil {
		return nil, err
	}
	r, err := reader.NewReader(src, reader.Options{From: start, Until: reader.Unbounded})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var texts []string
	var rec segment.Record
	var last time.Time
	for {
		ok, err := r.TryNext(&rec)
		if err != nil || !ok {
			return texts, err
		}
		if want := start + int64(len(texts)); rec.Offset != want {
			return texts, fmt.Errorf("offset %d where %d belongs", rec.Offset, want)
		}
		if rec.Time.Before(last) {
			return texts, fmt.Errorf("time of offset %d runs backwards: %v after %v", rec.Offset, rec.Time, last)
		}
		last = rec.Time
		texts = append(texts, string(rec.Value))
	}
}

// A child is a process of this test binary that plays one of the roles below.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

const roleVariable = "MLOG_WRITER_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Args[1:]); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

func startChild(t testing.TB, attr *syscall.SysProcAttr, role string, args ...string) *child {
	t.Helper()
	c, err := tryStartChild(t, attr, role, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryStartChild(t testing.TB, attr *syscall.SysProcAttr, role string, args ...string) (*child, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = attr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(c.kill)
	return c, nil
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) tell(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// expect reads the child's next line, which must begin with this word, and
// returns the rest.
func (c *child) expect(word string) string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("child ended before it said %q: %v", word, c.out.Err())
	}
	first, rest, _ := strings.Cut(c.out.Text(), " ")
	if first != word {
		c.t.Fatalf("child said %q where %q was expected", c.out.Text(), word)
	}
	return rest
}

// stages by name, for the command line of a child.
var stages = map[string]writer.Stage{
	"locked": writer.Locked, "staged": writer.Staged, "committed": writer.Committed,
	"named": writer.Named, "sealed": writer.Sealed, "released": writer.Released,
}

var roles = map[string]func(args []string) error{
	"hold":   holdRole,
	"append": appendRole,
}

// addRole is for files that are not built everywhere.
func addRole(name string, role func(args []string) error) bool {
	roles[name] = role
	return true
}

func openInChild(path string) (*writer.Writer, error) {
	dir := layout.Dir(path)
	meta, err := dir.ReadMeta()
	if err != nil {
		return nil, err
	}
	return writer.Open(context.Background(), dir, meta, writer.Options{Logger: slog.New(slog.DiscardHandler)})
}

// holdRole (DIR STAGE ACTION RECORD…) appends the records as one batch and, when
// it comes to the stage, says "held" and hangs for ever ("hang") or until it is
// told a line ("wait"), and then says "done".
func holdRole(args []string) error {
	w, err := openInChild(args[0])
	if err != nil {
		return err
	}
	held := false
	writer.SetHook(w, func(s writer.Stage) {
		if s != stages[args[1]] || held {
			return
		}
		held = true
		fmt.Println("held")
		if args[2] == "hang" {
			time.Sleep(time.Hour)
		}
		bufio.NewScanner(os.Stdin).Scan()
	})
	if _, err := w.Append(context.Background(), values(args[3:]...)); err != nil {
		return err
	}
	fmt.Println("done")
	return w.Close()
}

// appendRole (DIR) appends each line of its input as a record and answers with
// the offset.
func appendRole(args []string) error {
	w, err := openInChild(args[0])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		base, err := w.Append(context.Background(), values(in.Text()))
		if err != nil {
			return err
		}
		fmt.Println("ok", base)
	}
	return errors.Join(in.Err(), w.Close())
}
