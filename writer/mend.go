package writer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/segment"
)

// Mending is what the command repair does: it makes a damaged log one that can be
// appended to and read without surprises. What was lost stays lost, and is marked
// so: readers still get an error that names the offsets. The bytes that are taken
// out are kept in cut/.
//
// (Repair, in this package, is what the next holder of the lock does after a death.)

// A Finding is one thing that is wrong with a log, and what mending does about it.
type Finding struct {
	survey.Damage
	Remedy string // what is done; empty if nothing can be
}

// A Mending is what was found, and done.
type Mending struct {
	Findings []Finding
	// Torn is set if the log's end waits for recovery, which mending does as well.
	Torn *survey.Torn
	// Poisoned is set if a sync has failed in this boot.
	Poisoned bool
	// CutShort is set if an earlier mending in this boot did not come to its end.
	CutShort bool
	// Done is set if the findings that have a remedy are mended.
	Done bool
}

// Needed reports whether there is anything to do.
func (m *Mending) Needed() bool {
	for _, f := range m.Findings {
		if f.Remedy != "" {
			return true
		}
	}
	return m.Torn != nil || m.Poisoned || m.CutShort
}

// Mend looks for damage and, if execute is set, mends what can be. For that no
// producer may be live; readers may. ctx bounds the wait for another process that
// opens the log, and the search.
func Mend(ctx context.Context, dir layout.Dir, opts Options, execute bool) (*Mending, error) {
	meta, err := survey.Meta(dir)
	if err != nil {
		return nil, err
	}
	if err := meta.Writable(); err != nil {
		return nil, err
	}
	m := &mender{w: &Writer{dir: dir, meta: meta, modes: layout.ModesFor(meta.Mode), opts: opts}}
	m.cut = newCutter(m.w)
	found, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	if !execute || !found.Needed() {
		return found, nil
	}
	lock, err := filelock.Exclusive(ctx, dir.OpenLock(), m.w.modes.Data)
	if err != nil {
		return found, err
	}
	defer lock.Release()
	if err := m.exclude(); err != nil {
		return found, err
	}
	if err := m.run(ctx, found); err != nil {
		return found, fmt.Errorf("repair %s: %w", dir, err)
	}
	found.Done = true
	return found, nil
}

// look says what there is to do.
func (m *mender) look(ctx context.Context) (*Mending, error) {
	found, path := new(Mending), m.w.dir.Control()
	if _, err := files.Lstat(path); missing(err) {
		if found.CutShort, err = m.w.mendingCutShort(); err != nil {
			return nil, err
		}
		if found.CutShort {
			path = m.w.dir.ControlAside()
		}
	}
	report, err := survey.Run(ctx, m.w.dir, survey.Options{Control: path})
	if err != nil {
		return nil, err
	}
	found.Findings, found.Torn = remedies(report), report.Torn
	if found.Poisoned, err = m.isPoisoned(path); err != nil || found.Poisoned {
		return found, err
	}
	if err = m.w.recoveryFailed(); errors.Is(err, control.ErrSyncFailed) {
		found.Poisoned, err = true, nil
	}
	return found, err
}

func remedies(r *survey.Report) []Finding {
	var all []Finding
	for _, d := range r.Damage {
		all = append(all, Finding{Damage: d, Remedy: remedy(d)})
	}
	return all
}

// A mender is one execution.
type mender struct {
	w       *Writer
	cut     cutter
	control string // where the control file was moved to, which may be of another boot; "" if there was none
}

