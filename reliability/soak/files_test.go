//go:build linux

package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/seed27ccf144/mlog/reliability/check"
)

// Producers of the shared log that are live at a time, at most: of each of the two
// that stay one that stays and one that comes and goes, and a process that is to be
// killed. A free slot is passed over while somebody looks whether its owner lives:
// one who waits for a dead one's lock, and "info".
const mostSlots = 2*2 + 1 + 2

const (
	// An index may be made just when its segment is dropped. The next roll removes it.
	mostOrphans = 2
	// A process that is killed may leave an index that it was making, until its
	// segment is dropped; or, the first of a slot or a group, a lock file.
	mostTemporary = keptSegments/2 + 4
)

var slotName = regexp.MustCompile(`^[0-9]{5}$`)

// isTidy is an error if the log, at rest, has files that it should not have, or too
// many, or none where retention should have left some.
func (w *world) isTidy(log *check.Log) error {
	if len(log.Notes) > 0 {
		return fmt.Errorf("files that nothing explains: %q", log.Notes)
	}
	n := len(log.Segments)
	if n > keptSegments {
		return fmt.Errorf("%d segments are there, and %d are to be kept", n, keptSegments)
	}
	if n < keptSegments && log.Start > 0 && log.Start > w.trimmed {
		return fmt.Errorf("%d segments are there from offset %d on; %d are to be kept, and it was trimmed to %d only",
			n, log.Start, keptSegments, w.trimmed)
	}
	var indexes, temporary, slots int
	err := filepath.WalkDir(w.dir, func(path string, _ os.DirEntry, err error) error {
		name := filepath.Base(path)
		switch {
		case strings.Contains(name, "~tmp-"):
			temporary++
		case strings.HasSuffix(name, ".idx"):
			indexes++
		case slotName.MatchString(name):
			slots++
		case name == "cut" || name == "control.new" || name == "control.aside":
			return fmt.Errorf("%s, though nothing was recovered or repaired", path)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case indexes > n+mostOrphans:
		return fmt.Errorf("%d indexes of %d segments", indexes, n)
	case slots > mostSlots:
		return fmt.Errorf("%d slots, and at most %d producers were live at a time", slots, mostSlots)
	case temporary > mostTemporary:
		return fmt.Errorf("%d temporary files", temporary)
	}
	return nil
}
