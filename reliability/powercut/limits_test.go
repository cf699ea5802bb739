package powercut

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	mlog "github.com/seed27ccf144/mlog/log"
)

// limits are what may have been dropped from the log's start, of all that was ever
// asked for: a drop that was not on disk when the power went is made again.
type limits struct {
	unseen   bool    // the log drops where nobody looks on
	bases    []int64 // of the segments that were seen since the last cut or are left from before, ascending
	segments int     // the fewest that retention ever had to keep; 0: it never counted bytes
	ages     bool    // retention by age was set, by which all but the newest segment may go
	trimmed  int64   // the highest offset before which a trim was to drop
	before   int64   // the highest start that the limits allowed before the last cut
}

// retain notes that the log's retention is r from now on.
func (l *limits) retain(r mlog.Retention) {
	if r.Bytes > 0 {
		n := int(r.Bytes / segmentBytes)
		if l.segments == 0 || n < l.segments {
			l.segments = n
		}
	}
	l.ages = l.ages || r.Age > 0
}

// see notes the segments of a log that are there now. It is called before each
// change of names, so no segment is missed.
func (l *limits) see(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	for _, path := range paths {
		var base int64
		if n, _ := fmt.Sscanf(filepath.Base(path), "%020d.seg", &base); n != 1 {
			continue
		}
		if at, found := slices.BinarySearch(l.bases, base); !found {
			l.bases = slices.Insert(l.bases, at, base)
		}
	}
}

// highestStart is the last offset at which the log may begin.
func (l *limits) highestStart() int64 {
	if l.unseen {
		return math.MaxInt64
	}
	highest := max(l.before, l.trimmed)
	if n := len(l.bases); n > 0 && l.ages {
		highest = max(highest, l.bases[n-1])
	} else if l.segments > 0 && n >= l.segments {
		highest = max(highest, l.bases[n-l.segments])
	}
	return highest
}

// cutBack forgets the segments that a cut of the power took, after which the log
// ends at an offset.
func (l *limits) cutBack(end int64) {
	l.before = l.highestStart()
	l.bases = slices.DeleteFunc(slices.Clone(l.bases), func(base int64) bool { return base > end })
}
