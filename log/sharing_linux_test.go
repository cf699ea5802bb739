package log_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/files"
	mlog "github.com/seed27ccf144/mlog/log"
)

// Two users, each with a group of his own, and a group that both are in.
const (
	userA, userB = 2001, 2002
	sharedGroup  = 7777
)

// A log of mode 0660 is everybody's in its group: each of the group appends,
// rolls, drops, recovers and takes part in groups, whoever made the files.
func TestSharedForWriting(t *testing.T) {
	binary := binaryForUsers(t)
	for _, umask := range []string{"022", "077"} {
		t.Run("umask "+umask, func(t *testing.T) {
			dir := filepath.Join(sharedDirectory(t, 0, sharedGroup, fs.ModeSetgid|0o770), "log")
			a := startUser(t, binary, userA, umask, dir, 0o660)
			b := startUser(t, binary, userB, umask, dir, 0o660)
			root := startUser(t, binary, 0, umask, dir, 0o660)
			everybodyAppends(t, dir, a, b, root)
			everybodyConsumes(a, b, root)
			everybodyRecovers(t, dir, a, b, root)
			everybodyRetains(t, dir, a, b, root)
			checkOwnership(t, dir, sharedGroup, 0o660, 0o660)
		})
	}
	// A directory that is made for the log, and has no setgid: the files get its
	// group all the same.
	t.Run("directory made beforehand", func(t *testing.T) {
		dir := filepath.Join(sharedDirectory(t, 0, 0, 0o755), "log")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, userA, sharedGroup), os.Chmod(dir, 0o770)); err != nil {
			t.Fatal(err)
		}
		a := startUser(t, binary, userA, "077", dir, 0o660)
		b := startUser(t, binary, userB, "077", dir, 0o660)
		root := startUser(t, binary, 0, "077", dir, 0o660)
		everybodyAppends(t, dir, a, b, root)
		everybodyConsumes(a, b, root)
		checkOwnership(t, dir, sharedGroup, 0o660, 0o660)
	})
}

// everybodyAppends has users append in turn, each through rolls of his own, with
// the log open all the time and opened anew; then all at once.
func everybodyAppends(t *testing.T, dir string, users ...*user) {
	t.Helper()
	const each = 25 // of 8 KiB: three segments and a bit
	want := 0
	for range 2 {
		for _, u := range users {
			u.do("append", each)
			u.expect("appended %d", each)
			want += each
		}
		for _, u := range users {
			u.do("read", 0)
			u.expect("read %d", want)
			u.do("close")
			u.expect("closed")
		}
	}
	for _, u := range users {
		u.do("append", 10*each)
	}
	for _, u := range users {
		u.expect("appended %d", 10*each)
		want += 10 * each
	}
	for _, u := range users {
		u.do("read", 0)
		u.expect("read %d", want)
	}
	if segments, _ := filepath.Glob(filepath.Join(dir, "*.seg")); len(segments) < want/8 {
		t.Errorf("%d segments for %d records", len(segments), want)
	}
}

// everybodyConsumes has each user make a group, and all take turns in all groups.
func everybodyConsumes(users ...*user) {
	for i := range users {
		for n, u := range append(slices.Clone(users[i:]), users[:i]...) {
			u.do("group", "group"+strconv.Itoa(i))
			u.expect("committed %d", n+1)
		}
	}
}

// everybodyRecovers has each user do what the first one does after a reboot.
func everybodyRecovers(t *testing.T, dir string, users ...*user) {
	t.Helper()
	for i := range users {
		for _, u := range users {
			u.do("close")
			u.expect("closed")
		}
		if err := os.Remove(filepath.Join(dir, "control")); err != nil {
			t.Fatal(err)
		}
		for _, u := range append(slices.Clone(users[i:]), users[:i]...) {
			u.do("append", 10)
			u.expect("appended 10")
		}
	}
}

// everybodyRetains has each user set a limit that drops what others made.
func everybodyRetains(t *testing.T, dir string, users ...*user) {
	t.Helper()
	for i, u := range users {
		keep := 4 + 2*i
		u.do("retain", keep*64<<10)
		u.expect("retained")
		u.do("append", 20*keep)
		u.expect("appended %d", 20*keep)
		within(t, "retention", func() bool {
			segments, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
			return len(segments) == keep
		})
	}
}

