package main

import (
	"fmt"
	"strings"

	mlog "github.com/seed27ccf144/mlog/log"
)

func newRepair() *command {
	c := &command{
		name: "repair", args: "DIR", argKind: argDir, minArgs: 1, maxArgs: 1,
		summary: "say what can be done about damage; do it with --execute",
		examples: []string{
			`mlog repair orders               # says what it would do, and changes nothing`,
			`mlog repair orders --execute     # does it`,
		},
		details: `A log that is damaged does not open for appending, or stays readable around the
damage, depending on where it is. Repair makes it one that does both again. What
was lost stays lost: the records are marked as such, so that a consumer still gets
an error that names them (exit 3, or --on-damage skip), and no offset is ever given
out twice. Whatever is taken out of the log is kept in its directory cut/.

After a failed sync, which ends all appending, repair writes again what may not
have reached the disk, and lifts the ban if that works.

With --execute no producer may be running; consumers may. Copy the directory
beforehand if the disk has room: a copy is a log, too.`,
		flags: newFlags("repair"),
	}
	execute := c.flags.Bool("execute", false, "do it, instead of saying what would be done")
	c.run = func(std *streams, args []string) error { return repair(std, args[0], *execute) }
	return c
}

func repair(std *streams, dir string, execute bool) error {
	ctx, stop := untilSignal()
	defer stop()
	r, err := mlog.Repair(ctx, dir, mlog.RepairOptions{Execute: execute, Logger: newLogger(std, "repair")})
	if err != nil {
		return openError(dir, err)
	}
	if err := printAll(std.out, repairText(dir, r)); err != nil {
		return err
	}
	left := 0
	for _, f := range r.Findings {
		if f.Remedy == "" {
			left++
		}
	}
	if left > 0 {
		return fmt.Errorf("%s: damage in %s that cannot be repaired; restore it from a copy, or read around it with 'mlog consume --on-damage skip'%w",
			dir, places(left), silent{mlog.ErrDamaged})
	}
	return nil
}

func repairText(dir string, r mlog.RepairReport) string {
	var b strings.Builder
	item := func(what, remedy string) {
		fmt.Fprintf(&b, "%s\n", oneLine(what))
		switch {
		case remedy == "":
			remedy = "cannot be repaired"
		case r.Done:
			remedy = "done: " + remedy
		default:
			remedy = "would " + remedy
		}
		fmt.Fprintf(&b, "  %s\n", remedy)
	}
	for _, f := range r.Findings {
		item(whatIsLost(f.DamageError), f.Remedy)
	}
	if t := r.TornTail; t != nil {
		item(fmt.Sprintf("%s at position %d: the end is torn, as after a power loss", t.Segment, t.Position),
			"keep a copy of what is behind the last whole batch in cut/, and cut it, as the next producer does")
	}
	if r.SyncFailed {
		item("a sync of this log has failed, so nothing can be appended", "write what may be missing on disk again, and allow appending")
	}
	if r.CutShort {
		item("an earlier repair was cut short", "finish it")
	}
	switch {
	case len(r.Findings) == 0 && !r.Needed:
		b.WriteString("nothing to repair\n")
	case r.Needed && !r.Done:
		fmt.Fprintf(&b, "nothing was changed; 'mlog repair %s --execute' does it\n", dir)
	}
	return b.String()
}
