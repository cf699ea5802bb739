package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/seed27ccf144/mlog/internal/offsetspec"
	mlog "github.com/seed27ccf144/mlog/log"
)

func listGroups(std *streams, l *mlog.Log, asJSON bool) error {
	groups, damage, err := l.Groups()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std.out, struct {
			Groups []groupJSON  `json:"groups"`
			Damage []damageJSON `json:"damage"`
		}{groupsJSON(groups), damageListJSON(damage)})
	}
	for _, d := range damage {
		std.notef("groups", "%s: %s", d.Segment, d.Reason)
	}
	if len(groups) == 0 && len(damage) == 0 {
		std.notef("groups", "there are none; 'mlog consume' makes one with --group")
	}
	var b strings.Builder
	writeGroups(&b, "", groups)
	return printAll(std.out, b.String())
}

// describedJSON is the contract with scripts: names stay.
type describedJSON struct {
	groupJSON
	StartOffset int64 `json:"start_offset"` // of the log
	EndOffset   int64 `json:"end_offset"`
}

func describeGroup(std *streams, l *mlog.Log, dir, name string, asJSON bool) error {
	g, err := findGroup(l, dir, name)
	if err != nil {
		return err
	}
	start, err := l.StartOffset()
	if err != nil {
		return err
	}
	end, err := l.EndOffset()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std.out, describedJSON{groupJSON(g), start, end})
	}
	p := newPalette(std.out)
	var b strings.Builder
	row := func(name, value string) {
		fmt.Fprintf(&b, "%s  %s\n", p.bold(fmt.Sprintf("%-14s", name)), value)
	}
	row("group", g.Name)
	row("committed", committedText(g.Committed)+remark(g, start, end))
	row("lag", fmt.Sprint(g.Lag))
	row("active", activeText(g.Active))
	row("log starts at", fmt.Sprint(start))
	row("log ends at", fmt.Sprint(end))
	return printAll(std.out, b.String())
}

// remark says what is special about a committed offset that is not in the log.
func remark(g mlog.GroupInfo, start, end int64) string {
	switch {
	case g.Committed >= 0 && g.Committed < start:
		return fmt.Sprintf(" (offsets %d to %d are gone: its consumer fails until it is moved)", g.Committed, start-1)
	case g.Committed > end:
		return " (past the end of the log)"
	}
	return ""
}

func findGroup(l *mlog.Log, dir, name string) (mlog.GroupInfo, error) {
	groups, damage, err := l.Groups()
	if err != nil {
		return mlog.GroupInfo{}, err
	}
	for _, g := range groups {
		if g.Name == name {
			return g, nil
		}
	}
	for _, d := range damage {
		if d.Segment == path.Join("groups", name) {
			return mlog.GroupInfo{}, damagedGroup(name, dir, errors.New(d.Reason))
		}
	}
	return mlog.GroupInfo{}, noSuchGroup(name, dir)
}

func noSuchGroup(name, dir string) error {
	return fmt.Errorf("there is no group %s; 'mlog groups %s list' shows those there are", name, dir)
}

func damagedGroup(name, dir string, err error) error {
	text := strings.TrimPrefix(err.Error(), "group "+name+": ")
	return fmt.Errorf("group %s: %s; 'mlog groups %s delete %s' forgets it%w", name, text, dir, name, silent{err})
}

func seekGroup(std *streams, l *mlog.Log, dir, name string, to offsetspec.Bound, execute bool) error {
	g, err := findGroup(l, dir, name)
	if err != nil {
		return err
	}
	if !execute {
		return previewSeek(std, l, g, to)
	}
	position, err := positionOf(l, to)
	if err != nil {
		return err
	}
	from, offset, err := l.SeekGroup(name, position)
	if err != nil {
		return err
	}
	return printAll(std.out, fmt.Sprintf("group %s: from %s to %d\n", name, committedText(from), offset))
}

// previewSeek says what --execute would do, or fail of.
func previewSeek(std *streams, l *mlog.Log, g mlog.GroupInfo, to offsetspec.Bound) error {
	offset, err := resolveNow(l, to)
	if err != nil {
		return err
	}
	start, err := l.StartOffset()
	if err != nil {
		return err
	}
	end, err := l.EndOffset()
	if err != nil {
		return err
	}
	if offset < start || offset > end {
		return &mlog.RangeError{Requested: offset, Start: start, End: end}
	}
	if err := printAll(std.out, fmt.Sprintf("group %s: would go from %s to %d\n", g.Name, committedText(g.Committed), offset)); err != nil {
		return err
	}
	if g.Active {
		std.notef("groups", "nothing is changed; stop the active consumer of group %s, then --execute does it", g.Name)
	} else {
		std.notef("groups", "nothing is changed; --execute does it")
	}
	return nil
}

func deleteGroup(std *streams, l *mlog.Log, name string) error {
	if err := l.DeleteGroup(name); err != nil {
		return err
	}
	return printAll(std.out, fmt.Sprintf("group %s: deleted\n", name))
}

// explainGroupError adds what the user can do about it.
func explainGroupError(err error, dir, name string) error {
	var outside *mlog.RangeError
	switch {
	case errors.As(err, &outside):
		return outsideLog(outside, "to")
	case errors.Is(err, mlog.ErrGroupActive):
		return fmt.Errorf("group %s has an active consumer; stop it first%w", name, silent{err})
	case errors.Is(err, fs.ErrNotExist):
		return noSuchGroup(name, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the groups of a log can be changed by those whom its --mode lets read it", err)
	}
	return err
}
