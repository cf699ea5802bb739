//go:build unix

package storm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// tidy is what happens between two rounds, while nobody is at work: every other time the
// log is verified and repaired, which must find nothing and take nothing away.
func (l *life) tidy(y *tally) error {
	if _, err := os.Lstat(filepath.Join(l.dir(), "meta")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	before, err := check.Read(l.dir(), check.Options{})
	if err != nil {
		return err
	}
	if (l.number+l.round)%2 == 0 {
		if err := l.repair(); err != nil {
			return err
		}
		y.repairs++
		after, err := check.Read(l.dir(), check.Options{})
		if err != nil {
			return fmt.Errorf("after a repair: %w", err)
		}
		if after.Start != before.Start || after.End != before.End {
			return fmt.Errorf("after a repair the log has offsets %d to %d, before it had %d to %d",
				after.Start, after.End, before.Start, before.End)
		}
	}
	for _, file := range l.reportFiles() {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (l *life) repair() error {
	v, err := mlog.Verify(context.Background(), l.dir(), mlog.VerifyOptions{})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if len(v.Damage)+len(v.Lost) > 0 || v.TornTail != nil {
		return fmt.Errorf("verify: %s", describe(v))
	}
	for _, execute := range []bool{false, true} {
		r, err := mlog.Repair(context.Background(), l.dir(), mlog.RepairOptions{Execute: execute})
		if err != nil {
			return fmt.Errorf("repair (execute %v): %w", execute, err)
		}
		if len(r.Findings) > 0 || r.TornTail != nil || r.SyncFailed {
			return fmt.Errorf("repair (execute %v): %+v", execute, r)
		}
	}
	return nil
}
