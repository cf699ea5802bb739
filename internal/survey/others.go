package survey

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/group"
	"github.com/seed27ccf144/mlog/internal/indexfile"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// readMeta reads the log's identity. If it is damaged, the segments tell it.
func (s *surveyor) readMeta(bases []int64) error {
	m, err := s.dir.ReadMeta()
	if err == nil {
		s.meta = m
		return nil
	}
	if errors.Is(err, layout.ErrIncompatible) || isWant(err) {
		return err
	}
	for _, base := range bases {
		v, verr := openView(s.dir, base)
		if verr != nil {
			continue
		}
		s.meta = s.metaOf(v)
		v.close()
		s.file(Setting, path.Base(s.dir.Meta()), err)
		return nil
	}
	return err
}

// metaOf is what a segment tells of a meta file that is damaged. That there are
// lost batches it cannot tell, so there may be some. Nor whether the log recycles: one
// in which earlier builds did so without the bit looks the same. A reader that does not
// know the bit may have that open, so the log does without.
func (s *surveyor) metaOf(v *view) layout.Meta {
	m := layout.Meta{LogID: v.LogID, SegmentBytes: v.Size, Mode: layout.DefaultMode, Incompat: layout.FeatureLostBatches}
	if segment.HasHeaderCopy(v.Bytes()) {
		m.Compat = layout.FeatureHeaderCopies | layout.FeatureOrigins
	}
	for _, path := range []string{s.dir.Meta(), s.dir.Segment(v.Base)} {
		if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() && layout.CheckMode(fi.Mode().Perm()) == nil {
			m.Mode, m.Created = fi.Mode().Perm(), fi.ModTime()
			break
		}
	}
	return m
}

// Meta returns what the segments of a log with a damaged meta file say that was
// in it.
func Meta(dir layout.Dir) (layout.Meta, error) {
	bases, err := dir.Segments()
	if err != nil {
		return dir.ReadMeta() // which says what it is instead
	}
	s := surveyor{dir: dir}
	err = s.readMeta(bases)
	return s.meta, err
}

// others looks at the files beside the segments.
func (s *surveyor) others(bases []int64) error {
	if _, err := s.dir.ReadRetention(s.meta.LogID); err != nil && !errors.Is(err, fs.ErrPermission) {
		if errors.Is(err, layout.ErrIncompatible) || isWant(err) {
			return err
		}
		s.file(Setting, path.Base(s.dir.Retention()), err)
	}
	if fi, err := os.Lstat(s.dir.Wake()); err != nil && !errors.Is(err, fs.ErrPermission) {
		s.file(Derived, path.Base(s.dir.Wake()), err)
	} else if err == nil && fi.Size() != layout.WakeBytes {
		s.file(Derived, path.Base(s.dir.Wake()), fmt.Errorf("%d bytes where %d are expected", fi.Size(), layout.WakeBytes))
	}
	names, err := s.dir.GroupNames()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range names {
		_, _, err := group.Read(s.dir, name, s.meta.LogID)
		if errors.Is(err, layout.ErrIncompatible) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			continue // of a later version, another user's, or deleted meanwhile
		}
		if isWant(err) {
			return err
		}
		if err != nil {
			s.file(Group, path.Join("groups", name), err).Group = name
		}
	}
	return nil
}

// isWant reports whether err says that this process lacks the means to look at a
// file: descriptors, memory, or time before a signal. Of the file it says nothing.
func isWant(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EINTR} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func (s *surveyor) file(kind Kind, name string, err error) *Damage {
	return s.add(kind, 0, segment.DamageError{Segment: name, Last: -1, Reason: err.Error()})
}

// isNew reports whether the log has no segments because nobody has appended yet.
func (s *surveyor) isNew() bool {
	_, err := os.Lstat(s.dir.Control())
	_, serr := os.Lstat(s.dir.Slot(1))
	return errors.Is(err, fs.ErrNotExist) && errors.Is(serr, fs.ErrNotExist)
}

// loadIndex reads what the segment's index says, before the walk: by its end each
// entry must have met its batch. Without a usable index nothing is wrong: it is
// derived, and made anew when it is needed.
func (w *walk) loadIndex() {
	w.entries = make(map[int64]index.Entry)
	x, err := indexfile.Open(w.dir.Index(w.v.Base),
		index.Header{Base: w.v.Base, Epoch: w.v.Epoch, SegmentBytes: w.v.Size}, false)
	if err == nil {
		defer x.Close()
		err = fault.Run(func() error {
			for i := range x.Len() {
				if e, ok := x.At(i); ok {
					w.entries[e.Position] = e
				}
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, index.ErrVersion) && !isWant(err) {
		w.file(Derived, path.Base(w.dir.Index(w.v.Base)), err).Base = w.v.Base
	}
}

// checkIndex reports entries that point at no batch. Where batches are damaged, or
// torn off by a power loss, the entries that pointed at them are right in their
// way.
func (w *walk) checkIndex() {
	if w.damagedHere || w.report.Torn != nil {
		return
	}
	for position := range w.entries {
		if w.rebooted && w.successor < 0 && position >= w.position {
			continue
		}
		w.file(Derived, path.Base(w.dir.Index(w.v.Base)),
			fmt.Errorf("its entry for position %d points at no batch", position)).Base = w.v.Base
		return
	}
}

// neverSynced says whether a segment file that cannot be mapped is one that was
// never synced. The log's first one was, as long as the file itself does not prove
// that it was not.
func (s *surveyor) neverSynced(base int64, isFirst bool) bool {
	f, err := files.Open(s.dir.Segment(base), false)
	if err != nil {
		return false
	}
	defer f.Close()
	proof, err := segment.NeverSynced(f, s.meta.LogID, base)
	if err != nil {
		return false
	}
	return proof == segment.Earlier || proof == segment.Zeros && (!isFirst || s.isNew())
}
