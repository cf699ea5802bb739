//go:build unix

package files

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestOpenTakesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("regular"), []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path("regular"), true)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	os.Symlink(path("regular"), path("link"))
	syscall.Mkfifo(path("fifo"), 0o600) // opening it must not wait for a writer
	os.Mkdir(path("directory"), 0o700)
	for _, name := range []string{"link", "fifo", "directory", "missing"} {
		if f, err := Open(path(name), false); err == nil {
			t.Errorf("%s was opened", name)
			f.Close()
		}
	}
	for size, ok := range map[int64]bool{4: false, 5: true, 6: false} {
		f, err := OpenSized(path("regular"), size, false)
		if (err == nil) != ok {
			t.Errorf("5 bytes where %d are expected: %v", size, err)
		}
		f.Close()
	}
}

func TestCreateAllocated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, bytes.Repeat([]byte{0xff}, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 1 << 20
	f, err := CreateAllocated(path, size, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || fi.Size() != size || fi.Mode() != 0o666 { // whatever the umask is
		t.Errorf("%v, %v", fi, err)
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Blocks*512 < size {
		t.Errorf("%d bytes are allocated, want %d", st.Blocks*512, size)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, make([]byte, size)) {
		t.Errorf("not all zero, %v", err)
	}
	if err := SyncData(f); err != nil {
		t.Error(err)
	}
}

// TestWriteZeros is the allocation of systems and filesystems without a call for
// it.
func TestWriteZeros(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 1<<20 + 4096
	if err := writeZeros(f, 0, size); err != nil {
		t.Fatal(err)
	}
	if fi, err := f.Stat(); err != nil || fi.Size() != size {
		t.Errorf("%v, %v", fi, err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"first", "second, longer", ""} {
		if err := Replace(path, []byte(text), 0o664); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); string(b) != text || err != nil {
			t.Errorf("%q, %v; want %q", b, err, text)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o664 {
		t.Errorf("%v, %v", fi, err)
	}
	os.Mkdir(filepath.Join(dir, "taken"), 0o700)
	if err := Replace(filepath.Join(dir, "taken"), nil, 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("temporary files are left: %v", names)
	}
}

func TestMkdir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory")
	for range 2 {
		if err := Mkdir(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != fs.ModeDir|fs.ModeSetgid|0o777 { // whatever the umask is
		t.Errorf("%v, %v", fi, err)
	}
	// One that its maker left half done is finished, whatever mode it has; one that
	// was made to be a log's directory is somebody's choice.
	os.Chmod(path, 0o700)
	if err := errors.Join(MkdirTop(path, 0o770), Mkdir(filepath.Join(path, "private"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(path, "private")} {
		if fi, err := os.Stat(p); err != nil || fi.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%v, %v", fi, err)
		}
	}
	if err := Mkdir(path, 0o770); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != fs.ModeDir|fs.ModeSetgid|0o770 {
		t.Errorf("%v, %v", fi, err)
	}
	if err := Mkdir(filepath.Join(path, "a", "b"), 0o700); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below a missing directory: %v", err)
	}
}

func TestCreateEmpty(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := CreateEmpty(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o666 || fi.Size() != 0 { // whatever the umask is
		t.Errorf("%v, %v", fi, err)
	}
	os.WriteFile(path, []byte("there"), 0)
	os.Chmod(path, 0o640)
	if err := CreateEmpty(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o640 || fi.Size() != 5 {
		t.Errorf("a file that was there has become %v, %v", fi, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("temporary files are left: %v", names)
	}
	if err := CreateEmpty(filepath.Join(dir, "missing", "file"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below a missing directory: %v", err)
	}
}

// TestBelongsToTheDirectory: what root makes in somebody's directory is of his
// group and his own, with the mode that was asked for.
func TestBelongsToTheDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it takes root to make directories of others")
	}
	const uid, gid = 2001, 7777
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	f, err := CreateAllocated(path("allocated"), 4096, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := errors.Join(Replace(path("replaced"), nil, 0o640), CreateEmpty(path("empty"), 0o640),
		Mkdir(path("directory"), 0o750), MkdirTop(path("log"), 0o750)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		uid, gid uint32
		mode     fs.FileMode
	}{
		"allocated": {uid, gid, 0o640},
		"replaced":  {uid, gid, 0o640},
		"empty":     {uid, gid, 0o640},
		"directory": {uid, gid, fs.ModeDir | fs.ModeSetgid | 0o750},
		"log":       {0, 0, fs.ModeDir | fs.ModeSetgid | 0o750}, // a log of its maker's
	} {
		fi, err := os.Lstat(path(name))
		if err != nil {
			t.Fatal(err)
		}
		st := fi.Sys().(*syscall.Stat_t)
		if runtime.GOOS != "linux" && name == "log" {
			want.gid = st.Gid // the BSDs always give the group of the directory around
		}
		if st.Uid != want.uid || st.Gid != want.gid || fi.Mode() != want.mode {
			t.Errorf("%s is %d:%d %v, want %+v", name, st.Uid, st.Gid, fi.Mode(), want)
		}
	}
	// In a directory with setgid the system gives the group, and the bit must stay.
	if err := errors.Join(os.Mkdir(path("around"), 0o700), os.Chown(path("around"), uid, gid),
		os.Chmod(path("around"), fs.ModeSetgid|0o770), MkdirTop(path("around/log"), 0o770)); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Lstat(path("around/log"))
	if err != nil || fi.Mode() != fs.ModeDir|fs.ModeSetgid|0o770 || fi.Sys().(*syscall.Stat_t).Gid != gid {
		t.Errorf("%v, %v", fi, err)
	}
}

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	identity := func(name string) [2]uint64 {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		dev, ino, err := Identity(f)
		if err != nil {
			t.Fatal(err)
		}
		return [2]uint64{dev, ino}
	}
	a, b := identity("a"), identity("b")
	os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "c"))
	if a == b || identity("c") != a {
		t.Errorf("a %x, b %x, a renamed %x", a, b, identity("c"))
	}
}

func TestUnlinked(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, step := range []struct {
		do       func() error
		unlinked bool
	}{
		{func() error { return os.Link(path, other) }, false},
		{func() error { return os.Remove(path) }, false},
		{func() error { return os.Rename(other, path) }, false},
		{func() error { return os.Remove(path) }, true},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := Unlinked(f); got != step.unlinked {
			t.Errorf("unlinked %t, want %t", got, step.unlinked)
		}
	}
}

func TestNetworkFilesystem(t *testing.T) {
	if name, err := NetworkFilesystem(t.TempDir()); name != "" || err != nil {
		t.Errorf("the directory for temporary files is on %q, %v", name, err)
	}
}
