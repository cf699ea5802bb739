package group

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
)

func wantCommitted(t *testing.T, d layout.Dir, name string, want int64) {
	t.Helper()
	if offset, committed, err := Read(d, name, testID); !committed || offset != want || err != nil {
		t.Errorf("group %s: committed %d, %v, %v; want %d", name, offset, committed, err, want)
	}
}

func wantActive(t *testing.T, d layout.Dir, name string, want bool) {
	t.Helper()
	if active, err := IsActive(d, name); active != want || err != nil {
		t.Errorf("group %s: active is %v, %v; want %v", name, active, err, want)
	}
}

func TestIsActive(t *testing.T) {
	d, m := newLog(t)
	wantActive(t, d, "g", false)
	g := openGroup(t, d, "g", m)
	wantActive(t, d, "g", false)
	join(t, g)
	wantActive(t, d, "g", true)
	g.Close()
	wantActive(t, d, "g", false)
}

func TestSeek(t *testing.T) {
	d, m := newLog(t)
	standby := openGroup(t, d, "g", m)
	if _, committed, err := Seek(d, "g", m, 30); committed || err != nil {
		t.Errorf("seek of a group without a commit: %v, %v", committed, err)
	}
	wantCommitted(t, d, "g", 30)
	if from, committed, err := Seek(d, "g", m, 10); from != 30 || !committed || err != nil {
		t.Errorf("seek: from %d, %v, %v", from, committed, err)
	}
	join(t, standby)
	if offset, ok := standby.Committed(); offset != 10 || !ok {
		t.Errorf("the next member begins at %d, %v; want 10", offset, ok)
	}
}

// A group with a member is left alone: the member would commit its own offset
// again, or to a file without a name.
func TestActiveGroupIsLeftAlone(t *testing.T) {
	d, m := newLog(t)
	g := openGroup(t, d, "g", m)
	join(t, g)
	commit(t, g, 7)
	if _, _, err := Seek(d, "g", m, 1); !errors.Is(err, ErrActive) {
		t.Errorf("seek: %v", err)
	}
	if err := Delete(d, "g", m); !errors.Is(err, ErrActive) {
		t.Errorf("delete: %v", err)
	}
	wantCommitted(t, d, "g", 7)
	g.Close()
	if _, _, err := Seek(d, "g", m, 1); err != nil {
		t.Error(err)
	}
	wantCommitted(t, d, "g", 1)
}

