package writer

import (
	"errors"
	"syscall"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/segment"
)

// What recovery may take away, and what was promised to be on disk.

// promised reports whether segment i, whose header is not usable, has been on disk.
// The first segment of a log is before anybody can append to it, and retention
// lets none become the first before it is, or before its file holds a proof that it
// is not.
func (r *recovery) promised(i int) (bool, error) {
	if i == 0 {
		proof, err := r.w.proofOf(r.bases[0])
		if err != nil {
			return true, err
		}
		if had, err := r.w.hadProducer(); err != nil || had && proof != segment.Earlier {
			return had, err
		}
	}
	never, err := r.neverSynced(i)
	return !never, err
}

// neverSynced reports whether segments i and later hold nothing that was ever
// promised to be on disk: their durable marks never moved, and a file without a
// usable header, or of another length, is one that no sync ever came to, and that
// the segment before it does not know to have been on disk.
func (r *recovery) neverSynced(i int) (bool, error) {
	for j, base := range r.bases[i:] {
		h, err := r.w.openHandle(base)
		if ofSystem(err) {
			return false, err
		}
		if err != nil {
			if proof, err := r.w.proofOf(base); proof == segment.NoProof || err != nil || r.knownOnDisk(i+j) {
				return false, err
			}
			continue
		}
		moved := h.Durable().Count > 0
		h.release()
		if moved {
			return false, nil
		}
	}
	return true, nil
}

// knownOnDisk reports whether the segment before segment i says that this one has
// been on disk.
func (r *recovery) knownOnDisk(i int) bool {
	if i == 0 {
		return false
	}
	h, err := r.w.openHandle(r.bases[i-1])
	if err != nil {
		return false
	}
	defer h.release()
	return h.Successor() == r.bases[i]
}

// ofSystem reports whether err is of the system, such as a want of descriptors or
// a disk that does not read, and so says nothing of what a file holds. That a
// file is missing does.
func ofSystem(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && !missing(err)
}

// proofOf says whether a file that cannot be mapped is a segment that was never
// synced.
func (w *Writer) proofOf(base int64) (segment.Proof, error) {
	f, err := files.Open(w.dir.Segment(base), false)
	if err != nil {
		if ofSystem(err) {
			return segment.NoProof, err
		}
		return segment.NoProof, nil
	}
	defer f.Close()
	return segment.NeverSynced(f, w.meta.LogID, base)
}
