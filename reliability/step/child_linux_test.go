//go:build amd64 || arm64

package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/log"
)

// A child is this test binary in the role of a process that will be killed.
const (
	partVariable = "MLOG_STEP_TEST_PART" // name of the operation that it does
	dirVariable  = "MLOG_STEP_TEST_DIR"
)

func TestMain(m *testing.M) {
	part := os.Getenv(partVariable)
	if part == "" {
		os.Exit(m.Run())
	}
	op := operationNamed(part)
	if op == nil {
		fmt.Printf("error no operation %q\n", part)
		os.Exit(2)
	}
	if err := op.play(os.Getenv(dirVariable)); err != nil {
		fmt.Fprintf(os.Stderr, "child, %s: %v\n", part, err)
		os.Exit(1)
	}
}

// An actor is what a child has of the log.
type actor struct {
	dir    string
	log    *log.Log
	writer *log.Writer
	group  *log.Group
	op     *operation
	next   []log.Record // what the operation appends
}

// play does the operation in a child, with signals to the tracer around it, and
// then waits to be killed.
func (op *operation) play(dir string) error {
	a := &actor{dir: dir, op: op}
	if !op.cold {
		if err := a.open(op.options); err != nil {
			return err
		}
		if err := a.appendAll(op.warm...); err != nil {
			return err
		}
	}
	if op.ready != nil {
		if err := op.ready(a); err != nil {
			return err
		}
	}
	a.next = op.batch.records()
	settle()
	if err := begin(); err != nil {
		return err
	}
	if err := op.run(a); err != nil {
		return err
	}
	raise(endSignal)
	time.Sleep(time.Hour)
	return nil
}

// settle waits for the background work of opening and of the first append to end:
// a thread that is held in it would keep from going on whoever waits for that.
func settle() {
	const yields, pause = 20, time.Millisecond
	for range yields {
		runtime.Gosched()
	}
	for time.Sleep(pause); !alone(); time.Sleep(pause) {
	}
}

// alone reports whether all other threads of this process sleep.
func alone() bool {
	stats, _ := filepath.Glob("/proc/self/task/*/stat")
	awake := 0
	for _, path := range stats {
		b, _ := os.ReadFile(path)
		if _, state, _ := strings.Cut(string(b), ") "); !strings.HasPrefix(state, "S") {
			awake++
		}
	}
	return awake <= 1
}

// begin makes this thread a tracee of the thread that started this process. It
// stops twice: first so that the other threads can be held; then, when nobody else
// is there who could ask this goroutine to make room for others, as Go's monitor
// thread may have done before, at the beginning of the operation. The goroutine is
// not locked to the thread then: the others must be able to take turns with it.
func begin() error {
	runtime.LockOSThread()
	if _, _, errno := unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0); errno != 0 {
		fmt.Println("forbidden", errno)
		return errno
	}
	fmt.Println("thread", unix.Gettid())
	raise(holdSignal)
	runtime.UnlockOSThread()
	runtime.Gosched()
	raise(beginSignal)
	return nil
}

// raise sends a signal to this thread. The tracer gets it.
func raise(s unix.Signal) {
	_, _, _ = unix.RawSyscall(unix.SYS_TGKILL, uintptr(unix.Getpid()), uintptr(unix.Gettid()), uintptr(s))
}

func (a *actor) open(o log.Options) (err error) {
	if a.log, err = log.Open(a.dir, o); err != nil {
		return err
	}
	a.writer, err = a.log.Writer(log.WriterOptions{})
	return err
}

func (a *actor) appendAll(batches ...batch) error {
	for _, b := range batches {
		if _, err := a.writer.AppendBatch(context.Background(), b.records()); err != nil {
			return err
		}
	}
	return nil
}

func (a *actor) close() error {
	var err error
	if a.group != nil {
		err = a.group.Close()
	}
	if a.log != nil {
		err = errors.Join(err, a.log.Close())
	}
	return err
}

// yieldUntil lets the background goroutine of the writer run, on this very thread,
// until it has done something.
func yieldUntil(done func() bool) {
	for !done() {
		runtime.Gosched()
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
