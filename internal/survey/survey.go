// Package survey walks over all of a log and says what of it cannot be read. It
// changes nothing and may do so while producers write.
//
// Reading order: survey.go (what is found, and the walk over the segments),
// words.go (what the producers' words say), walk.go (the walk over the batches of
// one), marks.go (the words of one), others.go (the files beside the
// segments).
package survey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// A Kind says what is wrong, and so what can be done about it.
type Kind int

const (
	Bytes   Kind = iota // bytes of a segment are not the batches that belong there
	Content             // a batch verifies, but does not hold what it promises
	Header              // a segment's header is unusable, and with it the segment
	Copy                // a segment's header or its copy is damaged; the other is used
	Marks               // a segment's tail, durable mark, successor or last time cannot be right
	Missing             // a segment's file is not there
	Overlap             // a segment begins before the end of the one before it
	Setting             // meta or retention
	Derived             // an index, or wake: it can be made anew
	Group               // a consumer group's file
)

// A Damage is one thing that is wrong.
type Damage struct {
	Kind Kind
	// What tells a user of it. Segment is the name of the file in the log's
	// directory, whatever file that is.
	What segment.DamageError
	// Base is the segment that it is in, or the one that is missing.
	Base int64
	// Until is the position of the next batch that verifies behind damaged bytes, 0
	// if there is none in the segment.
	Until int64
	// Group is the name of a group whose file it is.
	Group string
}

// A Torn end is what a power loss left behind the last batch that verifies, until
// the next producer recovers the log.
type Torn struct {
	Segment  string
	Position int64
}

// A Report is what a survey found.
type Report struct {
	Records  int64 // that can be read
	Batches  int64
	Segments int
	Start    int64 // offset of the first record
	End      int64 // offset after the last record, as far as the damage lets one see
	Damage   []Damage
	Lost     []segment.DamageError // damage of the past, which repair has marked
	Torn     *Torn
}

// Options say how to survey.
type Options struct {
	// Progress, if not nil, is called now and then with the bytes looked at and the
	// bytes there are.
	Progress func(done, all int64)
	// Control is the path of the control file, if it is not in its place.
	Control string
}

// A surveyor is one walk over one log.
type surveyor struct {
	dir    layout.Dir
	meta   layout.Meta
	opts   Options
	ctx    context.Context
	report Report

	next     int64 // the offset that the next segment has to begin with
	time     int64 // append time of the last batch
	rebooted bool  // no producer of this boot has opened the log yet
	active   int64 // the segment that producers append to; of no meaning if rebooted
	noActive int64 // what control says in its place, if no segment is there; else -1
	durable  int64 // the durable offset; of no meaning if rebooted
	marked   int64 // the last segment in which something is known to be on disk
}

// Run surveys the log in dir. Its error is one of the system, or that of ctx;
// whatever is wrong with the log itself is in the report.
//
// Where the first producer of this boot comes meanwhile, it makes or recovers the log
// under the survey's eyes, which then begins anew: there is one such moment in a boot.
func Run(ctx context.Context, dir layout.Dir, opts Options) (*Report, error) {
	for {
		s := &surveyor{dir: dir, opts: opts, ctx: ctx}
		report, err := s.run()
		if err != nil || !s.rebooted {
			return report, err
		}
		if opened, err := s.isOpened(); err != nil || !opened {
			return report, err
		}
	}
}

func (s *surveyor) run() (*Report, error) {
	dir := s.dir
	bases, err := dir.Segments()
	if _, merr := dir.ReadMeta(); err != nil && errors.Is(merr, layout.ErrNotLog) {
		return nil, merr
	}
	if err != nil {
		return nil, err
	}
	if err := s.readMeta(bases); err != nil {
		return nil, err
	}
	if err := s.readControl(); err != nil {
		return nil, err
	}
	if !s.rebooted && len(bases) == 0 { // the first producer names its segment, and only then the control file
		if bases, err = dir.Segments(); err != nil {
			return nil, err
		}
	}
	if len(bases) > 0 {
		s.next, s.report.Start = bases[0], bases[0]
	}
	if err := s.doubtActive(bases); err != nil {
		return nil, err
	}
	s.findMarked(bases)
	if err := s.segments(bases); err != nil {
		return nil, err
	}
	if s.noActive >= 0 {
		s.file(Derived, filepath.Base(s.dir.Control()), fmt.Errorf("it names a segment at offset %d as the active one, which is not there", s.noActive))
	}
	if len(bases) == 0 && !s.isNew() {
		s.add(Missing, 0, segment.DamageError{Segment: layout.SegmentName(0), Last: -1, Reason: "all segment files are missing"})
	}
	if err := s.others(bases); err != nil {
		return nil, err
	}
	return &s.report, nil
}

