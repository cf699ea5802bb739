//go:build unix

package storm

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	mlog "github.com/seed27ccf144/mlog/log"
)

// firstSegment returns the base offset of the oldest segment, by its name: where the
// log starts, without asking the engine. It is -1 if there is none. It never goes
// back, so what the engine says between two looks lies between them.
func firstSegment(dir string) (int64, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return -1, err
	}
	for _, e := range entries {
		if digits, ok := strings.CutSuffix(e.Name(), ".seg"); ok {
			return strconv.ParseInt(digits, 10, 64)
		}
	}
	return -1, nil
}

// openAt opens a reader at the log's start or end, and proves that it stands there.
func openAt(l *mlog.Log, j job, options mlog.ReaderOptions) (*mlog.Reader, error) {
	look := func() (int64, error) { return firstSegment(j.Dir) }
	if options.From == mlog.End() {
		look = l.EndOffset
	}
	from, err := look()
	if err != nil {
		return nil, err
	}
	reader, err := l.Reader(options)
	if err != nil {
		return nil, err
	}
	to, err := look()
	if err == nil && (reader.Offset() < from || reader.Offset() > max(to, 0)) {
		err = fmt.Errorf("a reader opened at offset %d, when that was between %d and %d", reader.Offset(), from, to)
	}
	return reader, err
}

// skipLost goes on behind records that retention dropped, and proves that the reader
// stands at what was the log's start meanwhile.
func (c *consumer) skipLost() error {
	was := c.reader.Offset()
	if err := c.reader.SkipDamage(); err != nil {
		return err
	}
	first, err := firstSegment(c.job.Dir)
	if now := c.reader.Offset(); err == nil && (now <= was || now > first) {
		err = fmt.Errorf("skipped from offset %d, which is gone, to %d, and the log starts at %d", was, now, first)
	}
	return err
}
