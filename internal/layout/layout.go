// Package layout knows which files make up a log's directory, what they are
// called, who may open them, and the two that hold settings: meta, written
// once, and retention, which may change while the log is in use.
package layout

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed27ccf144/mlog/internal/files"
)

// Names in a log's directory.
const (
	metaName       = "meta"
	retentionName  = "retention"
	controlName    = "control"
	wakeName       = "wake"
	producersName  = "producers"
	groupsName     = "groups"
	cutName        = "cut"
	spareName      = "spare"
	unfinishedName = "unfinished"

	segmentSuffix = ".seg"
	indexSuffix   = ".idx"
	offsetDigits  = 20
)

// A Dir is the path of a log's directory.
type Dir string

func (d Dir) join(name ...string) string {
	return filepath.Join(append([]string{string(d)}, name...)...)
}

// Paths of the files that a log has one of.
func (d Dir) Meta() string      { return d.join(metaName) }
func (d Dir) Retention() string { return d.join(retentionName) }
func (d Dir) Control() string   { return d.join(controlName) }
func (d Dir) Wake() string      { return d.join(wakeName) }
func (d Dir) Groups() string    { return d.join(groupsName) }
func (d Dir) Producers() string { return d.join(producersName) }

// ControlAside is where repair keeps the control file while it works, so that no
// producer opens the log.
func (d Dir) ControlAside() string { return d.join(controlName + ".aside") }

// ControlFailed is what a recovery leaves of which a sync failed, so that none is
// tried again in this boot.
func (d Dir) ControlFailed() string { return d.join(controlName + ".failed") }

// Cut is the directory for bytes that recovery cut from the log's end.
func (d Dir) Cut() string { return d.join(cutName) }

// MostSpares bounds how many files are kept ready for the next rolls.
const MostSpares = 4

// Spare is the file made ready for the next roll.
func (d Dir) Spare() string { return d.join(spareName) }

// SpareAt is the i-th of the files that may be kept ready, from 0 to MostSpares-1.
// The first of them is Spare. A roll takes the first one that is there.
func (d Dir) SpareAt(i int) string {
	if i == 0 {
		return d.Spare()
	}
	return d.join(fmt.Sprintf("%s.%d", spareName, i))
}

// Unfinished is the segment that the holder of the log's lock is just making.
func (d Dir) Unfinished() string { return d.join(unfinishedName) }

// NextSpare is the spare that the holder of SpareLock is just making.
func (d Dir) NextSpare() string { return d.join(spareName + files.TempMark) }

// Slot is the lock file of a producer.
func (d Dir) Slot(n int) string { return d.join(producersName, fmt.Sprintf("%05d", n)) }

// OpenLock serializes creation and recovery of the log.
func (d Dir) OpenLock() string { return d.join(producersName, "open") }

// SpareLock is held by whoever makes the spare segment.
func (d Dir) SpareLock() string { return d.join(producersName, "spare") }

// Segment is the file of the segment whose first record has this offset.
func (d Dir) Segment(base int64) string { return d.join(SegmentName(base)) }

// Index is the index of that segment.
func (d Dir) Index(base int64) string { return d.join(offsetName(base) + indexSuffix) }

// Group is the file of a consumer group. The name must have passed
// CheckGroupName.
func (d Dir) Group(name string) string { return d.join(groupsName, name) }

// GroupLock is held by the active member of a group.
func (d Dir) GroupLock(name string) string { return d.join(groupsName, name+groupLockSuffix) }

// SegmentName is the name of a segment's file, without the directory.
func SegmentName(base int64) string { return offsetName(base) + segmentSuffix }

func offsetName(base int64) string { return fmt.Sprintf("%0*d", offsetDigits, base) }

// ParseSegmentName returns the base offset that a file name stands for.
func ParseSegmentName(name string) (base int64, ok bool) {
	digits, found := strings.CutSuffix(name, segmentSuffix)
	if !found || len(digits) != offsetDigits || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return base, err == nil
}

// Segments lists the base offsets of all segments, in order. The list is a
// moment's truth: retention may remove the first ones at any time, and a roll
// add one.
func (d Dir) Segments() ([]int64, error) {
	entries, err := files.Names(string(d))
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, name := range entries {
		if base, ok := ParseSegmentName(name); ok {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// groupLockSuffix cannot end a group's name, see CheckGroupName.
const groupLockSuffix = "~lock"

const maxGroupName = 128

// CheckGroupName says whether a consumer group may have this name: it becomes
// the name of a file.
func CheckGroupName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if name == "" || len(name) > maxGroupName || name[0] == '.' || strings.Trim(name, allowed) != "" {
		return fmt.Errorf("group name %q: use 1 to %d letters, digits, '.', '_' and '-', not beginning with '.'", name, maxGroupName)
	}
	return nil
}

// OrphanIndexes returns the paths of the indexes of segments before the first one,
// and of those that somebody was making when he died.
func (d Dir) OrphanIndexes() []string {
	names, err := files.Names(string(d))
	if err != nil {
		return nil
	}
	first := ""
	for _, name := range names {
		if _, ok := ParseSegmentName(name); ok && (first == "" || name < first) {
			first = name
		}
	}
	var orphans []string
	for _, name := range names {
		stem, _, _ := strings.Cut(name, files.TempMark)
		digits, found := strings.CutSuffix(stem, indexSuffix)
		if _, ok := ParseSegmentName(digits + segmentSuffix); found && ok && digits < strings.TrimSuffix(first, segmentSuffix) {
			orphans = append(orphans, d.join(name))
		}
	}
	return orphans
}

// SweepTemporary removes what unfinished replacements of files left behind. Nobody
// else may be using the log.
func (d Dir) SweepTemporary() {
	for _, dir := range []string{string(d), d.Groups()} {
		names, err := files.Names(dir)
		if err != nil {
			continue
		}
		for _, name := range names {
			if strings.Contains(name, files.TempMark) {
				_ = files.Remove(filepath.Join(dir, name))
			}
		}
	}
}

// GroupNames lists the consumer groups, in order.
func (d Dir) GroupNames() ([]string, error) {
	names, err := files.Names(d.Groups())
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return CheckGroupName(name) != nil })
	slices.Sort(names)
	return names, nil
}

// Modes are the permissions of a log's files, derived from the one that was
// asked for when it was created. Directories that give their group anything get
// setgid as well; package files makes them so.
type Modes struct {
	Data   fs.FileMode // segments, indexes, control, settings
	Shared fs.FileMode // wake and group files: who may read the log may write them
	Dir    fs.FileMode // the log's directory
	Locks  fs.FileMode // producers/: only who may write the log may even enter
	Groups fs.FileMode // groups/: who may read the log may add to it
}

// DefaultMode is the mode of a log's files unless another is asked for.
const DefaultMode fs.FileMode = 0o600

// ModesFor derives all permissions from that of the data files.
func ModesFor(data fs.FileMode) Modes {
	read := data & 0o444
	write := data & 0o222
	return Modes{
		Data:   data,
		Shared: data | read>>1,
		Dir:    data | read>>2,
		Locks:  write | write<<1 | write>>1,
		Groups: read | read>>1 | read>>2,
	}
}

// CheckMode says whether a log's files may have this mode.
func CheckMode(mode fs.FileMode) error {
	if mode&^0o666 != 0 || mode&0o600 != 0o600 {
		return fmt.Errorf("mode %#o: must give the owner read and write (0600) and nobody execute, for example 0600, 0640 or 0660", mode)
	}
	return nil
}
