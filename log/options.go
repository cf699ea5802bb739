package log

import (
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// Defaults of Options.
const (
	DefaultSegmentBytes int64       = 64 << 20
	DefaultFlushEvery               = time.Second
	DefaultMode         fs.FileMode = layout.DefaultMode
)

// Retention says what of a log may be dropped: always whole segments, oldest
// first, when a new segment begins; never the newest. A zero field sets no limit.
type Retention = layout.Retention

// Options say how a log is opened. The zero value is right for most uses.
//
// Settings marked "creation" are stored with the log when it is created.
type Options struct {
	// SegmentBytes is the size of the log's files: a multiple of 4096 from 64 KiB
	// to 1 GiB, 0 for 64 MiB. A record must fit one segment; retention drops
	// whole ones; and it takes the system some 20 ms a GiB to take down a killed
	// producer, which the others wait for. Creation; if the log exists, another
	// size than its own is an error.
	SegmentBytes int64

	// Retention limits how much is kept. Creation; see also SetRetention.
	Retention Retention

	// Mode is the permission of the log's files, 0 for 0600. Who may read may
	// follow; who may write may append; directories get the x bits to match.
	// Creation.
	Mode fs.FileMode

	// MustExist makes a missing log an error (fs.ErrNotExist) instead of
	// creating it.
	MustExist bool

	// FlushEvery bounds the time from Append's return until the record is on
	// disk: 0 for one second, negative for never (the system writes it back when
	// it likes, and Close does not sync either).
	FlushEvery time.Duration

	// AllowNetworkFilesystem opens a log even where mappings or locks may not
	// work as they must. It is for those who know that only one host uses it.
	AllowNetworkFilesystem bool

	// Logger is told of recoveries and of trouble in the background. Nil is
	// silent.
	Logger *slog.Logger
}

func (o *Options) fill() error {
	if o.SegmentBytes != 0 {
		if err := segment.CheckSize(o.SegmentBytes); err != nil {
			return err
		}
	}
	if o.Mode == 0 {
		o.Mode = DefaultMode
	}
	if err := layout.CheckMode(o.Mode); err != nil {
		return err
	}
	if o.FlushEvery == 0 {
		o.FlushEvery = DefaultFlushEvery
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o.Retention.Check()
}

// settings are what the log is created with.
func (o *Options) settings() layout.Settings {
	s := layout.Settings{SegmentBytes: o.SegmentBytes, Retention: o.Retention, Mode: o.Mode}
	if s.SegmentBytes == 0 {
		s.SegmentBytes = DefaultSegmentBytes
	}
	return s
}

// checkAgainst refuses settings that an existing log contradicts.
func (o *Options) checkAgainst(dir layout.Dir, m *layout.Meta) error {
	if o.SegmentBytes != 0 && o.SegmentBytes != m.SegmentBytes {
		return fmt.Errorf("%s: segments of this log have %d bytes, not %d: their size is fixed when a log is created", dir, m.SegmentBytes, o.SegmentBytes)
	}
	return nil
}
