package log

import (
	"context"
	"fmt"

	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

type (
	// A Record is one message. Append ignores Offset and Time.
	Record = segment.Record

	// A Header is a name and a value that travel with a record.
	Header = segment.Header
)

// An Ack says what an append waits for.
type Ack int

const (
	// Visible: every reader can see the record, and it survives the death of
	// every process.
	Visible Ack = iota

	// Durable: it also survives power loss. Appends that wait at the same time,
	// in whatever process, share one sync.
	Durable
)

func (a Ack) String() string {
	switch a {
	case Visible:
		return "visible"
	case Durable:
		return "durable"
	}
	return fmt.Sprintf("Ack(%d)", int(a))
}

// WriterOptions say how a Writer acknowledges.
type WriterOptions struct {
	Ack Ack
}

// A Writer appends records. It is safe for use by many goroutines, which then
// share the cost of the lock among processes. All writers of a Log are the same
// producer and differ in their options only.
type Writer struct {
	w    *writer.Writer
	opts WriterOptions
}

// Append appends one record and returns its offset once it is acknowledged.
//
// With an error, an offset of -1 means that nothing was appended. A writer that
// acknowledges durable records may also return an error and an offset of 0 or
// more: then the record is in the log, and visible, at that offset, but it is not
// known to survive power loss. Appending it again would double it; Sync tries
// again to make it durable.
//
// The record's slices may be used again as soon as Append returns.
func (w *Writer) Append(ctx context.Context, r Record) (offset int64, err error) {
	offset, err = w.w.AppendOne(ctx, &r)
	if err == nil && w.opts.Ack == Visible {
		return offset, nil
	}
	return w.acknowledge(ctx, offset, 1, err)
}

// AppendBatch appends the records, at least one, as a unit: readers see all or
// none, after a kill and after power loss too. It returns the offset of the
// first; the others follow without a gap. Errors are as in Append.
func (w *Writer) AppendBatch(ctx context.Context, records []Record) (base int64, err error) {
	base, err = w.w.Append(ctx, records)
	return w.acknowledge(ctx, base, len(records), err)
}

// acknowledge turns what an append of n records came to into what its caller is
// told, and waits until they are durable if that was asked for.
func (w *Writer) acknowledge(ctx context.Context, base int64, n int, err error) (int64, error) {
	if err != nil {
		return -1, public(err)
	}
	if w.opts.Ack != Durable {
		return base, nil
	}
	return base, public(w.w.Sync(ctx, base+int64(n)))
}

// Sync returns when everything that this process appended is durable.
func (w *Writer) Sync(ctx context.Context) error { return public(w.w.SyncAll(ctx)) }

// Close does nothing but mark the end of use: what the writers of a Log share is
// given back by the Log's Close.
func (w *Writer) Close() error { return nil }
