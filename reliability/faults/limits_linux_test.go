package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

func init() {
	roles["file size"] = fileSizeRole
	roles["descriptors"] = descriptorsRole
	roles["address space"] = addressSpaceRole
}

// limited runs a role, which limits itself, and fails if it did.
func limited(t *testing.T, role, dir string) {
	t.Helper()
	cmd := child(role, dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	t.Logf("%s", strings.TrimSpace(stdout.String()))
	if _, err := check.Read(dir, check.Options{}); err != nil {
		t.Error(err)
	}
}

// limit sets a limit of this process and returns how to lift it.
func limit(resource int, to uint64) (lift func(), err error) {
	var was unix.Rlimit
	if err := unix.Getrlimit(resource, &was); err != nil {
		return nil, err
	}
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: min(to, was.Max), Max: was.Max}); err != nil {
		return nil, err
	}
	return func() { _ = unix.Setrlimit(resource, &was) }, nil
}

// RLIMIT_FSIZE: a segment that may not be as long as it must is an error, EFBIG,
// and the signal that comes with it kills nobody. With the limit lifted, the same
// producer goes on.
func TestLimitOfFileSize(t *testing.T) {
	limited(t, "file size", filepath.Join(t.TempDir(), "log"))
}

func fileSizeRole(args []string) error {
	l, w, err := openProducer(args[0])
	if err != nil {
		return err
	}
	ctx, big := context.Background(), mlog.Record{Value: make([]byte, 20_000)}
	lift, err := limit(unix.RLIMIT_FSIZE, smallest/2)
	if err != nil {
		return err
	}
	appended := 0
	for {
		if _, err = w.Append(ctx, big); err != nil {
			break
		}
		appended++
	}
	if !errors.Is(err, syscall.EFBIG) || appended < 3 {
		return fmt.Errorf("after %d records: %w", appended, err)
	}
	fmt.Printf("after %d records: %v\n", appended, err)
	// What is there already may be written to: a mapping knows no such limit.
	if _, err := w.Append(ctx, mlog.Record{Value: []byte("small")}); err != nil {
		return err
	}
	// Nor can a log be made.
	if made, err := mlog.Open(args[0]+"-new", mlog.Options{}); !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("a new log: %v, %w", made, err)
	}
	lift()
	for range 5 {
		if _, err := w.Append(ctx, big); err != nil {
			return fmt.Errorf("with the limit lifted: %w", err)
		}
	}
	return errors.Join(w.Sync(ctx), l.Close())
}

// RLIMIT_NOFILE: with so few descriptors that opening, appending, rolling or
// reading runs out of them, at each point in turn, the error is EMFILE, and
// nothing else is wrong; with the limit lifted all goes on.
func TestLimitOfDescriptors(t *testing.T) {
	limited(t, "descriptors", filepath.Join(t.TempDir(), "log"))
}

func descriptorsRole(args []string) error {
	l, w, err := openProducer(args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	want, failed := int64(0), 0
	for room := range uint64(20) {
		lift, err := limit(unix.RLIMIT_NOFILE, nextDescriptor()+room)
		if err != nil {
			return err
		}
		want, err = useDescriptors(args[0], w, want)
		lift()
		if err != nil {
			if !errors.Is(err, syscall.EMFILE) || errors.Is(err, mlog.ErrDamaged) {
				return fmt.Errorf("with %d descriptors: %w", room, err)
			}
			failed++
			fmt.Printf("with %d descriptors: %v\n", room, err)
		} else if room%8 != 0 {
			continue // processes take their time to start
		}
		// Now another process recovers nothing, repairs nothing, and appends.
		if out, err := child("append", args[0], "between").CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(want) {
			return fmt.Errorf("another process, with offset %d due: %s %w", want, out, err)
		}
		want++
	}
	if failed == 0 {
		return errors.New("no limit was too low")
	}
	return nil
}

// nextDescriptor is the number that the next descriptor gets, at the least.
func nextDescriptor() uint64 {
	f, err := os.Open("/")
	if err != nil {
		return math.MaxInt32
	}
	defer f.Close()
	return uint64(f.Fd())
}

// useDescriptors appends, rolls, opens the log a second time and reads it all. It
// returns the offset that is due next, and the first error.
func useDescriptors(dir string, w *mlog.Writer, next int64) (int64, error) {
	for range 4 {
		offset, err := w.Append(context.Background(), mlog.Record{Value: make([]byte, 20_000)})
		if err != nil {
			return next, err
		}
		if offset != next {
			return next, fmt.Errorf("offset %d, due was %d", offset, next)
		}
		next++
	}
	l, another, err := openProducer(dir)
	if err != nil {
		return next, err
	}
	defer l.Close()
	if _, err := another.Append(context.Background(), mlog.Record{Value: []byte("x")}); err != nil {
		return next, err
	}
	next++
	end, err := (&ownLife{l: l}).countAll()
	if err == nil && end != next {
		err = fmt.Errorf("%d records were read, %d are there", end, next)
	}
	return next, err
}

// countAll reads the log and returns how many records there are.
func (o *ownLife) countAll() (int64, error) {
	n, damaged, err := o.replay()
	if damaged {
		err = errors.Join(mlog.ErrDamaged, err)
	}
	return int64(n), err
}

// RLIMIT_AS: a segment for which there is no address space is an error, ENOMEM.
func TestLimitOfAddressSpace(t *testing.T) {
	limited(t, "address space", filepath.Join(t.TempDir(), "log"))
}

func addressSpaceRole(args []string) error {
	const segmentBytes, slack = 128 << 20, 96 << 20 // the slack is for the Go runtime, which dies without
	l, err := mlog.Open(args[0], mlog.Options{SegmentBytes: segmentBytes, FlushEvery: -1})
	if err != nil {
		return err
	}
	var size uint64
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &size)
	}
	if err != nil {
		return err
	}
	lift, err := limit(unix.RLIMIT_AS, size*uint64(os.Getpagesize())+slack)
	if err != nil {
		return err
	}
	w, err := l.Writer(mlog.WriterOptions{})
	if err == nil {
		_, err = w.Append(context.Background(), mlog.Record{Value: []byte("x")})
	}
	lift()
	if !errors.Is(err, syscall.ENOMEM) || errors.Is(err, mlog.ErrDamaged) {
		return fmt.Errorf("without address space: %w", err)
	}
	fmt.Println(err)
	w, err = l.Writer(mlog.WriterOptions{})
	if err == nil {
		_, err = w.Append(context.Background(), mlog.Record{Value: []byte("x")})
	}
	return errors.Join(err, l.Close())
}

// A filesystem that is mounted read-only: what is there can be read, and an append
// says why it cannot be. Mounted for writing again, it goes on.
func TestReadOnlyDisk(t *testing.T) {
	root := disk(t)
	w := newWorld(t, filepath.Join(root, "world"))
	closedLog(w)
	if err := syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("remounting read-only is not permitted here: %v", err)
	}
	if _, _, err := openProducer(w.dir); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), w.dir) {
		t.Errorf("a producer on a read-only disk: %v", err)
	}
	if !w.openToRead(w.options()) {
		t.Fatal(w.errs)
	}
	w.readAll(mlog.ReaderOptions{})
	w.seeks()
	w.lookUps()
	w.close()
	if err := syscall.Mount("", root, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.append("for writing again")
	w.close()
	w.judgeFiles(t)
}
