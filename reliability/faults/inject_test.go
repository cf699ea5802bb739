package faults_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/seam"
)

// A target is a call of the system: the n-th of its kind on a kind of file. Calls
// are told apart by file, since several goroutines make them and only those on
// one kind of file come in an order.
type target struct {
	op, file string
	n        int
}

// A manner is how a call fails.
type manner int

const (
	once   manner = iota // this one call
	onward               // this one, and from then on each call of the same name
	late                 // this one call is made, and then reported as failed
)

var manners = []manner{once, onward, late}

func (m manner) String() string { return [...]string{"once", "onward", "late"}[m] }

// errnos are the errors that calls fail with.
var errnos = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EMFILE, syscall.ENOMEM, syscall.EINTR}

var errnoNames = map[syscall.Errno]string{syscall.ENOSPC: "ENOSPC", syscall.EIO: "EIO", syscall.EMFILE: "EMFILE",
	syscall.ENOMEM: "ENOMEM", syscall.EINTR: "EINTR"}

// mayBeLate are the calls that change something, so that it matters whether they
// were made.
var mayBeLate = []string{"open", "mkdir", "rename", "link", "unlink", "write", "ftruncate", "fallocate",
	"fdatasync", "msync", "fsync", "fchmod", "fchown", "flock", "funlock", "mmap", "eventfd"}

// oncers are the calls that fail at most once: a process that can never give a lock
// back keeps it, and the descriptor with it, and nothing can be done about that.
var oncers = []string{"funlock"}

// A failure is one to be played.
type failure struct {
	target
	errno  syscall.Errno
	manner manner
}

func (f failure) String() string {
	return fmt.Sprintf("%s %s/%d/%s/%v", f.op, f.file, f.n, errnoNames[f.errno], f.manner)
}

// An injector sees each call, counts it, and makes one or more of them fail.
type injector struct {
	dir  string
	plan *failure // nil: only count

	mu     sync.Mutex
	counts map[string]int
	failed []string // what it made fail
	stop   func()
}

// inject watches all that is done to files in dir, and, for the log's sake, those
// about no file.
func inject(dir string, plan *failure) *injector {
	in := &injector{dir: dir, plan: plan, counts: make(map[string]int)}
	in.stop = seam.Watch(dir, in.hook)
	return in
}

func (in *injector) hook(c seam.Call, do func() error) error {
	file := in.fileKind(c.Path)
	if !in.fails(c.Op, file) {
		return do()
	}
	if in.plan.manner == late {
		if err := do(); err != nil {
			in.mu.Lock()
			defer in.mu.Unlock()
			in.failed = in.failed[:0] // it failed without our doing
			return err
		}
	}
	return asTheSystemSays(c, in.plan.errno)
}

// fails counts a call and says whether it is to fail.
func (in *injector) fails(op, file string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	key := op + "\x00" + file
	in.counts[key]++
	p := in.plan
	if p == nil || p.op != op {
		return false
	}
	begun := len(in.failed) > 0
	hit := !begun && p.file == file && p.n == in.counts[key] || begun && p.manner == onward
	// A call that goes on being interrupted is made again for ever, as it must be:
	// so that a test ends, this one gets through.
	if hit && p.errno == syscall.EINTR && len(in.failed) >= 100 {
		return false
	}
	if hit {
		in.failed = append(in.failed, op+" "+file)
	}
	return hit
}

// asTheSystemSays dresses an error as the call itself would return it.
func asTheSystemSays(c seam.Call, errno syscall.Errno) error {
	switch c.Op {
	case "mmap", "flock", "funlock", "fallocate", "statfs", "eventfd", "futex", "futex_waitv":
		return errno
	}
	return &fs.PathError{Op: c.Op, Path: c.Path, Err: errno}
}

// total is how many calls were seen.
func (in *injector) total() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := 0
	for _, c := range in.counts {
		n += c
	}
	return n
}

// hits returns what was made to fail.
func (in *injector) hits() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.failed)
}

// targets returns every call that was seen, in order.
func (in *injector) targets() []target {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all []target
	for key, count := range in.counts {
		op, file, _ := strings.Cut(key, "\x00")
		for n := range count {
			all = append(all, target{op, file, n + 1})
		}
	}
	slices.SortFunc(all, func(a, b target) int {
		if c := strings.Compare(a.op+a.file, b.op+b.file); c != 0 {
			return c
		}
		return a.n - b.n
	})
	return all
}

// fileKind names the part that a file plays in a log. All of a kind count
// together.
func (in *injector) fileKind(path string) string {
	if path == "" {
		return "-"
	}
	rel, err := filepath.Rel(in.dir, path)
	if err != nil || rel == "." {
		return "parent"
	}
	_, rel, _ = strings.Cut(filepath.ToSlash(rel)+"/", "/") // without the log's own name
	rel = strings.TrimSuffix(rel, "/")
	stem, _, temporary := strings.Cut(rel, files.TempMark)
	kind := stemKind(stem)
	if temporary {
		kind = "new " + kind
	}
	return kind
}

func stemKind(name string) string {
	folder, base, inFolder := strings.Cut(name, "/")
	switch {
	case name == "":
		return "directory"
	case strings.HasSuffix(name, ".seg"):
		return "segment"
	case strings.HasSuffix(name, ".idx"):
		return "index"
	case !inFolder:
		return name // meta, retention, control, wake, spare, …
	case folder == "groups" && strings.HasSuffix(base, "~lock"):
		return "group lock"
	case folder == "producers" && base != "open" && base != "spare":
		return "slot"
	}
	return folder + "/" + map[bool]string{true: base, false: "*"}[folder == "producers"]
}
