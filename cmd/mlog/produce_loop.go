package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/seed27ccf144/mlog/internal/recordfmt"
	mlog "github.com/seed27ccf144/mlog/log"
)

// What is at hand is one batch, up to these limits: a batch beyond them gains
// nothing, and its readers would wait for it.
const (
	maxBatchRecords = 4096
	maxBatchBytes   = 1 << 20
)

// A producer is one run of the command.
type producer struct {
	produceOptions
	std       *streams
	out       *output
	outFormat *recordfmt.Formatter // nil: print nothing
	log       *mlog.Log
	writer    *mlog.Writer
	times     *mlog.Reader // for an output format that shows append times

	progress progress
	appended int64 // records so far
}

// compile checks the formats, before anything is created.
func (p *producer) compile() (err error) {
	// This reader is never used: what counts is whether there can be one.
	if _, err := recordfmt.NewReader(nil, p.format, 1); err != nil {
		return usagef("--format: %v", err)
	}
	if p.output == "" {
		return nil
	}
	if p.outFormat, err = recordfmt.Compile(p.output); err != nil {
		return usagef("--output: %v", err)
	}
	return nil
}

// run appends until the input ends, and makes it all durable. Whatever ended
// it, what was acknowledged is safe when it returns.
func (p *producer) run(ctx context.Context, in *os.File) error {
	work, cancel := withGrace(ctx, appendGrace)
	defer cancel()
	input, release, err := cancellable(ctx, in)
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	defer release()
	whenStuck(ctx, p.out, p.leave)
	err = p.loop(ctx, work, input)
	p.progress.done()
	if errors.Is(err, errReaderGone) {
		err = nil
	}
	syncErr := p.writer.Sync(context.Background())
	switch {
	case syncErr == nil:
		return err
	case err == nil:
		return fmt.Errorf("%d records are appended, but not all are known to be durable: %w", p.appended, syncErr)
	}
	return fmt.Errorf("%w; nor are those known to be durable: %w", err, syncErr)
}

// leave ends the process from outside of its loop, which hangs in a write to a
// stdout that is full and not read. What was appended is made durable.
func (p *producer) leave() {
	if err := p.writer.Sync(context.Background()); err != nil {
		os.Exit(report(p.std.err, "produce", err))
	}
	os.Exit(exitDone)
}

// loop appends batch after batch. ctx ends the reading; an append under way is
// finished under work.
func (p *producer) loop(ctx, work context.Context, in io.Reader) error {
	if p.outFormat != nil && showsTime(p.outFormat) {
		times, err := p.log.Reader(mlog.ReaderOptions{From: mlog.End()})
		if err != nil {
			return err
		}
		defer times.Close()
		p.times = times
	}
	reader, err := recordfmt.NewReader(in, p.format, p.log.MaxRecordBytes())
	if err != nil {
		return usagef("--format: %v", err)
	}
	maxRecords, maxBytes := p.batchLimits()
	batch := make([]mlog.Record, 0, maxRecords)
	for {
		var readErr error
		batch, readErr = reader.ReadBatch(batch[:0], maxRecords, maxBytes)
		p.addConstants(batch)
		if err := p.append(work, batch); err != nil {
			return err
		}
		if err := p.out.flush(); err != nil {
			return err
		}
		p.progress.tick(p.appended)
		switch {
		case readErr == nil:
		case errors.Is(readErr, io.EOF), stopped(ctx, readErr):
			return nil
		default:
			return p.explainInput(readErr)
		}
	}
}

// batchLimits keeps a batch to a fraction of a segment, since what does not
// fit into the rest of one goes into the next and leaves the rest empty.
func (p *producer) batchLimits() (records, bytes int) {
	records = p.batch
	if records == 0 {
		records = maxBatchRecords
	}
	return records, int(min(maxBatchBytes, p.log.SegmentBytes()/8))
}

