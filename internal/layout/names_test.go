package layout

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	d := Dir("log")
	cases := map[string]string{
		d.Meta():               "log/meta",
		d.Retention():          "log/retention",
		d.Control():            "log/control",
		d.Wake():               "log/wake",
		d.Cut():                "log/cut",
		d.Spare():              "log/spare",
		d.Unfinished():         "log/unfinished",
		d.Producers():          "log/producers",
		d.Slot(1):              "log/producers/00001",
		d.Slot(4096):           "log/producers/04096",
		d.OpenLock():           "log/producers/open",
		d.SpareLock():          "log/producers/spare",
		d.Groups():             "log/groups",
		d.Group("g"):           "log/groups/g",
		d.GroupLock("g"):       "log/groups/g~lock",
		d.Segment(0):           "log/00000000000000000000.seg",
		d.Segment(1 << 62):     "log/04611686018427387904.seg",
		d.Index(1234567890123): "log/00000001234567890123.idx",
	}
	for got, want := range cases {
		if filepath.ToSlash(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestParseSegmentName(t *testing.T) {
	for _, base := range []int64{0, 1, 42, 1 << 62, 1<<63 - 1} {
		if got, ok := ParseSegmentName(SegmentName(base)); got != base || !ok {
			t.Errorf("%s: %d, %v", SegmentName(base), got, ok)
		}
	}
	junk := []string{
		"", ".seg", "0.seg", "00000000000000000000", "00000000000000000000.idx", "00000000000000000000.seg.seg",
		"0000000000000000000.seg", "000000000000000000000.seg", "-0000000000000000001.seg", "+0000000000000000001.seg",
		"0000000000_000000001.seg", "000000000000000000x0.seg", "0x000000000000000001.seg", " 0000000000000000001.seg",
		"09223372036854775808.seg", "99999999999999999999.seg", "00000000000000000000.SEG", "٠٠٠٠٠٠٠٠٠٠.seg",
	}
	for _, name := range junk {
		if base, ok := ParseSegmentName(name); ok {
			t.Errorf("%q is taken for segment %d", name, base)
		}
	}
}

func TestSegmentsAreSortedAndStrangersLeftOut(t *testing.T) {
	d := Dir(t.TempDir())
	for _, name := range []string{SegmentName(500), SegmentName(0), SegmentName(1e15), "meta", "1.seg", SegmentName(7) + ".bak", "00000000000000000000.idx"} {
		if err := os.WriteFile(filepath.Join(string(d), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.Segments()
	if want := []int64{0, 500, 1e15}; !slices.Equal(got, want) || err != nil {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestCheckGroupName(t *testing.T) {
	for name, ok := range map[string]bool{
		"g": true, "billing": true, "Billing-2.eu_west": true, "0": true, "-": true, "a..b": true, strings.Repeat("x", 128): true,
		"": false, ".": false, "..": false, ".hidden": false, "a/b": false, "a\\b": false, "a b": false, "a\x00": false, "ü": false,
		"a~lock": false, "~": false, "a~tmp-1": false, "a\n": false, strings.Repeat("x", 129): false,
	} {
		if err := CheckGroupName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestGroupNamesLeaveOutLocksAndTemporaries: only what a user can have named is
// a group.
func TestGroupNamesLeaveOutLocksAndTemporaries(t *testing.T) {
	d := Dir(t.TempDir())
	if err := os.Mkdir(d.Groups(), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "a", "a~lock", "b~tmp-123456", ".x"} {
		if err := os.WriteFile(filepath.Join(d.Groups(), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.GroupNames()
	if want := []string{"a", "b"}; !slices.Equal(got, want) || err != nil {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestModes(t *testing.T) {
	cases := []struct{ data, shared, dir, locks, groups fs.FileMode }{
		{0o600, 0o600, 0o700, 0o700, 0o700},
		{0o640, 0o660, 0o750, 0o700, 0o770},
		{0o644, 0o666, 0o755, 0o700, 0o777},
		{0o660, 0o660, 0o770, 0o770, 0o770},
		{0o664, 0o666, 0o775, 0o770, 0o777},
		{0o666, 0o666, 0o777, 0o777, 0o777},
	}
	for _, c := range cases {
		want := Modes{Data: c.data, Shared: c.shared, Dir: c.dir, Locks: c.locks, Groups: c.groups}
		if got := ModesFor(c.data); got != want {
			t.Errorf("%#o: %#o, want %#o", c.data, got, want)
		}
		if err := CheckMode(c.data); err != nil {
			t.Error(err)
		}
	}
	for _, mode := range []fs.FileMode{0, 0o400, 0o200, 0o700, 0o755, 0o4600, 0o1666, fs.ModeDir | 0o600, fs.ModeSetuid | 0o600, 0o066} {
		if err := CheckMode(mode); err == nil {
			t.Errorf("%v was accepted", mode)
		}
	}
}