func (m *mender) isPoisoned(path string) (bool, error) {
	ctl, err := control.Open(path, m.w.meta.LogID, false)
	if stale(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer ctl.Close()
	err = ctl.CheckPoison()
	if errors.Is(err, control.ErrSyncFailed) {
		return true, nil
	}
	return false, err
}

// exclude takes the control file out of its place, so that no producer can open
// the log, having made sure that none is. One that had opened the file just
// before takes its slot before it looks whether the file is still in its place
// (see join), so it is seen here or sees that.
func (m *mender) exclude() error {
	if err := m.noProducers(); err != nil {
		return err
	}
	aside := m.w.dir.ControlAside() // recovery removes it at the end
	switch err := files.Rename(m.w.dir.Control(), aside); {
	case missing(err):
		cutShort, err := m.w.mendingCutShort()
		if cutShort {
			m.control = aside
		}
		return err
	case err != nil:
		return err
	}
	if err := m.noProducers(); err != nil {
		return errors.Join(err, files.Rename(aside, m.w.dir.Control()))
	}
	m.control = aside
	return nil
}

func (m *mender) noProducers() error {
	live, err := control.LiveSlots(m.w.dir)
	if err == nil && live > 0 {
		err = fmt.Errorf("%s: %d producers are live; stop them before the log is repaired", m.w.dir, live)
	}
	return err
}

// rounds bounds how often the log is looked at again: a segment whose header was
// restored may hold damage of its own.
const rounds = 4

func (m *mender) run(ctx context.Context, found *Mending) error {
	if err := fault.Run(func() error { return m.redirty() }); err != nil {
		return err
	}
	for round := 0; ; round++ {
		report, err := survey.Run(ctx, m.w.dir, survey.Options{Control: m.control})
		if err != nil {
			return err
		}
		mended := 0
		for _, f := range remedies(report) {
			if f.Remedy == "" {
				continue
			}
			if round == rounds && f.What.Segment != filepath.Base(m.w.dir.Control()) {
				return fmt.Errorf("%s: still damaged after %d rounds: %w", f.What.Segment, rounds, &f.What)
			}
			outcome := ""
			if err := fault.Run(func() (err error) {
				outcome, err = m.mend(f.Damage)
				return err
			}); err != nil {
				return fmt.Errorf("%s: %w", f.What.Segment, err)
			}
			found.note(f, outcome)
			if f.What.Segment != filepath.Base(m.w.dir.Control()) { // that one is made anew in the end
				mended++
			}
		}
		if mended == 0 {
			return m.w.recoverLog()
		}
	}
}

// note adds to the findings what was mended, if it was not seen at first, and says
// what was done.
func (m *Mending) note(f Finding, outcome string) {
	if outcome != "" {
		f.Remedy = outcome
	}
	for i, seen := range m.Findings {
		if seen.Kind == f.Kind && seen.What.Segment == f.What.Segment && seen.What.Position == f.What.Position {
			m.Findings[i] = f
			return
		}
	}
	m.Findings = append(m.Findings, f)
}

// redirty has the coming sync write again what a failed one may have dropped: the
// kernel counts those pages as clean.
func (m *mender) redirty() error {
	err := m.w.recoveryFailed()
	if errors.Is(err, control.ErrSyncFailed) {
		return m.redirtyFrom(0, func(*handle) int64 { return 0 }) // whatever it had begun with
	}
	if err != nil || m.control == "" {
		return err
	}
	ctl, err := control.Open(m.control, m.w.meta.LogID, false)
	if stale(err) { // of another boot
		return nil
	}
	if err != nil {
		return err
	}
	defer ctl.Close()
	if ctl.CheckPoison() == nil {
		return nil
	}
	return m.redirtyFrom(int64(ctl.SyncFrom.Load()), func(h *handle) int64 { return h.Durable().Position })
}

// redirtyFrom does it for the segments from a base offset on, from the position on
// that from says. It goes to the end: zeros may not have been written either.
func (m *mender) redirtyFrom(base int64, from func(*handle) int64) error {
	bases, err := m.w.dir.Segments()
	if err != nil {
		return err
	}
	first, _ := slices.BinarySearch(bases, base)
	for _, base := range bases[first:] {
		h, err := m.w.openHandle(base)
		if ofSystem(err) {
			return err
		}
		if err != nil {
			continue // damaged: its turn comes
		}
		h.Redirty(from(h), h.Size)
		h.Redirty(0, segment.HeaderBytes)
		h.release()
	}
	return nil
}
