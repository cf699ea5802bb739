//go:build unix

package storm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// judge compares what the log holds with what its processes were told in this
// round and those before. Nobody is at work now. left says that all of them left
// in good order, after the deaths.
func (l *life) judge(left bool, tally *tally) error {
	if _, err := os.Lstat(filepath.Join(l.dir(), "meta")); errors.Is(err, fs.ErrNotExist) && len(l.truth.at) == 0 {
		return l.judgeUnborn()
	}
	log, err := check.Read(l.dir(), check.Options{})
	if err != nil {
		return err
	}
	if log.Control != nil {
		tally.takeovers += int(log.Control.Takeovers - l.seen.Takeovers)
		tally.rolls += int(log.Control.Rolls - l.seen.Rolls)
		l.seen = *log.Control
	}
	for _, s := range log.Segments {
		if s.Recycled {
			tally.recycled++
		}
	}
	if len(log.Notes) > 0 {
		return fmt.Errorf("files that nothing explains: %q", log.Notes)
	}
	if err := l.judgeRecords(log); err != nil {
		return err
	}
	reports, err := l.readReports()
	if err != nil {
		return err
	}
	for p, entries := range reports {
		for _, e := range entries {
			if e.Kind != acknowledged {
				continue
			}
			if end := e.Offset + int64(e.Count); end > log.End {
				return fmt.Errorf("%s was acknowledged offset %d, and the log ends at %d", p, end-1, log.End)
			}
			if err := l.truth.acknowledge(e, p.String()); err != nil {
				return err
			}
			tally.acknowledged += int(e.Count)
		}
	}
	for p, entries := range reports {
		if err := l.judgeConsumer(p, entries, log, tally); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	if err := l.truth.judgeStreams(l.hasDied()); err != nil {
		return err
	}
	if log.Control != nil && log.Control.Durable < l.truth.durable {
		return fmt.Errorf("durable to %d, but %d was acknowledged as durable", log.Control.Durable, l.truth.durable-1)
	}
	if err := l.judgeGroups(reports, log); err != nil {
		return err
	}
	tally.progress.measure(l, reports)
	return l.judgeRetention(log, left)
}

// judgeUnborn judges a log whose makers all died before it was one: they cannot
// have been told anything.
func (l *life) judgeUnborn() error {
	reports, err := l.readReports()
	if err != nil {
		return err
	}
	for p, entries := range reports {
		if len(entries) > 0 && p != l.bare {
			return fmt.Errorf("%s was told something of a log that is none", p)
		}
	}
	return nil
}

// judgeRecords takes in what the log holds: each record one that was sent, and
// each batch whole.
func (l *life) judgeRecords(log *check.Log) error {
	if want := log.End - log.Start; int64(len(log.Records)) != want {
		return fmt.Errorf("%d records from offset %d to %d", len(log.Records), log.Start, log.End)
	}
	for i, r := range log.Records {
		if r.Offset != log.Start+int64(i) {
			return fmt.Errorf("offset %d where %d is due", r.Offset, log.Start+int64(i))
		}
		id, err := identify(l.nonce, asEngineHasIt(r))
		if err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		if r.Batch != r.Offset-int64(id.Index) || r.BatchCount != int(id.Count) {
			return fmt.Errorf("offset %d stands in a batch of %d from %d on, but was sent as %+v", r.Offset, r.BatchCount, r.Batch, id)
		}
		if err := l.truth.learn(r.Offset, id, "the checker"); err != nil {
			return err
		}
	}
	return nil
}

func asEngineHasIt(r check.Record) mlog.Record {
	e := mlog.Record{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		e.Headers = append(e.Headers, mlog.Header{Key: string(h.Name), Value: h.Value})
	}
	return e
}

func (l *life) readReports() (map[*process][]entry, error) {
	reports := make(map[*process][]entry)
	for _, p := range l.all() {
		entries, err := readReport(p.Report)
		if err != nil {
			return nil, fmt.Errorf("report of %s: %w", p, err)
		}
		reports[p] = entries
	}
	return reports, nil
}

// judgeConsumer proves that a consumer was given the log's records, in order,
// without a gap but where it was told of one.
func (l *life) judgeConsumer(p *process, entries []entry, log *check.Log, tally *tally) error {
	due := int64(-1) // unknown until it stands somewhere
	for _, e := range entries {
		switch e.Kind {
		case seen:
			if e.Offset != due {
				return fmt.Errorf("was given offset %d where %d is due", e.Offset, due)
			}
			if e.Offset >= log.End {
				return fmt.Errorf("was given offset %d, and the log ends at %d", e.Offset, log.End)
			}
			if err := l.truth.learn(e.Offset, e.identity(), p.String()); err != nil {
				return err
			}
			due = e.Offset + 1
			tally.consumed++
		case jumped:
			// Where the log starts never goes back.
			if l.least == 0 || e.Offset <= due || e.Offset > log.Start {
				return fmt.Errorf("was told that offset %d is gone, and went on at %d; the log starts at %d", due, e.Offset, log.Start)
			}
			due = e.Offset
			tally.overtaken++
		case opened:
			latest := log.Start
			if p.Role == "end" {
				latest = log.End
			}
			if e.Offset < 0 || e.Offset > latest {
				return fmt.Errorf("began at offset %d; the log is from %d to %d", e.Offset, log.Start, log.End)
			}
			due = e.Offset
		case joined:
			due = e.Offset
		}
	}
	if !p.killed.IsZero() {
		return nil
	}
	switch p.Role {
	case "start", "laggard", "end":
		if due != log.End {
			return fmt.Errorf("read to offset %d of %d, and left", due, log.End)
		}
	case "synced":
		if log.Control == nil || due < log.Control.Durable {
			return fmt.Errorf("read to offset %d, and left; the shared words are %+v", due, log.Control)
		}
	}
	return nil
}

// judgeGroups proves that each member of a group began where the one before had
// committed, or was about to.
func (l *life) judgeGroups(reports map[*process][]entry, log *check.Log) error {
	for number, g := range l.truth.groups {
		var members []*process
		for p, entries := range reports {
			if p.Role == "member" && int(p.ID)%groups == number && len(entries) > 0 {
				members = append(members, p)
			}
		}
		// One is active at a time, so their reports follow each other.
		slices.SortFunc(members, func(a, b *process) int { return int(reports[a][0].Begin - reports[b][0].Begin) })
		for _, p := range members {
			for _, e := range reports[p] {
				switch e.Kind {
				case joined:
					if e.Offset < g.committed || e.Offset > g.attempted {
						return fmt.Errorf("%s joined at %d, but the commits so far are %+v", p, e.Offset, *g)
					}
				case committing:
					g.attempted = max(g.attempted, e.Offset)
				case committed:
					g.committed = max(g.committed, e.Offset)
				}
			}
		}
		if g.attempted < 0 {
			continue
		}
		if got := log.Groups[groupName(number)].Committed; got < g.committed || got > g.attempted {
			return fmt.Errorf("group %s is at %d, but the commits are %+v", groupName(number), got, *g)
		}
	}
	return nil
}

// judgeRetention proves that no more was dropped than was asked for, and that a
// log whose processes left in good order has no lock that is held.
func (l *life) judgeRetention(log *check.Log, left bool) error {
	if l.least == 0 && log.Start != 0 {
		return fmt.Errorf("the log starts at %d, and nobody asked to drop anything", log.Start)
	}
	kept := int64(len(log.Segments)) * l.options.SegmentBytes
	if log.Start > 0 && !l.trims && kept <= l.least-l.options.SegmentBytes {
		return fmt.Errorf("retention left %d bytes of at least %d", kept, l.least)
	}
	if left && log.Control == nil {
		return errors.New("there is no control file of this boot")
	}
	return nil
}

// hasDied tells whether a producer was killed: all of the rounds before this one
// are past, so what they had on its way then was judged then.
func (l *life) hasDied() func(uint32) bool {
	killed := make(map[uint32]bool)
	for _, p := range l.all() {
		killed[p.ID] = !p.killed.IsZero()
	}
	return func(producer uint32) bool {
		died, ofThisRound := killed[producer]
		return died || !ofThisRound
	}
}

// reportsOf are the names of a round's report files, to be removed with it.
func (l *life) reportFiles() []string {
	var files []string
	for _, p := range l.all() {
		files = append(files, p.Report, p.Report+".err")
	}
	return files
}