// A log of mode 0640 can be followed by its group, asleep on the futex, and
// appended to by its owner and by root, who leaves it to the owner.
func TestSharedForReading(t *testing.T) {
	binary := binaryForUsers(t)
	for _, umask := range []string{"022", "077"} {
		t.Run("umask "+umask, func(t *testing.T) {
			dir := filepath.Join(sharedDirectory(t, 0, sharedGroup, fs.ModeSetgid|0o770), "log")
			a := startUser(t, binary, userA, umask, dir, 0o640)
			b := startUser(t, binary, userB, umask, dir, 0o640)
			root := startUser(t, binary, 0, umask, dir, 0o640)
			total := 0
			for range 2 {
				for _, u := range []*user{a, root} {
					u.do("append", 25)
					u.expect("appended 25")
					total += 25
					b.do("read", 0)
					b.expect("read %d", total)
				}
			}
			b.do("append", 1)
			b.expect("refused")
			for i := range 6 {
				b.do("follow", 1)
				b.expect("waiting")
				within(t, "sleep on the futex", func() bool { return flagIsUp(t, dir) })
				[]*user{a, root}[i%2].do("append", 1)
				[]*user{a, root}[i%2].expect("appended 1")
				b.expect("got %d", total)
				total++
			}
			everybodyConsumes(b, a, root)
			checkOwnership(t, dir, sharedGroup, 0o640, 0o660)
		})
	}
}

// What root appends to a user's private log stays the user's.
func TestRootLeavesPrivateLogToItsOwner(t *testing.T) {
	binary := binaryForUsers(t)
	dir := filepath.Join(sharedDirectory(t, userA, userA, 0o755), "log")
	a := startUser(t, binary, userA, "022", dir, 0o600)
	root := startUser(t, binary, 0, "077", dir, 0o600)
	everybodyAppends(t, dir, a, root)
	everybodyConsumes(root, a)
	everybodyRecovers(t, dir, root, a)
	everybodyRetains(t, dir, root, a)
	checkOwnership(t, dir, userA, 0o600, 0o600)
	forEachFile(t, dir, func(path string, st syscall.Stat_t) {
		if st.Uid != userA {
			t.Errorf("%s belongs to user %d", path, st.Uid)
		}
	})
}

// Users who make a log, its groups and its slots at the same moment do not meet
// half of each other's work.
func TestUsersCreateAtOnce(t *testing.T) {
	binary := binaryForUsers(t)
	shared := sharedDirectory(t, 0, sharedGroup, fs.ModeSetgid|0o770)
	for i := range 10 {
		dir := filepath.Join(shared, strconv.Itoa(i))
		users := []*user{startUser(t, binary, userA, "077", dir, 0o660), startUser(t, binary, userB, "077", dir, 0o660)}
		for _, u := range users {
			u.do("append", 20)
		}
		for _, u := range users {
			u.expect("appended 20")
		}
		for _, u := range users {
			u.do("join", "group")
		}
		for _, u := range users {
			u.expect("joined")
		}
		checkOwnership(t, dir, sharedGroup, 0o660, 0o660)
	}
}

// A slot that somebody closed to the others costs them that slot only.
func TestClosedSlot(t *testing.T) {
	binary := binaryForUsers(t)
	dir := filepath.Join(sharedDirectory(t, 0, sharedGroup, fs.ModeSetgid|0o770), "log")
	a := startUser(t, binary, userA, "022", dir, 0o660)
	a.do("append", 1)
	a.expect("appended 1")
	if err := os.Chmod(filepath.Join(dir, "producers", "00001"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := startUser(t, binary, userB, "022", dir, 0o660)
	b.do("append", 25)
	b.expect("appended 25")
	if _, err := os.Stat(filepath.Join(dir, "producers", "00002")); err != nil {
		t.Error(err)
	}
}

// sharedDirectory makes a directory that every user can reach, with this owner,
// group and mode.
func sharedDirectory(t *testing.T, uid, gid int, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shared")
	if err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, uid, gid), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	makeReachable(t, path)
	return path
}

// checkOwnership compares group and mode of all that is in a log's directory with
// docs/format.md.
func checkOwnership(t *testing.T, dir string, gid uint32, data, shared uint32) {
	t.Helper()
	seen := 0
	forEachFile(t, dir, func(path string, st syscall.Stat_t) {
		if st.Gid != gid {
			t.Errorf("%s has group %d, want %d", path, st.Gid, gid)
		}
		if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			return
		}
		seen++
		want := data
		if filepath.Base(path) == "wake" || filepath.Base(filepath.Dir(path)) == "groups" {
			want = shared
		}
		if mode := st.Mode & 0o7777; mode != want {
			t.Errorf("%s has mode %#o, want %#o", path, mode, want)
		}
	})
	if seen < 8 {
		t.Errorf("only %d files", seen)
	}
}

