package log

import (
	"context"
	"path/filepath"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/survey"
)

// A Verification is what Verify found.
type Verification struct {
	Records     int64 // that can be read
	Batches     int64
	Segments    int
	StartOffset int64
	EndOffset   int64 // as far as damage lets one see
	// Damage is what is wrong now. Where no record is known to be lost by it, Last is
	// less than First; where it is another file than a segment, Segment is that one's name.
	Damage []DamageError
	// Lost is damage of the past: Repair has marked it, and readers of these offsets
	// get a *DamageError.
	Lost []DamageError
	// TornTail is set if the end of the log is as a power loss left it. It is no
	// damage: the next producer, or Repair, recovers it.
	TornTail *TornTail
}

// A TornTail is where a log's end is torn.
type TornTail struct {
	Segment  string // name of the file in the log's directory
	Position int64  // in that file
}

// VerifyOptions say how to verify. The zero value is right for most uses.
type VerifyOptions struct {
	// Progress, if not nil, is called once a segment with the bytes looked at and the
	// bytes there are.
	Progress func(done, all int64)
}

// Verify reads all of a log, checks everything that can be checked, and changes
// nothing. Producers and consumers may be at work: what they append and drop
// meanwhile is seen or not. It needs read permission.
//
// The error is of the system (fs.ErrNotExist if there is no such directory),
// ErrNotLog, ErrIncompatible or that of ctx; whatever is wrong with the log itself
// is in the Verification.
func Verify(ctx context.Context, dir string, opts VerifyOptions) (Verification, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Verification{}, err
	}
	report, err := survey.Run(ctx, layout.Dir(abs), survey.Options{Progress: opts.Progress})
	if err != nil {
		return Verification{}, err
	}
	v := Verification{
		Records: report.Records, Batches: report.Batches, Segments: report.Segments,
		StartOffset: report.Start, EndOffset: report.End, Lost: report.Lost, TornTail: tornTail(report.Torn),
	}
	for _, d := range report.Damage {
		v.Damage = append(v.Damage, d.What)
	}
	return v, nil
}

func tornTail(t *survey.Torn) *TornTail {
	if t == nil {
		return nil
	}
	return &TornTail{Segment: t.Segment, Position: t.Position}
}
