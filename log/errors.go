package log

import (
	"errors"
	"fmt"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/group"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// Errors to be told apart with errors.Is. Besides these, errors of the system
// come through as they are: fs.ErrNotExist and fs.ErrPermission from opening,
// syscall.ENOSPC from an append that found the disk full (what was there before
// is intact, and appending goes on once there is room), context.Canceled and
// context.DeadlineExceeded from calls that were given up.
var (
	// ErrClosed says that the log, the writer or the reader was closed.
	ErrClosed = errors.New("closed")

	// ErrNotLog says that a path holds something else than a log.
	ErrNotLog = layout.ErrNotLog

	// ErrIncompatible says that a log was written by a later version.
	ErrIncompatible = layout.ErrIncompatible

	// ErrNetworkFilesystem says that a directory is on a network filesystem.
	ErrNetworkFilesystem = layout.ErrNetworkFilesystem

	// ErrTooLarge says that a record or batch does not fit a segment; errors.As
	// gives a *TooLargeError.
	ErrTooLarge = errors.New("record too large")

	// ErrOutOfRange says that an offset is not in the log; errors.As gives a
	// *RangeError.
	ErrOutOfRange = reader.ErrOutOfRange

	// ErrDamaged says that records are lost to damage; errors.As gives a
	// *DamageError.
	ErrDamaged = segment.ErrDamaged

	// ErrGroupActive says that a consumer group cannot be changed from outside,
	// because it has an active member.
	ErrGroupActive = group.ErrActive

	// ErrSyncFailed says that a sync failed, now or earlier, in this or another
	// process. Nobody can append to the log any more in this boot.
	ErrSyncFailed = control.ErrSyncFailed
)

type (
	// A RangeError says which offset is not there, and where the log starts and
	// ends.
	RangeError = reader.RangeError

	// A DamageError says where damage is and which offsets it makes unreadable.
	DamageError = segment.DamageError
)

// A TooLargeError says that a record or batch does not fit a segment. Nothing
// was written.
type TooLargeError struct {
	Size int64 // bytes that it takes, with its overhead
	Max  int64 // that a segment of this log holds
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("record or batch of %d bytes is too large: a segment of this log holds at most %d", e.Size, e.Max)
}

// Is makes errors.Is(err, ErrTooLarge) true.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// public turns the errors of the packages below into those of this one.
func public(err error) error {
	if err == nil {
		return nil
	}
	var large *segment.TooLargeError
	switch {
	case errors.As(err, &large):
		return &TooLargeError{Size: large.Size, Max: large.Max}
	case errors.Is(err, writer.ErrClosed), errors.Is(err, reader.ErrClosed):
		return ErrClosed
	}
	return err
}
