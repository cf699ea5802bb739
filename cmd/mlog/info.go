package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seed27ccf144/mlog/internal/bytesize"
	"github.com/seed27ccf144/mlog/internal/humanduration"
	mlog "github.com/seed27ccf144/mlog/log"
)

func newInfo() *command {
	c := &command{
		name: "info", args: "DIR", argKind: argDir, minArgs: 1, maxArgs: 1,
		summary: "what is in a log, and who is on it",
		examples: []string{
			`mlog info orders`,
			`mlog info orders --json | jq .end_offset`,
		},
		details: `Offsets are dense: the log holds end offset - start offset records. What lies
below the durable offset survives power loss; the rest survives the death of
every process. Lag is what a group has still to read.`,
		flags: newFlags("info"),
	}
	asJSON := c.flags.Bool("json", false, "one JSON object; its fields stay, more may come")
	c.run = func(std *streams, args []string) error {
		info, err := readInfo(args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return printInfoJSON(std.out, info)
		}
		return printAll(std.out, infoText(info, newPalette(std.out)))
	}
	return c
}

func readInfo(dir string) (mlog.Info, error) {
	l, err := mlog.Open(dir, mlog.Options{MustExist: true})
	if err != nil {
		return mlog.Info{}, openError(dir, err)
	}
	defer l.Close()
	return l.Info()
}

// infoJSON is the contract with scripts: names stay.
type infoJSON struct {
	ID            string       `json:"id"`
	StartOffset   int64        `json:"start_offset"`
	EndOffset     int64        `json:"end_offset"`
	DurableOffset int64        `json:"durable_offset"`
	Segments      int          `json:"segments"`
	Bytes         int64        `json:"bytes"`
	SegmentBytes  int64        `json:"segment_bytes"`
	RetainBytes   int64        `json:"retain_bytes"`  // 0: no limit
	RetainAgeMS   int64        `json:"retain_age_ms"` // 0: no limit
	Producers     int          `json:"producers"`     // -1: the caller may not look
	Groups        []groupJSON  `json:"groups"`
	Damage        []damageJSON `json:"damage"`
}

type groupJSON struct {
	Name      string `json:"name"`
	Committed int64  `json:"committed"` // -1: nothing yet
	Lag       int64  `json:"lag"`
	Active    bool   `json:"active"` // a consumer is at work
}

type damageJSON struct {
	Segment string `json:"segment"`
	Reason  string `json:"reason"`
}

func printInfoJSON(w io.Writer, info mlog.Info) error {
	out := infoJSON{
		ID: info.ID, StartOffset: info.StartOffset, EndOffset: info.EndOffset, DurableOffset: info.DurableOffset,
		Segments: info.Segments, Bytes: info.Bytes, SegmentBytes: info.SegmentBytes,
		RetainBytes: info.Retention.Bytes, RetainAgeMS: info.Retention.Age.Milliseconds(),
		Producers: info.Producers,
		Groups:    groupsJSON(info.Groups), Damage: damageListJSON(info.Damage),
	}
	return printJSON(w, out)
}

// groupsJSON and damageListJSON make arrays, never null.
func groupsJSON(groups []mlog.GroupInfo) []groupJSON {
	list := []groupJSON{}
	for _, g := range groups {
		list = append(list, groupJSON(g))
	}
	return list
}

func damageListJSON(damage []mlog.DamageInfo) []damageJSON {
	list := []damageJSON{}
	for _, d := range damage {
		list = append(list, damageJSON(d))
	}
	return list
}

func printJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return printAll(w, string(text)+"\n")
}

func infoText(info mlog.Info, p palette) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%s  %s\n", p.bold(fmt.Sprintf("%-14s", name)), fmt.Sprintf(format, args...))
	}
	row("id", "%s", info.ID)
	row("records", "%d", info.EndOffset-info.StartOffset)
	row("start offset", "%d", info.StartOffset)
	row("end offset", "%d", info.EndOffset)
	row("durable offset", "%d%s", info.DurableOffset, behind(info.EndOffset-info.DurableOffset))
	row("segments", "%d of %s, %s in all", info.Segments, bytesize.Format(info.SegmentBytes), humanBytes(info.Bytes))
	row("retention", "%s", humanRetention(info.Retention))
	if info.Producers < 0 {
		row("producers", "unknown: no permission to look")
	} else {
		row("producers", "%d live", info.Producers)
	}
	row("damage", "%s", damageSeen(len(info.Damage)))
	for _, d := range info.Damage {
		fmt.Fprintf(&b, "  %s\n", p.red(oneLine(d.Segment+": "+d.Reason)))
	}
	row("groups", "%s", countOrNone(len(info.Groups)))
	writeGroups(&b, "  ", info.Groups)
	return b.String()
}

// writeGroups writes a table of the groups, if there are any.
func writeGroups(b *strings.Builder, indent string, groups []mlog.GroupInfo) {
	if len(groups) == 0 {
		return
	}
	width := len("NAME")
	for _, g := range groups {
		width = max(width, len(g.Name))
	}
	row := func(name, committed, lag, active string) {
		fmt.Fprintf(b, "%s%-*s  %12s  %12s  %s\n", indent, width, name, committed, lag, active)
	}
	row("NAME", "COMMITTED", "LAG", "ACTIVE")
	for _, g := range groups {
		row(g.Name, committedText(g.Committed), strconv.FormatInt(g.Lag, 10), activeText(g.Active))
	}
}

func committedText(offset int64) string {
	if offset < 0 {
		return "nothing"
	}
	return strconv.FormatInt(offset, 10)
}

func activeText(active bool) string {
	if active {
		return "yes"
	}
	return "no"
}

func behind(records int64) string {
	if records <= 0 {
		return ""
	}
	return fmt.Sprintf(" (%d behind the end)", records)
}

// damageSeen says too what was not looked at.
func damageSeen(n int) string {
	if n == 0 {
		return "none seen (batches are not checked)"
	}
	return strconv.Itoa(n)
}

func countOrNone(n int) string {
	if n == 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

func humanRetention(r mlog.Retention) string {
	var parts []string
	if r.Bytes > 0 {
		parts = append(parts, bytesize.Format(r.Bytes))
	}
	if r.Age > 0 {
		parts = append(parts, humanduration.Format(r.Age))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return "the last " + strings.Join(parts, " and the last ")
}

// humanBytes prints a size that nobody chose, rounded.
func humanBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%dB", n)
	}
	value, names := float64(n)/unit, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for ; value >= unit && i < len(names)-1; i++ {
		value /= unit
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + names[i]
}

// grouped prints 1234567 as 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
