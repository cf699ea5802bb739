package segment

import (
	"errors"
	"fmt"
)

// ErrDamaged is what every DamageError is.
var ErrDamaged = errors.New("log is damaged")

// A DamageError says that records which were there cannot be had: the bytes that
// held them do not verify, or are gone. It is not how a torn end after a crash
// looks; that is cut by recovery.
type DamageError struct {
	Segment     string // file name in the log's directory
	Position    int64  // in that file
	First, Last int64  // the offsets that are lost, both inclusive; Last < First when no record is known to be
	Reason      string
}

func (e *DamageError) Error() string {
	lost := fmt.Sprintf("offsets %d to %d cannot be read", e.First, e.Last)
	if e.Last < e.First {
		lost = fmt.Sprintf("what there may have been from offset %d on cannot be read", e.First)
	}
	return fmt.Sprintf("damage in %s at position %d: %s; %s", e.Segment, e.Position, e.Reason, lost)
}

// Is makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }
