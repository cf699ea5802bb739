package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// A column is a case in a table of rates.
type column struct {
	head  string
	which Case
}

// columns returns those of one or two kinds of work, in the order of the matrix.
func columns(works ...string) []column {
	var cols []column
	for _, c := range matrix() {
		if slices.Contains(works, c.Work) && (c.Work != harness.Append || slices.Contains(works, "durable") == c.Durable) {
			cols = append(cols, column{heading(c), c})
		}
	}
	return cols
}

func heading(c Case) string {
	size := fmt.Sprintf("%d B", c.Size)
	if c.Size >= 1024 {
		size = fmt.Sprintf("%d KiB", c.Size/1024)
	}
	switch {
	case c.Work == harness.Replay:
		return "replay, " + size
	case c.Durable && c.Producers == 1:
		return "durable, " + size
	case c.Durable:
		return fmt.Sprintf("durable, %s, %d producers", size, c.Producers)
	case c.Work == harness.Append && c.Producers > 1:
		return fmt.Sprintf("%s, %d producers", size, c.Producers)
	case c.Work == harness.Stream && c.Producers+c.Consumers > 2:
		return fmt.Sprintf("%s, %d→%d", size, c.Producers, c.Consumers)
	}
	return size
}

// markdown returns all tables.
func (r *Report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Records a second; the median of the rounds, ± half of their range. Measured %s on %s, %d cores, %d GiB, %s, "+
		"data on %s, %s; %g s each.\n\n", r.Date, r.Machine.CPU, r.Machine.Cores, r.Machine.MemoryGiB, r.Machine.Kernel,
		r.Machine.Filesystem, r.Machine.Go, r.Seconds)
	b.WriteString("A dash: the peer has no such thing.\n\n")
	r.rateTable(&b, "Append: producers alone", columns(harness.Append))
	r.rateTable(&b, "Stream: from producers to consumers, each of which gets every record", columns(harness.Stream))
	r.rateTable(&b, "Durable appends, and replay", columns("durable", harness.Append, harness.Replay))
	r.latencyTable(&b)
	r.troubles(&b)
	r.settings(&b)
	return b.String()
}

