package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const (
	queueRecords = 1024     // length of a POSIX queue, where the limits allow it
	queueBytes   = 16 << 20 // of a System V queue, where the limits allow it
)

// setLimit raises a limit of the namespace for System V and POSIX queues, and is silent where it may not: then
// opening a queue, or sending, says what is too much.
func setLimit(path string, value int) {
	_ = os.WriteFile(path, []byte(strconv.Itoa(value)), 0)
}

// isolated reports whether the limits are ours to set: the run script has then given us a namespace of our own.
func isolated() bool { return os.Getenv("MLOG_BENCH_IPC_NAMESPACE") != "" }

// mqAttr is struct mq_attr of mq_open(2).
type mqAttr struct {
	Flags, MaxMessages, MessageBytes, Messages int64
	_                                          [4]int64
}

var posixQueues = packets{
	setup: func(e *harness.Env) error {
		attr := mqAttr{MaxMessages: 10, MessageBytes: int64(e.Size)}
		if isolated() {
			setLimit("/proc/sys/fs/mqueue/msg_max", queueRecords)
			setLimit("/proc/sys/fs/mqueue/msgsize_max", max(8192, e.Size))
			attr.MaxMessages = affordable(e)
		}
		for c := range e.Consumers {
			name := fmt.Sprintf("mlog-bench-%d-%d", os.Getpid(), c)
			fd, err := mqOpen(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, &attr)
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENOSYS) {
				return harness.Skip("mq_open of %d records of %d bytes: %v (see mq_overview(7), limits)", attr.MaxMessages, e.Size, err)
			}
			if err != nil {
				return fmt.Errorf("mq_open: %w", err)
			}
			e.Cleanup(func() error { return mqUnlink(name) })
			e.Set("queue"+strconv.Itoa(c), name)
			if err := unix.Close(fd); err != nil {
				return err
			}
		}
		return nil
	},
	open: func(e *harness.Env, consumer int) (channel, error) {
		flags := unix.O_RDWR
		if e.Spin {
			flags |= unix.O_NONBLOCK
		}
		fd, err := mqOpen(e.Get("queue"+strconv.Itoa(consumer)), flags, nil)
		return posixQueue(fd), err
	},
}

// affordable returns how many records a queue can have, since each user's queues may take so many bytes in all.
func affordable(e *harness.Env) int64 {
	const overhead = 128 // bytes of a message besides its text, as getrlimit(2) has it, and some more
	raised := unix.Rlimit{Cur: 1 << 30, Max: 1 << 30}
	if unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &raised) == nil {
		return queueRecords
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MSGQUEUE, &limit) != nil {
		return 10
	}
	limit.Cur = limit.Max
	if unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &limit) != nil {
		return 10
	}
	return min(queueRecords, max(1, int64(limit.Cur)/int64(e.Consumers)/int64(e.Size+overhead)))
}

func mqOpen(name string, flags int, attr *mqAttr) (int, error) {
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(text)), uintptr(flags|unix.O_CLOEXEC), 0o600,
		uintptr(unsafe.Pointer(attr)), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func mqUnlink(name string) error {
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(text)), 0, 0); errno != 0 {
		return fmt.Errorf("mq_unlink: %w", errno)
	}
	return nil
}

// A posixQueue is the descriptor of a POSIX message queue.
type posixQueue int

func (q posixQueue) send(rec []byte) error {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, uintptr(q), uintptr(unsafe.Pointer(&rec[0])), uintptr(len(rec)), 0, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR, unix.EAGAIN:
		default:
			return fmt.Errorf("mq_send: %w", errno)
		}
	}
}

func (q posixQueue) receive(buf []byte) ([]byte, error) {
	n, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, uintptr(q), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
	switch errno {
	case 0:
		return buf[:n], nil
	case unix.EINTR, unix.EAGAIN:
		return nil, nil
	}
	return nil, fmt.Errorf("mq_receive: %w", errno)
}

var sysvQueues = packets{
	setup: func(e *harness.Env) error {
		if isolated() {
			setLimit("/proc/sys/kernel/msgmax", max(8192, e.Size))
			setLimit("/proc/sys/kernel/msgmnb", queueBytes)
		}
		for c := range e.Consumers {
			id, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, unix.IPC_CREAT|0o600, 0)
			if errno == unix.ENOSYS {
				return harness.Skip("msgget: %v", errno)
			}
			if errno != 0 {
				return fmt.Errorf("msgget: %w", errno)
			}
			e.Cleanup(func() error { return msgRemove(id) })
			e.Set("queue"+strconv.Itoa(c), strconv.Itoa(int(id)))
		}
		return nil
	},
	open: func(e *harness.Env, consumer int) (channel, error) {
		id, err := strconv.Atoi(e.Get("queue" + strconv.Itoa(consumer)))
		q := &sysvQueue{id: uintptr(id), buf: make([]byte, typeBytes+e.Size+1)}
		q.buf[0] = 1 // the type, of which all records are
		if e.Spin {
			q.flags = unix.IPC_NOWAIT
		}
		return q, err
	},
}

func msgRemove(id uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0); errno != 0 {
		return fmt.Errorf("remove the queue: %w", errno)
	}
	return nil
}

const typeBytes = 8 // struct msgbuf begins with a long

// A sysvQueue is a System V message queue. It copies each record to where its type stands before it.
type sysvQueue struct {
	id    uintptr
	buf   []byte
	flags uintptr
}

func (q *sysvQueue) send(rec []byte) error {
	copy(q.buf[typeBytes:], rec)
	for {
		_, _, errno := unix.Syscall6(unix.SYS_MSGSND, q.id, uintptr(unsafe.Pointer(&q.buf[0])), uintptr(len(rec)), q.flags, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR, unix.EAGAIN:
		case unix.EINVAL:
			return harness.Skip("msgsnd of %d bytes: above kernel.msgmax", len(rec))
		default:
			return fmt.Errorf("msgsnd: %w", errno)
		}
	}
}

func (q *sysvQueue) receive([]byte) ([]byte, error) {
	n, _, errno := unix.Syscall6(unix.SYS_MSGRCV, q.id, uintptr(unsafe.Pointer(&q.buf[0])), uintptr(len(q.buf)-typeBytes), 0, q.flags, 0)
	switch errno {
	case 0:
		return q.buf[typeBytes : typeBytes+n], nil
	case unix.EINTR, unix.ENOMSG:
		return nil, nil
	}
	return nil, fmt.Errorf("msgrcv: %w", errno)
}
