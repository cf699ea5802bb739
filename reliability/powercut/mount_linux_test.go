package powercut

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A volume is a filesystem of its own in a file, mounted by a loop device.
type volume struct {
	t     *testing.T
	image string
	point string // where it is mounted
	kind  string
	up    bool // it is mounted
}

// makeVolume makes a filesystem and mounts it. Where the machine does not allow
// that, the test is skipped.
func makeVolume(t *testing.T, kind string, megabytes int64, mkfs ...string) *volume {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a filesystem takes root")
	}
	for _, tool := range []string{mkfs[0], "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir := t.TempDir()
	v := &volume{t: t, image: filepath.Join(dir, "image"), point: filepath.Join(dir, "mounted"), kind: kind}
	f, err := os.Create(v.image)
	if err == nil {
		err = errors.Join(f.Truncate(megabytes<<20), f.Close(), os.Mkdir(v.point, 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mkfs[0], append(mkfs[1:], v.image)...).CombinedOutput(); err != nil {
		t.Skipf("cannot make a filesystem of the kind %s: %v\n%s", kind, err, out)
	}
	if out, err := v.mount(); err != nil {
		t.Skipf("cannot mount a file by a loop device: %v\n%s", err, out)
	}
	t.Cleanup(v.unmount)
	return v
}

func (v *volume) mount() ([]byte, error) {
	out, err := exec.Command("mount", "-t", v.kind, "-o", "loop", v.image, v.point).CombinedOutput()
	v.up = v.up || err == nil
	return out, err
}

// unmount takes it off its mount point, which is the test's own; one that was shut
// down does not even let itself be looked at.
func (v *volume) unmount() {
	if !v.up {
		return
	}
	if out, err := exec.Command("umount", v.point).CombinedOutput(); err != nil {
		v.t.Errorf("umount %s: %v\n%s", v.point, err, out)
		return
	}
	v.up = false
}

// isAlone proves that the volume stands at its mount point, by itself, on a loop
// device, and so is no filesystem that the machine needs. It returns the device.
func (v *volume) isAlone() (device string, err error) {
	var here, parent, root unix.Stat_t
	if err := errors.Join(unix.Stat(v.point, &here), unix.Stat(filepath.Dir(v.point), &parent), unix.Stat("/", &root)); err != nil {
		return "", err
	}
	if here.Dev == parent.Dev || here.Dev == root.Dev {
		return "", fmt.Errorf("%s is on the filesystem of its parent, or on that of /", v.point)
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer mounts.Close()
	number := fmt.Sprintf("%d:%d", unix.Major(here.Dev), unix.Minor(here.Dev))
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// id parent major:minor root point options … - kind source options
		fields := strings.Fields(lines.Text())
		i := len(fields) - 3
		if i < 6 || fields[4] != v.point {
			continue
		}
		if fields[2] != number || fields[3] != "/" || fields[i] != v.kind || !strings.HasPrefix(fields[i+1], "/dev/loop") {
			return "", fmt.Errorf("%s is not the test's own mount: %s", v.point, lines.Text())
		}
		return fields[i+1], v.backs(fields[i+1])
	}
	return "", fmt.Errorf("%s is not a mount point", v.point)
}

// backs returns nil if the loop device has the volume's image behind it.
func (v *volume) backs(device string) error {
	file, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(device), "loop/backing_file"))
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(file)); got != v.image {
		return fmt.Errorf("behind %s is %s and not %s", device, got, v.image)
	}
	return nil
}

// Flags of the shutdown call of ext4 and XFS: nothing in memory reaches the disk
// any more, or only the journal does.
const (
	goingDown          = 0x8004587d // _IOR('X', 125, u32)
	goingDownFlushLog  = 1
	goingDownNoFlush   = 2
	journalMegabytes   = 16
	ext4Megabytes      = 128
	xfsMegabytes       = 320
	shutdownNotAllowed = "the filesystem cannot be shut down here"
)

// shutDown takes the filesystem away as a loss of power does.
func (v *volume) shutDown(flag uint32) error {
	if _, err := v.isAlone(); err != nil {
		v.t.Fatalf("will not shut down: %v", err)
	}
	d, err := os.Open(v.point)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.IoctlSetPointerInt(int(d.Fd()), goingDown, int(flag))
}

// again mounts the volume anew, which has the filesystem replay its journal.
func (v *volume) again() {
	v.t.Helper()
	v.unmount()
	if out, err := v.mount(); err != nil {
		v.t.Fatalf("mount after the shutdown: %v\n%s", err, out)
	}
	if _, err := v.isAlone(); err != nil {
		v.t.Fatal(err)
	}
}

func isRefused(err error) bool {
	return errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EOPNOTSUPP)
}

func journalOption() string { return "size=" + strconv.Itoa(journalMegabytes) }
