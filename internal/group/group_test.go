package group

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/formattest"
	"github.com/seed27ccf144/mlog/internal/layout"
)

// newLog is a log's directory, whose id is made a known one.
func newLog(t testing.TB) (layout.Dir, *layout.Meta) {
	t.Helper()
	d := layout.Dir(t.TempDir())
	m, err := d.Create(context.Background(), layout.Settings{SegmentBytes: 1 << 16, Mode: 0o640})
	if err != nil {
		t.Fatal(err)
	}
	m.LogID = testID
	return d, &m
}

var testID = [16]byte{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f}

func openGroup(t *testing.T, d layout.Dir, name string, m *layout.Meta) *Group {
	t.Helper()
	g, err := Open(d, name, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func join(t *testing.T, g *Group) {
	t.Helper()
	if ok, err := g.TryJoin(); !ok || err != nil {
		t.Fatal("join:", ok, err)
	}
}

func commit(t *testing.T, g *Group, offset int64) {
	t.Helper()
	if err := g.Commit(offset); err != nil {
		t.Fatal(err)
	}
}

// TestGoldenGroups: the file after 0, 1, 2 and 3 commits.
func TestGoldenGroups(t *testing.T) {
	d, m := newLog(t)
	g := openGroup(t, d, "g", m)
	join(t, g)
	for n, offset := range []int64{-1, 100, 200, 300} {
		if offset >= 0 {
			commit(t, g, offset)
		}
		b, err := os.ReadFile(d.Group("g"))
		if err != nil {
			t.Fatal(err)
		}
		golden := formattest.Golden(t, fmt.Sprintf("commits-%d", n), b)
		got, committed, err := Decode(golden, testID)
		if committed != (n > 0) || committed && got != offset || err != nil {
			t.Errorf("%d commits: offset %d, %v, %v", n, got, committed, err)
		}
		if b := Encode(testID, offset); n < 2 && !bytes.Equal(b, golden) {
			t.Errorf("%d commits: Encode makes another file", n)
		}
	}
}

// TestTornPlace: whatever a commit that was cut short leaves in its place, the
// commit before it stands.
func TestTornPlace(t *testing.T) {
	before, after := formattest.Load(t, "commits-2"), formattest.Load(t, "commits-3")
	torn := bytes.Clone(before)
	for i := range after {
		if before[i] == after[i] {
			continue
		}
		if torn[i] = after[i]; bytes.Equal(torn, after) {
			break
		}
		if offset, committed, err := Decode(torn, testID); offset != 200 || !committed || err != nil {
			t.Errorf("torn behind byte %d: offset %d, %v, %v; want 200", i, offset, committed, err)
		}
	}
	// And each flipped bit of the newer place falls back to the older one.
	for i := 8 * offPlaces; i < 8*(offPlaces+placeBytes); i++ {
		flipped := bytes.Clone(before) // its newer place is the first
		flipped[i/8] ^= 1 << (i % 8)
		if offset, committed, err := Decode(flipped, testID); offset != 100 || !committed || err != nil {
			t.Errorf("bit %d of byte %d flipped: offset %d, %v, %v; want 100", i%8, i/8, offset, committed, err)
		}
	}
}

func TestRefused(t *testing.T) {
	good := func() []byte { return formattest.Load(t, "commits-1") }
	change := func(off int) []byte {
		b := good()
		b[off]++
		binary.LittleEndian.PutUint64(b[offSum:], xxhash.Sum64(b[:offSum]))
		return b
	}
	cases := map[string][]byte{
		"empty":         nil,
		"cut":           good()[:fileBytes-1],
		"longer":        append(good(), 0),
		"foreign":       change(0),
		"later version": change(offVersion),
		"later, longer": append(change(offVersion), 0),
		"another log":   change(offLogID),
		"checksum":      append([]byte(magic), good()[len(magic):offSum-1]...),
	}
	for name, b := range cases {
		_, committed, err := Decode(b, testID)
		if err == nil || committed {
			t.Errorf("%s: accepted", name)
		}
		if later := name == "later version" || name == "later, longer"; errors.Is(err, layout.ErrIncompatible) != later {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlaceBelongsToItsSequence: a place holds odd or even sequences. One that
// stands in the wrong place would be overwritten by the next commit.
func TestPlaceBelongsToItsSequence(t *testing.T) {
	b := Encode(testID, -1)
	copy(b[offPlaces:], place{sequence: 7, offset: 100}.encode(testID))
	if offset, committed, err := Decode(b, testID); committed || err != nil {
		t.Errorf("offset %d, %v, %v", offset, committed, err)
	}
}

func TestCommitsSurvive(t *testing.T) {
	d, m := newLog(t)
	for n := range int64(5) {
		g := openGroup(t, d, "g", m)
		join(t, g)
		offset, committed := g.Committed()
		if committed != (n > 0) || committed && offset != 10*(n-1) {
			t.Errorf("round %d: committed %d, %v", n, offset, committed)
		}
		commit(t, g, 10*n)
		if offset, _ := g.Committed(); offset != 10*n {
			t.Errorf("round %d: committed %d", n, offset)
		}
		if offset, committed, err := Read(d, "g", testID); offset != 10*n || !committed || err != nil {
			t.Errorf("round %d: read %d, %v, %v", n, offset, committed, err)
		}
		g.Close()
	}
}

func TestOneMemberAtATime(t *testing.T) {
	d, m := newLog(t)
	one, two := openGroup(t, d, "g", m), openGroup(t, d, "g", m)
	join(t, one)
	join(t, one) // again is no harm
	if ok, err := two.TryJoin(); ok || err != nil {
		t.Errorf("a second member: %v, %v", ok, err)
	}
	if err := two.Commit(5); !errors.Is(err, ErrNotMember) {
		t.Errorf("commit of one who stands by: %v", err)
	}
	commit(t, one, 42)
	if err := one.Commit(-1); err == nil {
		t.Error("a negative offset was committed")
	}
	one.Close()
	join(t, two)
	if offset, ok := two.Committed(); offset != 42 || !ok {
		t.Errorf("the next member begins at %d, %v; want 42", offset, ok)
	}
	other := openGroup(t, d, "h", m)
	join(t, other)
}

func TestOpenAtOnce(t *testing.T) {
	d, m := newLog(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			g, err := Open(d, "g", m)
			if err != nil {
				t.Error(err)
				return
			}
			defer g.Close()
			if ok, _ := g.TryJoin(); ok {
				offset, _ := g.Committed()
				if err := g.Commit(offset + 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if offset, _, err := Read(d, "g", testID); offset < 1 || err != nil {
		t.Errorf("commits were lost: %d, %v", offset, err)
	}
	if fi, err := os.Stat(d.Group("g")); err != nil || fi.Mode() != 0o660 {
		t.Errorf("file is %v, %v", fi, err)
	}
}

// TestMakerIsMemberAlready: one who found no group, and comes to make it when
// another has made and joined it, does not wait for that one to leave.
func TestMakerIsMemberAlready(t *testing.T) {
	d, m := newLog(t)
	g := openGroup(t, d, "g", m)
	join(t, g)
	commit(t, g, 7)
	if err := create(d, "g", m.LogID, 0o660); err != nil { // as Open does, after it found no file
		t.Fatal(err)
	}
	if offset, ok, err := Read(d, "g", m.LogID); offset != 7 || !ok || err != nil {
		t.Errorf("committed is %d, %v, %v", offset, ok, err)
	}
}

func TestNames(t *testing.T) {
	d, m := newLog(t)
	for _, name := range []string{"", ".", "..", "../meta", "a/b", "g~lock"} {
		if g, err := Open(d, name, m); err == nil {
			t.Errorf("%q was opened", name)
			g.Close()
		}
	}
}

func TestClamp(t *testing.T) {
	d, m := newLog(t)
	for name, offset := range map[string]int64{"none": -1, "behind": 50, "at": 100, "ahead": 101, "far": 1000} {
		g := openGroup(t, d, name, m)
		join(t, g)
		if offset >= 0 {
			commit(t, g, 7)
			commit(t, g, offset)
		}
	}
	if err := os.WriteFile(d.Group("damaged"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	live := openGroup(t, d, "far", m)
	for range 2 { // once more changes nothing
		if err := Clamp(d, testID, 100); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int64{"none": -1, "behind": 50, "at": 100, "ahead": 100, "far": 100} {
			offset, committed, err := Read(d, name, testID)
			if committed != (want >= 0) || committed && offset != want || err != nil {
				t.Errorf("%s: %d, %v, %v; want %d", name, offset, committed, err, want)
			}
		}
	}
	// It is a commit like others: torn, it would leave the one before.
	b, err := os.ReadFile(d.Group("far"))
	if err != nil {
		t.Fatal(err)
	}
	latest, err := decode(b, testID)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[latest.position():][:placeBytes])
	if offset, _, err := Decode(b, testID); offset != 1000 || err != nil {
		t.Errorf("behind the moved offset there is %d, %v; want 1000", offset, err)
	}
	// A consumer that had the group open goes on in the same file.
	if fi, err := os.Stat(d.Group("far")); err != nil || !sameFile(t, live.file, fi) {
		t.Error("the file was replaced under its consumer")
	}
	if err := os.RemoveAll(d.Groups()); err != nil {
		t.Fatal(err)
	}
	if err := Clamp(d, testID, 100); err != nil {
		t.Errorf("without groups: %v", err)
	}
}

func sameFile(t *testing.T, f *os.File, fi os.FileInfo) bool {
	t.Helper()
	mine, err := f.Stat()
	return err == nil && os.SameFile(mine, fi)
}

// FuzzGroup decodes arbitrary files. With mend the header and the first place
// have right checksums.
func FuzzGroup(f *testing.F) {
	for n := range 4 {
		f.Add(formattest.Load(f, fmt.Sprintf("commits-%d", n)), true)
	}
	f.Add(formattest.Load(f, "commits-3"), false)
	f.Fuzz(func(t *testing.T, in []byte, mend bool) {
		if mend && len(in) == fileBytes {
			copy(in, Encode(testID, -1)[:offPlaces])
			p := place{binary.LittleEndian.Uint64(in[offPlaces:]), int64(binary.LittleEndian.Uint64(in[offPlaces+8:]))}
			copy(in[offPlaces:], p.encode(testID))
		}
		p, err := decode(in, testID)
		if p.offset < 0 || p.sequence == 0 && p.offset != 0 {
			t.Fatalf("accepted: %+v", p)
		}
		if err == nil && p.sequence > 0 && !bytes.Equal(in[p.position():][:placeBytes], p.encode(testID)) {
			t.Fatalf("%+v does not write back to the same bytes", p)
		}
	})
}
