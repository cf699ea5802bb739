package log_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
)

// member makes the caller the active member of a group that is at an offset.
func member(t *testing.T, l *mlog.Log, name string, offset int64) *mlog.Group {
	t.Helper()
	g, err := l.Group(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	if err := g.Join(context.Background()); err != nil {
		t.Fatal(err)
	}
	if offset >= 0 {
		if err := g.Commit(offset); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func wantGroups(t *testing.T, l *mlog.Log, want ...mlog.GroupInfo) {
	t.Helper()
	if got, damage, err := l.Groups(); !slices.Equal(got, want) || damage != nil || err != nil {
		t.Errorf("groups %+v, %v, %v; want %+v", got, damage, err, want)
	}
}

func TestGroups(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	wantGroups(t, l)
	member(t, l, "late", 2).Close()
	member(t, l, "looking", -1)
	member(t, l, "ahead", 13)
	wantGroups(t, l,
		mlog.GroupInfo{Name: "ahead", Committed: 13, Active: true},
		mlog.GroupInfo{Name: "late", Committed: 2, Lag: 11},
		mlog.GroupInfo{Name: "looking", Committed: -1, Lag: 13, Active: true})
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(6)}, 2, 6)
	wantGroups(t, l, // lag is what can be read
		mlog.GroupInfo{Name: "ahead", Committed: 13, Active: true},
		mlog.GroupInfo{Name: "late", Committed: 2, Lag: 7},
		mlog.GroupInfo{Name: "looking", Committed: -1, Lag: 7, Active: true})
}

func TestDamagedGroup(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	member(t, l, "good", 1).Close()
	if err := os.WriteFile(filepath.Join(l.Dir(), "groups", "bad"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	groups, damage, err := l.Groups()
	if len(groups) != 1 || len(damage) != 1 || damage[0].Segment != "groups/bad" || err != nil {
		t.Errorf("groups %+v, %+v, %v", groups, damage, err)
	}
	if err := l.DeleteGroup("bad"); err != nil {
		t.Error(err)
	}
	wantGroups(t, l, mlog.GroupInfo{Name: "good", Committed: 1, Lag: 12})
}

func TestSeekGroup(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	member(t, l, "g", -1).Close()
	wantTrimmed(t, l, mlog.TrimOptions{Before: mlog.At(3)}, 1, 3)
	former := int64(-1)
	for _, test := range []struct {
		to   mlog.Position
		want int64
	}{{mlog.End(), 13}, {mlog.Start(), 3}, {mlog.At(3), 3}, {mlog.At(7), 7}, {mlog.At(13), 13}} {
		if from, to, err := l.SeekGroup("g", test.to); from != former || to != test.want || err != nil {
			t.Errorf("seek to %+v: from %d to %d, %v; want from %d to %d", test.to, from, to, err, former, test.want)
		}
		former = test.want
	}
	for _, offset := range []int64{-1, 0, 2, 14} {
		var outside *mlog.RangeError
		_, _, err := l.SeekGroup("g", mlog.At(offset))
		if !errors.As(err, &outside) || *outside != (mlog.RangeError{Requested: offset, Start: 3, End: 13}) {
			t.Errorf("seek to %d: %v", offset, err)
		}
	}
	if _, _, err := l.SeekGroup("g", mlog.Position{}); err == nil {
		t.Error("it moved to no place")
	}
	wantGroups(t, l, mlog.GroupInfo{Name: "g", Committed: 13})
	g := member(t, l, "g", -1)
	if offset, ok := g.Committed(); offset != 13 || !ok {
		t.Errorf("the next member begins at %d, %v", offset, ok)
	}
}

func TestGroupsThatStayAsTheyAre(t *testing.T) {
	l := thirteen(t, mlog.Options{})
	member(t, l, "g", 5)
	if _, _, err := l.SeekGroup("g", mlog.Start()); !errors.Is(err, mlog.ErrGroupActive) {
		t.Errorf("seek of an active group: %v", err)
	}
	if err := l.DeleteGroup("g"); !errors.Is(err, mlog.ErrGroupActive) {
		t.Errorf("deletion of an active group: %v", err)
	}
	if _, _, err := l.SeekGroup("none", mlog.Start()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("seek of no group: %v", err)
	}
	if err := l.DeleteGroup("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deletion of no group: %v", err)
	}
	if err := l.DeleteGroup("../meta"); err == nil {
		t.Error("a path was taken for a group")
	}
	wantGroups(t, l, mlog.GroupInfo{Name: "g", Committed: 5, Lag: 8, Active: true})
}
