package log

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/mapping"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// A Log is a log that is open in this process. It is safe for concurrent use.
type Log struct {
	dir  layout.Dir
	meta layout.Meta
	opts Options
	src  *reader.Source

	mu     sync.Mutex
	writer *writer.Writer // nil until the first Writer
	closed bool
}

// Open opens the log in dir, creating it if there is none and the directory is
// missing or empty. Opening needs read permission on the log; Writer needs write
// permission.
func Open(dir string, opts Options) (*Log, error) {
	if !mapping.LittleEndian() {
		return nil, errors.New("this machine is big-endian: a log's shared words are little-endian machine words")
	}
	if err := opts.fill(); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir) // a later change of directory must not matter
	if err != nil {
		return nil, err
	}
	l := &Log{dir: layout.Dir(abs), opts: opts}
	if !opts.AllowNetworkFilesystem {
		if err := l.dir.CheckLocal(); err != nil {
			return nil, err
		}
	}
	if l.meta, err = l.readOrCreate(); err != nil {
		return nil, err
	}
	if err := segment.CheckSize(l.meta.SegmentBytes); err != nil {
		return nil, fmt.Errorf("%s: meta: %w", dir, err)
	}
	if err := opts.checkAgainst(l.dir, &l.meta); err != nil {
		return nil, err
	}
	l.src, err = reader.NewSource(l.dir, l.meta)
	if errors.Is(err, fs.ErrNotExist) { // somebody removed the wake file: it holds nothing that cannot be made anew
		if err = l.dir.CreateWake(l.meta.Mode); err == nil {
			l.src, err = reader.NewSource(l.dir, l.meta)
		}
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Log) readOrCreate() (layout.Meta, error) {
	if !l.opts.MustExist {
		return l.dir.Create(context.Background(), l.opts.settings())
	}
	m, err := l.dir.ReadMeta()
	if errors.Is(err, layout.ErrDamaged) {
		return m, fmt.Errorf("%w: %w; Repair writes it anew", ErrDamaged, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return m, &fs.PathError{Op: "open log", Path: string(l.dir), Err: fs.ErrNotExist}
	}
	return m, err
}

// Close ends the use of the log: appends and reads that wait return ErrClosed.
// Unless FlushEvery is negative it first makes durable what was appended through
// this Log, and an error says that it could not.
//
// Readers and groups are closed by themselves; until then their memory stays
// mapped.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var err error
	if l.writer != nil {
		err = l.writer.Close()
	}
	return errors.Join(err, l.src.Close())
}

// Writer returns a writer of the log. The first one makes this process a
// producer; after a reboot it also recovers the log's end.
func (l *Log) Writer(opts WriterOptions) (*Writer, error) {
	w, err := l.producer(context.Background())
	if err != nil {
		return nil, err
	}
	return &Writer{w: w, opts: opts}, nil
}

// producer makes this process a producer, unless it is one.
func (l *Log) producer(ctx context.Context) (*writer.Writer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if l.writer == nil {
		w, err := writer.Open(ctx, l.dir, l.meta, writer.Options{FlushEvery: l.opts.FlushEvery, Logger: l.opts.Logger})
		if err != nil {
			return nil, public(err)
		}
		l.writer = w
	}
	return l.writer, nil
}

// Reader returns a new reader. It must be closed.
func (l *Log) Reader(opts ReaderOptions) (*Reader, error) {
	o := reader.Options{Until: reader.Unbounded, Durable: opts.Durable, Spin: opts.Spin}
	if opts.Until != (Position{}) {
		var err error
		if o.Until, err = l.resolve(opts.Until, opts.Durable); err != nil {
			return nil, err
		}
	}
	var r *reader.Reader
	err := l.seek(opts.From, opts.Durable, func(offset int64, oldest bool) (err error) {
		o.From, o.Oldest = offset, oldest
		r, err = reader.NewReader(l.src, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Reader{r: r, l: l, durable: opts.Durable}, nil
}

// seek has move go to a place: to an offset, or to the oldest record. The zero Position
// is Start. Retention may drop the offset of a moving place, such as a time, when that has
// just been looked up; then its oldest record is the first that is left of those that were
// meant. An offset that the caller named stays gone.
func (l *Log) seek(p Position, durable bool, move func(offset int64, oldest bool) error) error {
	if p.kind == unset || p.kind == start {
		return public(move(0, true))
	}
	offset, err := l.resolve(p, durable)
	if err != nil {
		return err
	}
	err = move(offset, false)
	if p.kind != exact && reader.IsGone(err) {
		err = move(0, true)
	}
	return public(err)
}

// StartOffset returns the offset of the oldest record that is kept, or of the
// next one if there are none.
func (l *Log) StartOffset() (int64, error) { return guarded(l, l.src.Start) }

// EndOffset returns the offset that the next record will get.
func (l *Log) EndOffset() (int64, error) { return guarded(l, l.src.End) }

// DurableOffset returns the offset below which all records survive power loss.
func (l *Log) DurableOffset() (int64, error) { return guarded(l, l.src.Durable) }

// OffsetAt returns the offset of the first record that was appended at t or
// later, or the end offset if there is none.
func (l *Log) OffsetAt(t time.Time) (int64, error) {
	return guarded(l, func() (int64, error) { return l.src.OffsetAt(inRange(t)) })
}

// inRange moves a time that does not fit 64 bits of nanoseconds to the nearest one
// that does: it would come out as any other.
func inRange(t time.Time) time.Time {
	first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	switch {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}

// guarded keeps the log from being closed under a look at it.
func guarded(l *Log, look func() (int64, error)) (int64, error) {
	if err := l.src.Hold(); err != nil {
		return 0, public(err)
	}
	defer l.src.Drop()
	n, err := look()
	return n, public(err)
}

// SegmentBytes returns the size of the log's segments.
func (l *Log) SegmentBytes() int64 { return l.meta.SegmentBytes }

// MaxRecordBytes returns the length of the longest value that a record without
// key and headers can have.
func (l *Log) MaxRecordBytes() int64 {
	return segment.MaxFrame(l.meta.SegmentBytes) - segment.FrameBytes
}

// Retention returns the settings in force.
func (l *Log) Retention() (Retention, error) { return l.dir.ReadRetention(l.meta.LogID) }

// SetRetention stores new settings, durably. Producers that run apply them when
// the next segment begins.
func (l *Log) SetRetention(r Retention) error { return l.dir.WriteRetention(&l.meta, r) }

// Dir returns the absolute path of the log's directory.
func (l *Log) Dir() string { return string(l.dir) }

// diskBytes returns what the log's files take, by their sizes.
func (l *Log) diskBytes() (int64, error) {
	var total int64
	err := filepath.WalkDir(string(l.dir), func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrPermission) {
				return nil // gone, or none of our business
			}
			return err
		}
		if fi, err := d.Info(); err == nil && fi.Mode().IsRegular() {
			total += fi.Size()
		}
		return nil
	})
	return total, err
}
