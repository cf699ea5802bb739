package log_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
)

// FUSE stands for the network filesystems: sshfs and others are of it, and it can
// be mounted without a network, served by the test itself. The few messages that
// it takes are from linux/fuse.h.
const (
	fuseLookup  = 1
	fuseGetattr = 3
	fuseMkdir   = 9
	fuseStatfs  = 17
	fuseInit    = 26
)

func TestNetworkFilesystemIsRefused(t *testing.T) {
	mount := t.TempDir()
	fs := mountEmptyFUSE(t, mount)
	for _, dir := range []string{mount, filepath.Join(mount, "log")} {
		_, err := mlog.Open(dir, mlog.Options{})
		if !errors.Is(err, mlog.ErrNetworkFilesystem) {
			t.Errorf("opening %s gave %v", dir, err)
		}
	}
	if slices.Contains(fs.operations(), fuseMkdir) {
		t.Error("the refused open tried to make a directory")
	}
	// Forced, it goes on, to the error that this filesystem has for everything.
	if _, err := mlog.Open(filepath.Join(mount, "log"), mlog.Options{AllowNetworkFilesystem: true}); err == nil || errors.Is(err, mlog.ErrNetworkFilesystem) {
		t.Errorf("a forced open gave %v", err)
	}
	if !slices.Contains(fs.operations(), fuseMkdir) {
		t.Error("the forced open did not try to make the directory")
	}
}

type emptyFUSE struct {
	fd int

	mu   sync.Mutex
	seen []uint32
}

func (f *emptyFUSE) operations() []uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// mountEmptyFUSE mounts a filesystem that has a root directory and nothing else.
func mountEmptyFUSE(t *testing.T, dir string) *emptyFUSE {
	t.Helper()
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", fd, syscall.Getuid(), syscall.Getgid())
	if err := syscall.Mount("mlog-test", dir, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		syscall.Close(fd)
		t.Skipf("mounting is not permitted here: %v", err)
	}
	f := &emptyFUSE{fd: fd}
	served := make(chan struct{})
	go func() {
		defer close(served)
		f.serve()
	}()
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
		<-served
		syscall.Close(fd)
	})
	return f
}

// serve answers until the filesystem is unmounted, when reading fails.
func (f *emptyFUSE) serve() {
	const headerBytes = 40
	buf := make([]byte, 1<<20)
	for {
		n, err := syscall.Read(f.fd, buf)
		if errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.ENOENT) {
			continue
		}
		if err != nil || n < headerBytes {
			return
		}
		operation := binary.LittleEndian.Uint32(buf[4:])
		unique := binary.LittleEndian.Uint64(buf[8:])
		f.mu.Lock()
		f.seen = append(f.seen, operation)
		f.mu.Unlock()
		body, errno := answer(operation)
		reply := make([]byte, 16, 16+len(body))
		binary.LittleEndian.PutUint32(reply, uint32(16+len(body)))
		binary.LittleEndian.PutUint32(reply[4:], uint32(-int32(errno)))
		binary.LittleEndian.PutUint64(reply[8:], unique)
		_, _ = syscall.Write(f.fd, append(reply, body...))
	}
}

func answer(operation uint32) (body []byte, errno syscall.Errno) {
	switch operation {
	case fuseInit:
		body = make([]byte, 64)
		binary.LittleEndian.PutUint32(body, 7)           // protocol version, major
		binary.LittleEndian.PutUint32(body[4:], 31)      // and minor
		binary.LittleEndian.PutUint32(body[20:], 64<<10) // the largest write
		return body, 0
	case fuseStatfs:
		return make([]byte, 80), 0
	case fuseGetattr:
		body = make([]byte, 104)
		binary.LittleEndian.PutUint64(body[16:], 1)                     // inode
		binary.LittleEndian.PutUint32(body[76:], syscall.S_IFDIR|0o777) // mode
		binary.LittleEndian.PutUint32(body[80:], 2)                     // links
		return body, 0
	case fuseLookup:
		return nil, syscall.ENOENT
	}
	return nil, syscall.ENOSYS
}
