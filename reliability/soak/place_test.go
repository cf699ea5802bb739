//go:build linux

package soak

import (
	"errors"
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

// openFollower opens a reader, and proves, where it shall begin at the log's start,
// that it does.
func openFollower(l *mlog.Log, dir string, o mlog.ReaderOptions) (*follower, error) {
	before, err := firstSegment(dir)
	if err != nil {
		return nil, err
	}
	reader, err := l.Reader(o)
	if err != nil {
		return nil, err
	}
	after, err := firstSegment(dir)
	at := reader.Offset()
	fromStart := o.From == mlog.Start() || o.From == mlog.Position{}
	if err == nil && (at < before || fromStart && at > max(after, 0)) {
		err = fmt.Errorf("a reader opened at offset %d, when the log started between %d and %d", at, before, after)
	}
	if err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return &follower{reader: reader, dir: dir, tracker: &tracker{due: at}}, nil
}

// skipLost goes on behind records that retention dropped, and proves that the reader
// stands at what was the log's start meanwhile.
func (f *follower) skipLost() error {
	if err := f.reader.SkipDamage(); err != nil {
		return err
	}
	first, err := firstSegment(f.dir)
	if at := f.reader.Offset(); err == nil && at > first {
		err = fmt.Errorf("a reader went on at offset %d, and the log starts at %d", at, first)
	}
	return err
}
