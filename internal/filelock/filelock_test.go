package filelock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestMain makes the test binary a holder of a lock when a test asks for it: it
// says so, and holds on until it is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("FILELOCK_TEST_HOLD"); path != "" {
		lock, err := TryExclusive(path, 0o600)
		fmt.Println(lock != nil, err)
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func lockFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "lock")
}

// mustTry gives a lock that was got back at the end of the test; nil stands for
// one that was not to be had.
func mustTry(t *testing.T, lock *Lock, err error) *Lock {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lock.Release)
	return lock
}

func exclusive(t *testing.T, path string) *Lock {
	t.Helper()
	lock, err := TryExclusive(path, 0o600)
	return mustTry(t, lock, err)
}

func shared(t *testing.T, path string) *Lock {
	t.Helper()
	lock, err := TryShared(path)
	return mustTry(t, lock, err)
}

func TestExclusiveAndShared(t *testing.T) {
	path := lockFile(t)
	one := exclusive(t, path)
	if one == nil {
		t.Fatal("a free lock was not to be had")
	}
	if exclusive(t, path) != nil {
		t.Error("two exclusive locks at once")
	}
	if shared(t, path) != nil {
		t.Error("a shared lock beside an exclusive one")
	}
	one.Release()
	two, three := shared(t, path), shared(t, path)
	if two == nil || three == nil {
		t.Error("two shared locks exclude each other")
	}
	if exclusive(t, path) != nil {
		t.Error("an exclusive lock beside a shared one")
	}
	two.Release()
	if exclusive(t, path) != nil {
		t.Error("the other shared lock was forgotten")
	}
	three.Release()
	if exclusive(t, path) == nil {
		t.Error("a lock that was given back is not to be had")
	}
}

func TestReleaseTwiceAndOfNothing(t *testing.T) {
	path := lockFile(t)
	one := exclusive(t, path)
	one.Release()
	two := exclusive(t, path)
	one.Release()
	if exclusive(t, path) != nil {
		t.Error("the second release freed somebody else's lock")
	}
	two.Release()
	var none *Lock
	none.Release()
}

// TestFreedByKill: the kernel frees the lock of a process that is killed.
func TestFreedByKill(t *testing.T) {
	path := lockFile(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "FILELOCK_TEST_HOLD="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "true <nil>\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	if exclusive(t, path) != nil {
		t.Fatal("the child's lock does not exclude us")
	}
	child.Process.Kill()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	lock, err := Exclusive(ctx, path, 0o600)
	if err != nil {
		t.Errorf("after the kill: %v", err)
	}
	lock.Release()
	child.Wait()
}

func TestExclusiveWaits(t *testing.T) {
	path := lockFile(t)
	holder := exclusive(t, path)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := Exclusive(ctx, path, 0o600); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's error", err)
	}
	time.AfterFunc(10*time.Millisecond, holder.Release)
	lock, err := Exclusive(context.Background(), path, 0o600)
	if err != nil {
		t.Error(err)
	}
	lock.Release()
}

func TestMissingFile(t *testing.T) {
	path := lockFile(t)
	if lock, err := TryShared(path); lock != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("shared: %v, %v", lock, err)
	}
	if lock, err := ProbeExclusive(path); lock != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("probe: %v, %v", lock, err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a probe created the file")
	}
	exclusive(t, path)
	if fi, err := os.Lstat(path); err != nil || fi.Mode() != 0o600 {
		t.Errorf("created: %v, %v", fi, err)
	}
}

func TestSymbolicLinkIsNotFollowed(t *testing.T) {
	path := lockFile(t)
	if err := os.WriteFile(path+".target", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".target", path); err != nil {
		t.Skipf("symbolic links cannot be made here: %v", err)
	}
	if lock, err := TryExclusive(path, 0o600); err == nil {
		t.Error("followed")
		lock.Release()
	}
}

func TestSameFile(t *testing.T) {
	path := lockFile(t)
	lock := exclusive(t, path)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !lock.SameFile(before) {
		t.Error("the file is not taken for itself")
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if lock.SameFile(after) || !lock.SameFile(before) {
		t.Error("the name, which means another file now, is taken for the locked one")
	}
}
