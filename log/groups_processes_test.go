package log_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

func init() {
	roles["member"] = memberRole
	roles["members"] = membersRole
}

// memberRole (DIR GROUP) is the group's active member until it is killed.
func memberRole(args []string) error {
	l, err := mlog.Open(args[0], mlog.Options{MustExist: true})
	if err != nil {
		return err
	}
	g, err := l.Group(args[1])
	if err != nil {
		return err
	}
	if ok, err := g.TryJoin(); !ok {
		return errors.Join(err, errors.New("there is a member"))
	}
	if err := g.Commit(3); err != nil {
		return err
	}
	fmt.Println("member")
	time.Sleep(time.Hour)
	return nil
}

// membersRole (DIR GROUP) becomes the group's member and leaves it, again and again.
// Each commit has to be found under the group's name.
func membersRole(args []string) error {
	l, err := mlog.Open(args[0], mlog.Options{MustExist: true})
	if err != nil {
		return err
	}
	for joined := 0; joined < 100; {
		g, err := l.Group(args[1])
		if err != nil {
			return err
		}
		ok, err := g.TryJoin()
		if ok {
			joined++
			err = commitAndLook(l, g, args[1], int64(os.Getpid()))
		}
		if err := errors.Join(err, g.Close()); err != nil {
			return err
		}
	}
	fmt.Println("done")
	return nil
}

func commitAndLook(l *mlog.Log, g *mlog.Group, name string, offset int64) error {
	if err := g.Commit(offset); err != nil {
		return err
	}
	groups, _, err := l.Groups()
	if err != nil {
		return err
	}
	for _, found := range groups {
		if found.Name == name && found.Committed == offset && found.Active {
			return nil
		}
	}
	return fmt.Errorf("offset %d was committed, and there is %+v", offset, groups)
}

// A member that lives, stopped or not, keeps others from moving or deleting its
// group. One that is killed does not.
func TestGroupOfAnotherProcess(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	cmd := command("member", l.Dir(), "g")
	startLines(t, cmd).expect("member")
	wantGroups(t, l, mlog.GroupInfo{Name: "g", Committed: 3, Lag: 10, Active: true})
	if _, _, err := l.SeekGroup("g", mlog.Start()); !errors.Is(err, mlog.ErrGroupActive) {
		t.Errorf("seek: %v", err)
	}
	if err := l.DeleteGroup("g"); !errors.Is(err, mlog.ErrGroupActive) {
		t.Errorf("delete: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if from, to, err := l.SeekGroup("g", mlog.At(1)); from != 3 || to != 1 || err != nil {
		t.Errorf("seek after its death: from %d to %d, %v", from, to, err)
	}
	wantGroups(t, l, mlog.GroupInfo{Name: "g", Committed: 1, Lag: 12})
	if err := l.DeleteGroup("g"); err != nil {
		t.Errorf("delete after its death: %v", err)
	}
	wantGroups(t, l)
}

// However often a group is deleted while processes come and go as its members, no
// commit is made to a file that is not the group's any more.
func TestDeleteWhileOthersJoin(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	done := make(chan struct{})
	members := []*lines{
		startLines(t, command("members", l.Dir(), "g")),
		startLines(t, command("members", l.Dir(), "g")),
	}
	go func() {
		defer close(done)
		for _, m := range members {
			if !m.scan.Scan() || m.scan.Text() != "done" {
				t.Errorf("a member ended: %q, %v", m.scan.Text(), m.scan.Err())
			}
		}
	}()
	deleted := 0
	for {
		select {
		case <-done:
			if deleted == 0 {
				t.Error("the group was never deleted")
			}
			return
		default:
		}
		switch err := l.DeleteGroup("g"); {
		case err == nil:
			deleted++
		case errors.Is(err, mlog.ErrGroupActive), errors.Is(err, fs.ErrNotExist):
		default:
			t.Fatal(err)
		}
	}
}