// forEachFile visits all that is in a log's directory, which is in use: what goes
// meanwhile, and what is just being made under a name of its own, does not count.
func forEachFile(t *testing.T, dir string, visit func(path string, st syscall.Stat_t)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || strings.Contains(path, files.TempMark) || filepath.Base(path) == "unfinished" {
			return nil
		}
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		visit(path, st)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// flagIsUp says whether a consumer is about to sleep on the wake file, or does.
func flagIsUp(t *testing.T, dir string) bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "wake"))
	if err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint32(b[64:]) != 0
}

func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s in 5 s", what)
		}
	}
}

// A user is a child process under another user id, which does as it is told.
type user struct {
	*lines
	in io.Writer
}

func binaryForUsers(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("it takes root to become other users")
	}
	return copyOfThisBinary(t)
}

func startUser(t *testing.T, binary string, uid uint32, umask, dir string, mode fs.FileMode) *user {
	t.Helper()
	cmd := exec.Command(binary, dir, strconv.FormatUint(uint64(mode), 8), umask)
	cmd.Env = append(os.Environ(), roleVariable+"=user")
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{sharedGroup}}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &user{lines: startLines(t, cmd), in: in}
}

func (u *user) do(command string, args ...any) {
	u.t.Helper()
	if _, err := fmt.Fprintln(u.in, append([]any{command}, args...)...); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) expect(format string, args ...any) {
	u.t.Helper()
	u.lines.expect(fmt.Sprintf(format, args...))
}

func init() { roles["user"] = userRole }

// userRole (DIR MODE UMASK) does what the lines of its standard input say.
func userRole(args []string) error {
	mode, err := strconv.ParseUint(args[1], 8, 32)
	if err != nil {
		return err
	}
	umask, err := strconv.ParseUint(args[2], 8, 32)
	if err != nil {
		return err
	}
	syscall.Umask(int(umask))
	time.AfterFunc(time.Minute, func() { os.Exit(2) }) // rather than have the test wait for ever
	c := &userCommands{dir: args[0], mode: fs.FileMode(mode)}
	for scan := bufio.NewScanner(os.Stdin); scan.Scan(); {
		command, arg, _ := strings.Cut(scan.Text(), " ")
		if err := c.run(command, arg); err != nil {
			return fmt.Errorf("user %d: %s: %w", os.Getuid(), scan.Text(), err)
		}
	}
	return nil
}

type userCommands struct {
	dir  string
	mode fs.FileMode
	l    *mlog.Log
}

func (c *userCommands) run(command, arg string) (err error) {
	if c.l == nil {
		if c.l, err = mlog.Open(c.dir, mlog.Options{Mode: c.mode, SegmentBytes: 64 << 10}); err != nil {
			return err
		}
	}
	n, _ := strconv.Atoi(arg)
	switch command {
	case "append":
		return c.append(n)
	case "read":
		return c.read(int64(n))
	case "follow":
		return c.follow(n)
	case "group":
		return c.group(arg)
	case "join":
		g, err := c.l.Group(arg)
		if err == nil {
			_, err = g.TryJoin()
		}
		fmt.Println("joined")
		return err
	case "retain":
		err := c.l.SetRetention(mlog.Retention{Bytes: int64(n)})
		fmt.Println("retained")
		return err
	case "close":
		err := c.l.Close()
		c.l = nil
		fmt.Println("closed")
		return err
	}
	return errors.New("unknown command")
}

func (c *userCommands) append(n int) error {
	w, err := c.l.Writer(mlog.WriterOptions{})
	if errors.Is(err, fs.ErrPermission) {
		fmt.Println("refused")
		return nil
	}
	if err != nil {
		return err
	}
	value := make([]byte, 8<<10)
	for range n {
		if _, err := w.Append(context.Background(), mlog.Record{Value: value}); err != nil {
			return err
		}
	}
	fmt.Println("appended", n)
	return nil
}

func (c *userCommands) read(want int64) error {
	r, err := c.l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		return err
	}
	defer r.Close()
	for rec, err := range r.Records(context.Background()) {
		if err != nil {
			return err
		}
		if rec.Offset != want {
			return fmt.Errorf("offset %d where %d belongs", rec.Offset, want)
		}
		want++
	}
	fmt.Println("read", want)
	return nil
}

func (c *userCommands) follow(n int) error {
	r, err := c.l.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Println("waiting")
	for range n {
		rec, err := r.Next(context.Background())
		if err != nil {
			return err
		}
		fmt.Println("got", rec.Offset)
	}
	return nil
}

// group moves the committed offset of a group on by one.
func (c *userCommands) group(name string) error {
	g, err := c.l.Group(name)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Join(context.Background()); err != nil {
		return err
	}
	next, _ := g.Committed()
	if err := g.Commit(next + 1); err != nil {
		return err
	}
	fmt.Println("committed", next+1)
	return nil
}
