package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const (
	pipeBytes   = 1 << 20 // F_SETPIPE_SZ: what pipe-max-size allows everybody by default
	socketBytes = 1 << 20 // SO_SNDBUF and SO_RCVBUF
)

var (
	pipes       = stream{open: openPipes, shared: true}
	fifos       = stream{open: openFifos, shared: true}
	unixStreams = stream{open: openUnixStreams}
	tcps        = stream{open: openTCPs}
)

func openPipes(e *harness.Env) error {
	for range e.Consumers {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return fmt.Errorf("pipe: %w", err)
		}
		addFiles(e, fds)
		growPipe(fds[1])
	}
	return nil
}

func openFifos(e *harness.Env) error {
	for c := range e.Consumers {
		path := filepath.Join(e.Dir, fmt.Sprint("fifo", c))
		if err := unix.Mkfifo(path, 0o600); err != nil {
			return fmt.Errorf("mkfifo: %w", err)
		}
		// Open for reading alone would wait for a writer, which is not there yet.
		both, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(both)
		r, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		w, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return errors.Join(err, unix.Close(r))
		}
		addFiles(e, [2]int{r, w})
		growPipe(w)
	}
	return nil
}

// growPipe makes the pipe as big as it may be; it works with the usual 64 KiB too.
func growPipe(fd int) { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeBytes) }

func openUnixStreams(e *harness.Env) error {
	for range e.Producers * e.Consumers {
		if err := addSocketpair(e, unix.SOCK_STREAM); err != nil {
			return err
		}
	}
	return nil
}

// addSocketpair makes a pair of connected Unix sockets.
func addSocketpair(e *harness.Env, kind int) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	addFiles(e, fds)
	growSocket(fds[1], unix.SO_SNDBUF, unix.SO_SNDBUFFORCE)
	return nil
}

// growSocket asks for more than wmem_max where the caller may, and else for as much as there is.
func growSocket(fd, option, forced int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, forced, socketBytes) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, socketBytes)
	}
}

func openTCPs(e *harness.Env) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	for range e.Producers * e.Consumers {
		w, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		r, err := l.Accept()
		if err != nil {
			return errors.Join(err, w.Close())
		}
		err = errors.Join(w.(*net.TCPConn).SetNoDelay(e.Work == harness.Latency), addConn(e, r), addConn(e, w))
		if err != nil {
			return err
		}
	}
	return nil
}

// addConn leaves a connection to the roles as a blocking descriptor.
func addConn(e *harness.Env, conn net.Conn) error {
	defer conn.Close()
	f, err := conn.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	e.Files = append(e.Files, f)
	return unix.SetNonblock(int(f.Fd()), false)
}

func addFiles(e *harness.Env, fds [2]int) {
	e.Files = append(e.Files, os.NewFile(uintptr(fds[0]), "read end"), os.NewFile(uintptr(fds[1]), "write end"))
}
