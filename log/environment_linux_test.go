package log_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// A full disk is an error of the append that needs a new segment. What was there
// is intact, and appending goes on once there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("mlog-test", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting a small tmpfs is not permitted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	}()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := mlog.Open(filepath.Join(dir, "log"), mlog.Options{SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	value := []byte(strings.Repeat("x", 10_000))
	appended := int64(0)
	for {
		offset, err := w.Append(context.Background(), mlog.Record{Value: value})
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("the full disk gave %v", err)
			}
			break
		}
		if offset != appended {
			t.Fatalf("offset %d, want %d", offset, appended)
		}
		appended++
	}
	if appended < 10 {
		t.Fatalf("the disk was full after %d records", appended)
	}
	if n := countRecords(t, l); n != appended {
		t.Fatalf("%d records are readable, %d were acknowledged", n, appended)
	}
	if err := w.Sync(context.Background()); err != nil {
		t.Errorf("sync on a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if offset, err := w.Append(context.Background(), mlog.Record{Value: value}); err != nil || offset != appended {
			t.Fatalf("with room again: offset %d, %v; want %d", offset, err, appended)
		}
		appended++
	}
}

// A log that the disk has no room for is not made by halves: a smaller one can be
// made in its place.
func TestCreationOnFullDisk(t *testing.T) {
	tmp := t.TempDir()
	if err := syscall.Mount("mlog-test", tmp, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting a small tmpfs is not permitted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(tmp, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	}()
	dir := filepath.Join(tmp, "log")
	if _, err := mlog.Open(dir, mlog.Options{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("64 MiB on a disk of 1 MiB: %v", err)
	}
	if _, err := mlog.Open(dir, mlog.Options{MustExist: true}); err == nil {
		t.Error("there is a log")
	}
	l, w := openLog(t, dir, mlog.Options{})
	mustAppend(t, w, "a")
	l.Close()
}

// countRecords reads the log to its end and returns how many records there are.
func countRecords(t *testing.T, l *mlog.Log) int64 {
	t.Helper()
	r, err := l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := int64(0)
	for rec, err := range r.Records(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Offset != n {
			t.Fatalf("offset %d where %d belongs", rec.Offset, n)
		}
		n++
	}
	return n
}

// A user who may read the log, and not write it, can follow it: sleeping on the
// futex when the log's mode lets readers write the wake file, as it does by
// default, and else by looking now and then. He cannot append.
func TestReaderWithReadPermissionOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	for name, wakeMode := range map[string]os.FileMode{"wake file writable": 0o666, "wake file read-only": 0o644} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			l, err := mlog.Open(dir, mlog.Options{Mode: 0o644, SegmentBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			w, err := l.Writer(mlog.WriterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(dir, "wake"), wakeMode); err != nil {
				t.Fatal(err)
			}
			makeReachable(t, dir)
			cmd := exec.Command(copyOfThisBinary(t), dir)
			cmd.Env = append(os.Environ(), roleVariable+"=stranger")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			lines := startLines(t, cmd)
			lines.expect("append refused")
			lines.expect("waiting")
			for i := range 5 { // each wakes it anew
				time.Sleep(5 * time.Millisecond)
				if _, err := w.Append(context.Background(), mlog.Record{Value: fmt.Appendf(nil, "record %d", i)}); err != nil {
					t.Fatal(err)
				}
				lines.expect(fmt.Sprintf("record %d", i))
			}
		})
	}
}

func init() { roles["stranger"] = strangerRole }

// strangerRole (DIR) reads a log that it may not write.
func strangerRole(args []string) error {
	l, err := mlog.Open(args[0], mlog.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := l.Writer(mlog.WriterOptions{}); !errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("a writer gave %v", err)
	}
	fmt.Println("append refused")
	r, err := l.Reader(mlog.ReaderOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Println("waiting")
	for rec, err := range r.Records(context.Background()) {
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", rec.Value)
	}
	return nil
}

// makeReachable lets others pass through the test's private folders above dir.
func makeReachable(t *testing.T, dir string) {
	t.Helper()
	for parent := filepath.Dir(dir); parent != os.TempDir() && len(parent) > 1; parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// copyOfThisBinary puts the test binary where every user can run it.
func copyOfThisBinary(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "test")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	makeReachable(t, path)
	return path
}
