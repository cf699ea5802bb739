package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/files"
	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

const diskBytes = 16 << 20

// disk mounts a disk of 16 MiB that is gone when the test is over.
func disk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("mlog-faults", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		t.Skipf("mounting a small tmpfs is not permitted here (it takes root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// ballast fills a disk, but for what is to be left, and returns how to make room
// again.
func ballast(t *testing.T, disk string, left int64) (remove func()) {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Statfs_t
	if err := syscall.Statfs(disk, &st); err != nil {
		t.Fatal(err)
	}
	if n := int64(st.Bfree)*st.Bsize - left; n > 0 {
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, n); err != nil {
			t.Fatalf("%d bytes of ballast: %v", n, err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// A disk of 16 MiB is filled by a log of several segment sizes, to the last byte:
// the append that finds it full says so; readers, syncs and groups need no room;
// other producers see the same; and when there is room again, all go on without
// being opened anew.
func TestDiskFull(t *testing.T) {
	for _, segmentBytes := range []int64{64 << 10, 1 << 20, 4 << 20} {
		t.Run(fmt.Sprint(segmentBytes>>10, "KiB"), func(t *testing.T) { fillDisk(t, segmentBytes) })
	}
}

func fillDisk(t *testing.T, segmentBytes int64) {
	root := disk(t)
	room := ballast(t, root, diskBytes/2)
	w := newWorld(t, filepath.Join(root, "world"))
	o := w.options()
	o.SegmentBytes = segmentBytes
	w.openWith(o)
	another, err := mlog.Open(w.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	second, err := another.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g := joined(t, w.log)
	defer g.Close()

	// The last room may just have gone to the spare segment that is being made in the
	// background, and then the next append has it: so it is full at the third time.
	for refused := 0; refused < 3; {
		if !w.append(big(fmt.Sprintf("record %d ", w.end))) {
			refused++
			time.Sleep(20 * time.Millisecond)
		}
	}
	full := w.errs[len(w.errs)-1]
	if !errors.Is(full, syscall.ENOSPC) || w.end < 100 {
		t.Fatalf("after %d records: %v", w.end, full)
	}
	t.Logf("full after %d records: %v", w.end, full)
	w.errs = nil
	for range 3 { // it stays full, and no attempt leaves anything behind
		for name, writer := range map[string]*mlog.Writer{"the same": w.writer, "another": second} {
			if err := w.appendBy(writer, false, big("too many")); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("%s producer on the full disk: %v", name, err)
			}
		}
	}
	// Small ones still fit the segment, and are promised as ever.
	if !w.appendDurable("small") || !w.append("and visible") {
		t.Errorf("a small record in the segment that is there: %v", w.errs)
	}
	if err := w.writer.Sync(context.Background()); err != nil {
		t.Errorf("sync on the full disk: %v", err)
	}
	if err := g.Commit(w.end); err != nil {
		t.Errorf("commit on the full disk: %v", err)
	}
	w.readAll(mlog.ReaderOptions{})
	w.seeks()
	if l, err := mlog.Open(w.dir, mlog.Options{MustExist: true}); err != nil { // it needs no disk to read
		t.Errorf("open to read on the full disk: %v", err)
	} else if info, err := l.Info(); err != nil || info.EndOffset != w.end {
		t.Errorf("info on the full disk: %+v, %v", info, err)
	} else {
		l.Close()
	}

	room()
	for i := range 10 {
		writer := []*mlog.Writer{w.writer, second}[i%2]
		w.note(w.appendBy(writer, true, big(fmt.Sprintf("room again %d ", i))))
	}
	if err := g.Commit(w.end); err != nil {
		t.Errorf("commit with room again: %v", err)
	}
	w.close()
	w.judgeFiles(t)
}

func joined(t *testing.T, l *mlog.Log) *mlog.Group {
	t.Helper()
	g, err := l.Group("readers")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Join(context.Background()); err != nil {
		t.Fatal(err)
	}
	return g
}

// judgeFiles asks that nothing went wrong that should not have, and that the files
// hold what was acknowledged.
func (w *world) judgeFiles(t *testing.T) {
	t.Helper()
	for _, err := range w.errs {
		t.Error(err)
	}
	j := judge{world: w}
	j.asPromised(w.dir, check.Options{PowerLost: j.recovered()})
	for _, b := range w.breaches {
		t.Error(b)
	}
}

// What is made in a log besides segments, on a disk that has no room for it: a
// group, the control file after a reboot, an index, settings. Each is an error or
// is done without, and done when there is room.
func TestDiskFullOfOtherFiles(t *testing.T) {
	root := disk(t)
	w := newWorld(t, filepath.Join(root, "world"))
	openLog(w)
	w.fill(10)
	reboot(w)
	w.errs = nil
	for _, pattern := range []string{"*" + files.TempMark + "*", "*.idx", "spare", "unfinished"} {
		paths, err := filepath.Glob(filepath.Join(w.dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths { // recovery may remove them too, and then there would be room
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	room := ballast(t, root, 0)
	useUp(t, root)

	if _, _, err := openProducer(w.dir); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("recovery on the full disk: %v", err)
	}
	if !w.openToRead(w.options()) {
		t.Fatalf("reading on the full disk: %v", w.errs)
	}
	w.readAll(mlog.ReaderOptions{})
	w.seeks() // for which indexes are made, if there is room
	if _, err := w.log.Group("readers"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a new group on the full disk: %v", err)
	}
	if err := w.log.SetRetention(mlog.Retention{Bytes: 1 << 30}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("settings on the full disk: %v", err)
	}
	if r, err := w.log.Retention(); err != nil || r != (mlog.Retention{}) {
		t.Errorf("settings that could not be stored: %+v, %v", r, err)
	}

	room()
	joined(t, w.log).Close()
	w.note(w.log.SetRetention(mlog.Retention{Bytes: 1 << 30}))
	w.close()
	w.open()
	w.append("with room again")
	w.close()
	w.judgeFiles(t)
}

// useUp takes the last pages and inodes of a disk, as small files do.
func useUp(t *testing.T, disk string) {
	t.Helper()
	for n := 0; ; n++ {
		err := os.WriteFile(filepath.Join(disk, fmt.Sprint("last-", n)), []byte("x"), 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		if err != nil || n > diskBytes>>12 {
			t.Fatalf("file %d: %v", n, err)
		}
	}
}
