package log

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/writer"
)

// A Finding is one thing that is wrong with a log.
type Finding struct {
	DamageError
	Remedy string // what Repair does about it; empty if it can do nothing
}

// A RepairReport is what Repair found, and whether it did anything about it.
type RepairReport struct {
	Findings []Finding
	// TornTail is set if the log's end had to be recovered after a power loss.
	TornTail *TornTail
	// SyncFailed is set if the log took no more appends because a sync had failed.
	SyncFailed bool
	// CutShort is set if an earlier repair in this boot was cut short.
	CutShort bool
	// Needed says that there is something that can be mended, and Done that it was.
	Needed, Done bool
}

// RepairOptions say how to repair. The zero value changes nothing.
type RepairOptions struct {
	Execute bool // do it, instead of saying what would be done

	// As in Options.
	AllowNetworkFilesystem bool
	Logger                 *slog.Logger
}

// Repair makes a damaged log one that can be appended to again, and read around the
// damage. Records that are lost stay lost: they are marked so, and readers get a
// *DamageError that names them, which they may skip. Every byte that is taken out
// of the log is kept in the directory cut. After a failed sync it writes again what
// may not have reached the disk, and lifts the ban on appending if that succeeds.
//
// Without Execute nothing is changed. With it no producer may be live, which is an
// error; readers may be. ctx bounds the search and the wait for another process
// that opens the log.
func Repair(ctx context.Context, dir string, opts RepairOptions) (RepairReport, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return RepairReport{}, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	d := layout.Dir(abs)
	if !opts.AllowNetworkFilesystem {
		if err := d.CheckLocal(); err != nil {
			return RepairReport{}, err
		}
	}
	m, err := writer.Mend(ctx, d, writer.Options{Logger: opts.Logger}, opts.Execute)
	if m == nil {
		return RepairReport{}, public(err)
	}
	r := RepairReport{TornTail: tornTail(m.Torn), SyncFailed: m.Poisoned, CutShort: m.CutShort, Needed: m.Needed(), Done: m.Done}
	for _, f := range m.Findings {
		r.Findings = append(r.Findings, Finding{DamageError: f.What, Remedy: f.Remedy})
	}
	return r, public(err)
}
