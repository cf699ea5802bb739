package log

import (
	"context"

	"github.com/seed27ccf144/mlog/reader"
)

// WaitAny waits for several readers, of one log or of many, and returns nil when
// at least one of them may have something: a record, an error, or the end of its
// range. Which one is found out with TryNext; that none has anything after all is
// possible. It is one thread that sleeps, for at most 128 logs. The readers must
// not be in use meanwhile.
func WaitAny(ctx context.Context, readers ...*Reader) error {
	inner := make([]*reader.Reader, len(readers))
	for i, r := range readers {
		inner[i] = r.r
	}
	return public(reader.WaitAny(ctx, inner...))
}