func (p *producer) addConstants(batch []mlog.Record) {
	if p.key == nil && len(p.headers) == 0 {
		return
	}
	for i := range batch {
		if batch[i].Key == nil {
			batch[i].Key = p.key
		}
		switch own := batch[i].Headers; {
		case len(p.headers) == 0:
		case len(own) == 0:
			batch[i].Headers = p.headers
		default:
			batch[i].Headers = slices.Concat(own, p.headers)
		}
	}
}

// append appends a batch; one that does not fit a segment, in halves. So a
// record that is too large by itself keeps none of those before it out.
func (p *producer) append(ctx context.Context, batch []mlog.Record) error {
	if len(batch) == 0 {
		return nil
	}
	base, err := p.writer.AppendBatch(ctx, batch)
	if err == nil {
		p.appended += int64(len(batch))
		return p.print(base, batch)
	}
	if !errors.Is(err, mlog.ErrTooLarge) || len(batch) == 1 {
		return p.explainAppend(err, base, len(batch))
	}
	half := len(batch) / 2
	if err := p.append(ctx, batch[:half]); err != nil {
		return err
	}
	return p.append(ctx, batch[half:])
}

// print shows acknowledged records in the output format.
func (p *producer) print(base int64, batch []mlog.Record) error {
	if p.outFormat == nil {
		return nil
	}
	if p.times != nil {
		return p.printFromLog(base, len(batch))
	}
	for i := range batch {
		batch[i].Offset = base + int64(i)
		p.out.buf = p.outFormat.AppendTo(p.out.buf, &batch[i])
	}
	return nil
}

// printFromLog reads the records back: an append does not tell the time that
// the log gave them.
func (p *producer) printFromLog(base int64, n int) error {
	if err := p.times.Seek(mlog.At(base)); err != nil {
		return fmt.Errorf("read back offset %d: %w", base, err)
	}
	for range n {
		record, err := p.times.Next(context.Background())
		if err != nil {
			return fmt.Errorf("read back offset %d: %w", base, err)
		}
		p.out.buf = p.outFormat.AppendTo(p.out.buf, &record)
	}
	return nil
}

// explainInput says what is kept when the input cannot be read on.
func (p *producer) explainInput(err error) error {
	var large *recordfmt.TooLargeError
	if errors.As(err, &large) {
		return p.tooLarge(fmt.Sprintf("more than %d bytes, the most", large.Max), err)
	}
	return fmt.Errorf("%w; the %d records before it are kept", err, p.appended)
}

// explainAppend says which records an append failed for.
func (p *producer) explainAppend(err error, base int64, n int) error {
	which := fmt.Sprintf("record %d", p.appended+1)
	if n > 1 {
		which = fmt.Sprintf("records %d to %d", p.appended+1, p.appended+int64(n))
	}
	var large *mlog.TooLargeError
	switch {
	case errors.As(err, &large):
		return p.tooLarge(fmt.Sprintf("%d bytes, more than the %d", large.Size, large.Max), err)
	case base >= 0: // visible, but the sync that was to make it durable failed
		return fmt.Errorf("%s: appended from offset %d on, but not known to be durable: %w; the %d records before are", which, base, err, p.appended)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: stopped while another producer held the log; the %d records before are kept", which, p.appended)
	}
	return fmt.Errorf("%s: %w; the %d records before are kept", which, err, p.appended)
}

func (p *producer) tooLarge(size string, err error) error {
	return fmt.Errorf("record %d has %s that fit a segment of this log; the %d records before it are kept; "+
		"a new log takes larger ones with --segment-bytes%w", p.appended+1, size, p.appended, silent{err})
}

// showsTime finds out whether a format shows the append time, by formatting
// two records that differ in nothing else.
func showsTime(format *recordfmt.Formatter) bool {
	one := format.AppendTo(nil, &mlog.Record{Time: time.Unix(0, 0)})
	other := format.AppendTo(nil, &mlog.Record{Time: time.Date(2023, time.November, 22, 13, 34, 56, 789654321, time.UTC)})
	return string(one) != string(other)
}