// segments walks over the segments that there are when it begins: chasing a quick
// producer could take for ever. Retention may take the first ones away meanwhile;
// then the list is read anew.
func (s *surveyor) segments(bases []int64) error {
	for i := 0; i < len(bases); i++ {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		s.progress(i, len(bases))
		if bases[i] > s.next {
			// A listing of a directory that changes meanwhile may have a new file, and
			// not the older one before it. Another listing has both.
			var err error
			if bases, err = s.dir.Segments(); err != nil {
				return err
			}
			if i = s.afterRetention(bases, s.next); i == len(bases) {
				break
			}
		}
		base := bases[i]
		v, err := openView(s.dir, base)
		if errors.Is(err, fs.ErrNotExist) {
			now, err := s.dir.Segments()
			if err != nil {
				return err
			}
			end, _ := slices.BinarySearch(now, bases[len(bases)-1]+1)
			bases = now[:end]
			i = s.afterRetention(bases, base) - 1
			continue
		}
		s.report.Segments++
		s.checkRow(base)
		if err == nil {
			if why := v.foreign(s.meta.LogID, base); why != "" {
				v.close()
				err = &segment.HeaderError{Reason: why}
			}
		}
		if err != nil {
			if err := s.unusable(bases, i, err); err != nil || s.report.Torn != nil {
				return err // the log ends before a torn end, whatever lies behind it
			}
			continue
		}
		err = s.segment(v, func() (int64, bool) { return s.following(bases, base) })
		v.close()
		if err != nil || s.report.Torn != nil {
			return err
		}
	}
	s.progress(len(bases), len(bases))
	s.report.End = max(s.report.End, s.next)
	return nil
}

// afterRetention returns where in the new list of segments to go on when one of
// the old list is gone.
func (s *surveyor) afterRetention(bases []int64, gone int64) int {
	i, _ := slices.BinarySearch(bases, gone)
	if i == 0 && len(bases) > 0 { // it was among the first ones
		s.next, s.report.Start = bases[0], bases[0]
	}
	return i
}

func (s *surveyor) progress(i, n int) {
	if s.opts.Progress != nil {
		s.opts.Progress(int64(i)*s.meta.SegmentBytes, int64(n)*s.meta.SegmentBytes)
	}
}

// checkRow compares where a segment begins with where the one before it ended.
func (s *surveyor) checkRow(base int64) {
	switch {
	case base > s.next:
		s.add(Missing, s.next, segment.DamageError{
			Segment: layout.SegmentName(s.next), First: s.next, Last: base - 1, Reason: "the segment file is missing",
		})
	case base < s.next:
		s.add(Overlap, base, segment.DamageError{
			Segment: layout.SegmentName(base), First: base, Last: base - 1,
			Reason: fmt.Sprintf("it begins before offset %d, where the segment before it ends", s.next),
		})
	}
	s.next = base
}

// unusable reports a segment that cannot be mapped, or fails with the error of
// the system that kept it from being.
func (s *surveyor) unusable(bases []int64, i int, err error) error {
	var header *segment.HeaderError
	if !errors.As(err, &header) {
		return err
	}
	if header.Version {
		return fmt.Errorf("%w: segment %s: %s; use a newer mlog", layout.ErrIncompatible, layout.SegmentName(bases[i]), header.Reason)
	}
	if s.mayBeTorn(bases[i]) && s.neverSynced(bases[i], i == 0) {
		s.report.Torn = &Torn{Segment: layout.SegmentName(bases[i])}
		return nil
	}
	last := bases[i] - 1
	if i+1 < len(bases) {
		last = bases[i+1] - 1
	}
	s.add(Header, bases[i], segment.DamageError{
		Segment: layout.SegmentName(bases[i]), First: bases[i], Last: last, Reason: header.Reason,
	})
	s.next = last + 1
	return nil
}

// following returns the base offset of the segment after one.
func (s *surveyor) following(bases []int64, base int64) (int64, bool) {
	i, _ := slices.BinarySearch(bases, base+1)
	if i == len(bases) { // one may have been added
		var err error
		if bases, err = s.dir.Segments(); err != nil {
			return 0, false
		}
		i, _ = slices.BinarySearch(bases, base+1)
	}
	if i == len(bases) {
		return 0, false
	}
	return bases[i], true
}

func (s *surveyor) add(kind Kind, base int64, what segment.DamageError) *Damage {
	s.report.Damage = append(s.report.Damage, Damage{Kind: kind, What: what, Base: base})
	return &s.report.Damage[len(s.report.Damage)-1]
}
