package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	mlog "github.com/seed27ccf144/mlog/log"
)

func newVerify() *command {
	c := &command{
		name: "verify", args: "DIR", argKind: argDir, minArgs: 1, maxArgs: 1,
		summary: "check everything, change nothing",
		examples: []string{
			`mlog verify orders && echo sound`,
			`mlog verify orders --json | jq '.damage[]'`,
		},
		details: `Reads the whole log and checks every checksum, that no offset is missing or there
twice, and the files beside the segments. Producers and consumers may be at work.

Exit code 3 if there is damage; 'mlog repair' says what can be done about it, and
'mlog consume --on-damage skip' reads around it. A torn tail is no damage: it is
what a power loss left of the last, unfinished appends, and the next producer cuts
it. Records that a repair has marked as lost are counted, and no new damage.`,
		flags: newFlags("verify"),
	}
	asJSON := c.flags.Bool("json", false, "one JSON object; its fields stay, more may come")
	c.run = func(std *streams, args []string) error {
		ctx, stop := untilSignal()
		defer stop()
		p := newProgress(std, "verified", false)
		v, err := mlog.Verify(ctx, args[0], mlog.VerifyOptions{Progress: p.part})
		p.done()
		if err != nil {
			return openError(args[0], err)
		}
		if *asJSON {
			err = printVerifyJSON(std.out, v)
		} else {
			err = printAll(std.out, verifyText(v, newPalette(std.out)))
		}
		if err == nil && len(v.Damage) > 0 {
			err = fmt.Errorf("%s is damaged in %s; 'mlog repair %s' says what can be done%w",
				args[0], places(len(v.Damage)), args[0], silent{mlog.ErrDamaged})
		}
		return err
	}
	return c
}

func places(n int) string {
	if n == 1 {
		return "1 place"
	}
	return fmt.Sprintf("%d places", n)
}

// verifyJSON is the contract with scripts: names stay.
type verifyJSON struct {
	Records     int64       `json:"records"`
	Batches     int64       `json:"batches"`
	Segments    int         `json:"segments"`
	StartOffset int64       `json:"start_offset"`
	EndOffset   int64       `json:"end_offset"`
	Damage      []rangeJSON `json:"damage"`
	Lost        []rangeJSON `json:"lost"` // marked so by repair
	TornTail    bool        `json:"torn_tail"`
	TornSegment string      `json:"torn_segment,omitempty"`
	TornAt      int64       `json:"torn_position,omitempty"`
}

type rangeJSON struct {
	Segment     string `json:"segment"`
	Position    int64  `json:"position"`
	FirstOffset int64  `json:"first_offset"`
	LastOffset  int64  `json:"last_offset"` // less than the first: no record is known to be lost by it
	Reason      string `json:"reason"`
}

func rangesJSON(all []mlog.DamageError) []rangeJSON {
	ranges := []rangeJSON{} // an array, never null
	for _, d := range all {
		ranges = append(ranges, rangeJSON{d.Segment, d.Position, d.First, d.Last, d.Reason})
	}
	return ranges
}

func printVerifyJSON(w io.Writer, v mlog.Verification) error {
	out := verifyJSON{
		Records: v.Records, Batches: v.Batches, Segments: v.Segments, StartOffset: v.StartOffset, EndOffset: v.EndOffset,
		Damage: rangesJSON(v.Damage), Lost: rangesJSON(v.Lost),
	}
	if t := v.TornTail; t != nil {
		out.TornTail, out.TornSegment, out.TornAt = true, t.Segment, t.Position
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return printAll(w, string(text)+"\n")
}

func verifyText(v mlog.Verification, p palette) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%s  %s\n", p.bold(fmt.Sprintf("%-10s", name)), fmt.Sprintf(format, args...))
	}
	row("records", "%s in %s batches", grouped(v.Records), grouped(v.Batches))
	row("offsets", "%d to %d", v.StartOffset, v.EndOffset)
	row("segments", "%d", v.Segments)
	if t := v.TornTail; t != nil {
		row("torn tail", "%s at position %d; the next producer cuts it", t.Segment, t.Position)
	}
	if len(v.Lost) > 0 {
		row("lost", "%d", len(v.Lost))
		for _, d := range v.Lost {
			fmt.Fprintf(&b, "  %s\n", oneLine(whatIsLost(d)))
		}
	}
	row("damage", "%s", countOrNone(len(v.Damage)))
	for _, d := range v.Damage {
		fmt.Fprintf(&b, "  %s\n", p.red(oneLine(whatIsLost(d))))
	}
	return b.String()
}

// whatIsLost tells a damage in one line.
func whatIsLost(d mlog.DamageError) string {
	where := d.Segment
	if d.Position > 0 {
		where += fmt.Sprintf(" at position %d", d.Position)
	}
	lost := ""
	switch {
	case d.Last == d.First:
		lost = fmt.Sprintf(" (offset %d)", d.First)
	case d.Last > d.First:
		lost = fmt.Sprintf(" (offsets %d to %d)", d.First, d.Last)
	}
	return where + ": " + d.Reason + lost
}
