// Package machine says what a measurement ran on: without that, a figure is none.
package machine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
)

// Facts go to the head of every result.
type Facts struct {
	Cores      int       `json:"cores"` // that this process may use
	CPU        string    `json:"cpu"`
	Memory     string    `json:"memory"`
	Kernel     string    `json:"kernel"`
	Go         string    `json:"go"`
	Filesystem string    `json:"filesystem"` // of the directory that logs are in
	Revision   string    `json:"revision"`   // of mlog, with + if files differ from it; empty if unknown
	Load       string    `json:"load"`       // average of the last minute, before the run
	Time       time.Time `json:"time"`
}

// Look finds them out. What cannot be known is left empty.
func Look(dir string) Facts {
	f := Facts{Cores: len(proc.CPUs()), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, Time: time.Now().UTC()}
	f.CPU = field("/proc/cpuinfo", "model name")
	f.Memory = field("/proc/meminfo", "MemTotal")
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		f.Kernel = string(bytes.TrimRight(u.Sysname[:], "\x00")) + " " + string(bytes.TrimRight(u.Release[:], "\x00"))
	}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil {
		f.Filesystem = filesystem(int64(fs.Type))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		f.Load, _, _ = strings.Cut(string(load), " ")
	}
	f.Revision = revision()
	return f
}

func (f Facts) String() string {
	s := fmt.Sprintf("%d cores, %s, %s; %s; %s; logs on %s; load %s", f.Cores, f.CPU, f.Memory, f.Kernel, f.Go, f.Filesystem, f.Load)
	if f.Revision != "" {
		s += "; mlog " + f.Revision
	}
	return s
}

// field returns what follows a name and a colon in a file of /proc.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func filesystem(kind int64) string {
	names := map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.F2FS_SUPER_MAGIC: "f2fs", 0x2fc12fc1: "zfs",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return fmt.Sprintf("filesystem %#x", kind)
}

// revision asks git: a build by 'go run' knows none.
func revision() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	rev := strings.TrimSpace(string(head))
	if changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no").Output(); err == nil && len(changed) > 0 {
		rev += "+"
	}
	return rev
}