// rateTable writes a table in which the peer that is fastest with 256 bytes stands first.
func (r *Report) rateTable(b *strings.Builder, title string, cols []column) {
	var rows []*Record
	for _, rec := range r.Peers {
		if slices.ContainsFunc(cols, func(c column) bool { return rec.worthShowing(c.which) }) {
			rows = append(rows, rec)
		}
	}
	if len(rows) == 0 {
		return
	}
	key := cols[0].which
	for _, c := range cols {
		if c.which.Size == 256 {
			key = c.which
			break
		}
	}
	slices.SortStableFunc(rows, func(x, y *Record) int {
		return compareDown(x.median(key), y.median(key))
	})
	fmt.Fprintf(b, "### %s\n\n| |", title)
	for _, c := range cols {
		fmt.Fprintf(b, " %s |", c.head)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(cols)) + "\n")
	for _, rec := range rows {
		fmt.Fprintf(b, "| %s |", rec.shown())
		for _, c := range cols {
			fmt.Fprintf(b, " %s |", rec.lookup(c.which).rateText())
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// shown is the title, set off for the log that all this is about.
func (rec *Record) shown() string {
	if rec.Folder == "mlog" {
		return "**" + rec.Title + "**"
	}
	return rec.Title
}

// worthShowing says that there is a figure, or a failure.
func (rec *Record) worthShowing(c Case) bool {
	cell := rec.lookup(c)
	return cell != nil && len(cell.Samples)+len(cell.Failures) > 0
}

func (rec *Record) median(c Case) float64 {
	s, _ := rec.lookup(c).spreadOf(rate)
	return s.Median
}

func compareDown(x, y float64) int {
	switch {
	case x > y:
		return -1
	case x < y:
		return 1
	}
	return 0
}

func (cell *Cell) rateText() string {
	s, ok := cell.spreadOf(rate)
	switch {
	case ok && len(cell.Samples) > 1:
		return fmt.Sprintf("%s ±%.0f %%", perSecond(s.Median), s.percent())
	case ok:
		return perSecond(s.Median)
	case cell == nil:
		return ""
	case len(cell.Failures) > 0:
		return "failed"
	case cell.Skipped != "":
		return "skipped"
	}
	return "–"
}

var percentiles = []struct {
	name string
	rank float64
	of   func(*harness.Percentiles) int64
}{
	{"p50", 0.5, func(p *harness.Percentiles) int64 { return p.P50 }},
	{"p90", 0.9, func(p *harness.Percentiles) int64 { return p.P90 }},
	{"p99", 0.99, func(p *harness.Percentiles) int64 { return p.P99 }},
	{"p99.9", 0.999, func(p *harness.Percentiles) int64 { return p.P999 }},
	{"p99.99", 0.9999, func(p *harness.Percentiles) int64 { return p.P9999 }},
	{"max", 1, func(p *harness.Percentiles) int64 { return p.Max }},
}

// percentile returns the spread of a percentile, in ns.
func (cell *Cell) percentile(of func(*harness.Percentiles) int64) (Spread, bool) {
	return cell.spreadOf(func(s Sample) float64 { return float64(of(s.Latency)) })
}

func (r *Report) latencyTable(b *strings.Builder) {
	type row struct {
		name  string
		cell  *Cell
		first float64
	}
	var rows []row
	for _, rec := range r.Peers {
		for _, c := range columns(harness.Latency) {
			cell := rec.lookup(c.which)
			s, ok := cell.percentile(percentiles[0].of)
			if !ok {
				continue
			}
			how := ", sleeping"
			if c.which.Spin {
				how = ", polling"
			}
			rows = append(rows, row{rec.shown() + how, cell, s.Median})
		}
	}
	if len(rows) == 0 {
		return
	}
	slices.SortStableFunc(rows, func(x, y row) int { return compareDown(y.first, x.first) })
	fmt.Fprintf(b, "### Latency: one way, 256 B at %d a second\n\n", latencyRate)
	b.WriteString("From when a record was due, by the schedule, until the consumer had it; so a peer that falls behind is " +
		"charged for it.\n\n| |")
	for _, p := range percentiles {
		fmt.Fprintf(b, " %s |", p.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(percentiles)) + "\n")
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |", row.name)
		for _, p := range percentiles {
			s, _ := row.cell.percentile(p.of)
			fmt.Fprintf(b, " %s |", micros(int64(s.Median)))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// troubles lists what was skipped and what failed, and why.
func (r *Report) troubles(b *strings.Builder) {
	var lines []string
	for _, rec := range r.Peers {
		if rec.Skipped != "" {
			lines = append(lines, fmt.Sprintf("- %s: %s", rec.Title, rec.Skipped))
			continue
		}
		for _, cell := range rec.Cells {
			if cell.Skipped != "" {
				lines = append(lines, fmt.Sprintf("- %s, %v: %s", rec.Title, cell.Case, cell.Skipped))
			}
			for _, f := range cell.Failures {
				lines = append(lines, fmt.Sprintf("- %s, %v: failed: %s", rec.Title, cell.Case, f))
			}
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "### Skipped and failed\n\n%s\n\n", strings.Join(lines, "\n"))
	}
}

func (r *Report) settings(b *strings.Builder) {
	b.WriteString("### Settings\n\n| | version | settings | why | notes |\n|---|---|---|---|---|\n")
	for _, rec := range r.Peers {
		fmt.Fprintf(b, "| %s | %s | %s | %s ([source](%s)) | %s |\n", rec.shown(), rec.Version, rec.Settings, rec.Why,
			rec.URL, strings.Join(rec.Notes, "; "))
	}
}

// perSecond writes a rate with three digits.
func perSecond(rate float64) string {
	switch {
	case rate >= 999_500:
		return digits(rate/1e6) + " M"
	case rate >= 999.5:
		return digits(rate/1e3) + " k"
	}
	return digits(rate)
}

// micros writes nanoseconds as microseconds, with three digits.
func micros(ns int64) string { return digits(float64(ns)/1e3) + " µs" }

// digits writes a number with three digits, or as many as its whole part has.
func digits(f float64) string {
	if f <= 0 {
		return "0"
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(f)+1e-3)))
	return fmt.Sprintf("%.*f", min(decimals, 3), f)
}