func TestDelete(t *testing.T) {
	d, m := newLog(t)
	g := openGroup(t, d, "g", m)
	join(t, g)
	commit(t, g, 7)
	g.Close()
	lockFile, err := os.Stat(d.GroupLock("g"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Delete(d, "g", m); err != nil {
		t.Fatal(err)
	}
	if names, err := d.GroupNames(); len(names) != 0 || err != nil {
		t.Errorf("groups %v, %v", names, err)
	}
	// Whoever opens the lock file now gets the lock that others may have open.
	if fi, err := os.Stat(d.GroupLock("g")); err != nil || !os.SameFile(fi, lockFile) {
		t.Errorf("the lock file is gone or another one: %v", err)
	}
	again := openGroup(t, d, "g", m)
	join(t, again)
	if offset, ok := again.Committed(); ok {
		t.Errorf("a group made anew begins at %d", offset)
	}
}

func TestDamagedGroupCanBeDeleted(t *testing.T) {
	d, m := newLog(t)
	if err := os.WriteFile(d.Group("g"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Seek(d, "g", m, 1); err == nil {
		t.Error("a damaged group was moved")
	}
	if err := Delete(d, "g", m); err != nil {
		t.Error(err)
	}
}

// What is asked of a group that is not there makes none, nor its lock file.
func TestGroupThatIsNotThere(t *testing.T) {
	d, m := newLog(t)
	if _, _, err := Seek(d, "g", m, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("seek: %v", err)
	}
	if err := Delete(d, "g", m); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("delete: %v", err)
	}
	for _, name := range []string{"", "../meta", "g~lock"} {
		if err := Delete(d, name, m); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("delete of %q: %v", name, err)
		}
	}
	if entries, err := os.ReadDir(d.Groups()); len(entries) != 0 || err != nil {
		t.Errorf("there is %v, %v", entries, err)
	}
}

// One who stands by has the group's file open when the group is deleted. Commits
// to that file would be lost.
func TestJoinAfterDelete(t *testing.T) {
	for name, remake := range map[string]bool{"and nobody made it again": false, "and another made it again": true} {
		t.Run(name, func(t *testing.T) {
			d, m := newLog(t)
			standby := openGroup(t, d, "g", m)
			if _, _, err := Seek(d, "g", m, 50); err != nil {
				t.Fatal(err)
			}
			if err := Delete(d, "g", m); err != nil {
				t.Fatal(err)
			}
			if remake {
				other := openGroup(t, d, "g", m)
				join(t, other)
				commit(t, other, 3)
				other.Close()
			}
			join(t, standby)
			if offset, ok := standby.Committed(); ok != remake || ok && offset != 3 {
				t.Errorf("it goes on at %d, %v", offset, ok)
			}
			commit(t, standby, 4)
			wantCommitted(t, d, "g", 4)
		})
	}
}

// TestDeletedAgainAndAgain: whoever is a member commits to the file that has the
// group's name, however others open and delete the group at the same time.
func TestDeletedAgainAndAgain(t *testing.T) {
	d, m := newLog(t)
	stop := make(chan struct{})
	var members, deleter sync.WaitGroup
	deleter.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := Delete(d, "g", m); err != nil && !errors.Is(err, ErrActive) && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		}
	})
	for member := range 3 {
		members.Go(func() {
			for n := range 200 {
				if err := commitAsMember(d, m, int64(1000*member+n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	members.Wait()
	close(stop)
	deleter.Wait()
}

// commitAsMember joins, if nobody else has, commits, and looks whether the commit
// is found under the group's name.
func commitAsMember(d layout.Dir, m *layout.Meta, offset int64) error {
	g, err := Open(d, "g", m)
	if err != nil {
		return err
	}
	defer g.Close()
	if ok, err := g.TryJoin(); !ok {
		return err
	}
	if err := g.Commit(offset); err != nil {
		return err
	}
	got, _, err := Read(d, "g", testID)
	if err == nil && got != offset {
		err = errors.New("the commit went elsewhere")
	}
	return err
}

// Who looks whether a group has a member holds its lock for a moment: that is not
// taken for a member.
func TestOneWhoLooksIsNoMember(t *testing.T) {
	d, m := newLog(t)
	openGroup(t, d, "g", m)
	join(t, openGroup(t, d, "other", m)) // to see that it is told from this one
	lock, err := filelock.TryExclusive(d.GroupLock("g"), 0o660)
	if lock == nil || err != nil {
		t.Fatal(lock, err)
	}
	tries := 0
	defer seam.Watch(string(d), func(c seam.Call, do func() error) error {
		err := do()
		if c.Op == "flock" && c.Path == d.GroupLock("g") {
			tries++
			lock.Release() // just after the first look
		}
		return err
	})()
	if err := Delete(d, "g", m); err != nil || tries < 2 {
		t.Errorf("delete: %v after %d looks", err, tries)
	}
}

// What a person asked for survives power loss when the call returns.
func TestSeekAndDeleteAreDurable(t *testing.T) {
	d, m := newLog(t)
	openGroup(t, d, "g", m)
	var calls []string
	defer seam.Watch(string(d), func(c seam.Call, do func() error) error {
		if name := filepath.Base(c.Path); c.Op == "write" || c.Op == "unlink" || c.Op == "fsync" {
			calls = append(calls, c.Op+" "+name)
		}
		return do()
	})()
	if _, _, err := Seek(d, "g", m, 5); err != nil {
		t.Fatal(err)
	}
	if n := len(calls); n < 2 || calls[n-2] != "write g" || calls[n-1] != "fsync g" {
		t.Errorf("seek made these calls: %q", calls)
	}
	calls = nil
	if err := Delete(d, "g", m); err != nil {
		t.Fatal(err)
	}
	if want := []string{"unlink g", "fsync groups"}; !slices.Equal(calls, want) {
		t.Errorf("delete made these calls: %q, want %q", calls, want)
	}
}
