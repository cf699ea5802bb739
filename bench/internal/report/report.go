// Package report holds what was measured, judges it against the goals, and writes
// it as a table and as JSON.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/seed27ccf144/mlog/bench/internal/machine"
	"github.com/seed27ccf144/mlog/bench/internal/stat"
)

// A Verdict says what a line's goal came to.
type Verdict string

const (
	Met           Verdict = "met"
	Missed        Verdict = "missed"
	NotApplicable Verdict = "n/a"  // it could not be measured here; the line's note says why
	Shown         Verdict = "info" // there is no goal: it stands there to compare
)

// A Line is a figure of mlog beside what it is measured against.
type Line struct {
	Row  string `json:"row"` // which measurement, as -only names it
	What string `json:"what"`
	Unit string `json:"unit"`
	// Mlog and Other are medians over the pairs. Against names the other side:
	// a limit loop, a peer, or mlog itself in another situation.
	Mlog    float64 `json:"mlog"`
	Against string  `json:"against,omitempty"`
	Other   float64 `json:"other,omitempty"`
	// Ratio is that of mlog to the other, pair by pair, or another comparison where
	// Compare says so ("difference, µs").
	Ratio   stat.Spread  `json:"ratio"`
	Compare string       `json:"compare,omitempty"`
	Goal    string       `json:"goal,omitempty"`
	Verdict Verdict      `json:"verdict"`
	Note    string       `json:"note,omitempty"`
	Pairs   [][2]float64 `json:"pairs,omitempty"` // mlog and the other, as measured
}

// Paired makes a line of figures that were measured in pairs.
func Paired(row, what, unit, against string, mlog, other []float64) Line {
	l := Line{Row: row, What: what, Unit: unit, Against: against, Verdict: Shown,
		Mlog: stat.Median(mlog), Other: stat.Median(other), Ratio: stat.Of(stat.Ratios(mlog, other))}
	for i := range mlog {
		l.Pairs = append(l.Pairs, [2]float64{mlog[i], other[i]})
	}
	return l
}

// Single makes a line of figures that stand by themselves.
func Single(row, what, unit string, mlog []float64) Line {
	return Line{Row: row, What: what, Unit: unit, Verdict: Shown, Mlog: stat.Median(mlog), Ratio: stat.Of(mlog), Compare: "spread, " + unit}
}

// Missing makes a line for what could not be measured.
func Missing(row, what, goal, reason string) Line {
	return Line{Row: row, What: what, Goal: goal, Verdict: NotApplicable, Note: reason, Mlog: 0}
}

// Judged returns the line with its goal and what came of it.
func (l Line) Judged(goal string, met bool) Line {
	l.Goal, l.Verdict = goal, Missed
	if met {
		l.Verdict = Met
	}
	return l
}

// AtLeast judges the median ratio.
func (l Line) AtLeast(ratio float64, goal string) Line {
	return l.Judged(goal, l.Ratio.Median >= ratio)
}

// AtMost judges the median ratio.
func (l Line) AtMost(ratio float64, goal string) Line { return l.Judged(goal, l.Ratio.Median <= ratio) }

// Noted returns the line with a note.
func (l Line) Noted(format string, args ...any) Line {
	if l.Note != "" {
		l.Note += "; "
	}
	l.Note += fmt.Sprintf(format, args...)
	return l
}

// A Curve is a distribution, or a course, for a plot.
type Curve struct {
	Plot   string       `json:"plot"` // its title; curves of one plot are drawn together
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"`          // percentile (in percent) and nanoseconds, or what the plot's axes say
	Count  int64        `json:"count,omitempty"` // of the records behind it
}

// A Report is the outcome of a run.
type Report struct {
	Machine machine.Facts `json:"machine"`
	Command string        `json:"command"`
	Quick   bool          `json:"quick"`
	Seed    uint64        `json:"seed"`
	Seconds float64       `json:"seconds"`
	Lines   []Line        `json:"lines"`
	Curves  []Curve       `json:"curves"`
}

// WriteJSON writes it for programs. Read is its counterpart.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// Read reads what WriteJSON wrote.
func Read(in io.Reader) (*Report, error) {
	var r Report
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return nil, err
	}
	return &r, nil
}

var columns = []string{"what", "mlog", "limit or peer", "ratio (quartiles)", "goal", ""}

// WriteTable writes it for people, with the notes below.
func (r *Report) WriteTable(w io.Writer) error {
	table := [][]string{columns}
	var notes []string
	for _, l := range r.Lines {
		verdict := string(l.Verdict)
		if l.Note != "" {
			notes = append(notes, fmt.Sprintf("[%d] %s: %s", len(notes)+1, l.What, l.Note))
			verdict += fmt.Sprintf(" [%d]", len(notes))
		}
		table = append(table, []string{l.What, l.own(), l.other(), l.ratio(), l.Goal, verdict})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.Machine)
	align(&b, table)
	count := make(map[Verdict]int)
	for _, l := range r.Lines {
		count[l.Verdict]++
	}
	fmt.Fprintf(&b, "\n%d met, %d missed, %d n/a, in %.0f s", count[Met], count[Missed], count[NotApplicable], r.Seconds)
	if r.Quick {
		b.WriteString("; -quick: fewer and shorter pairs than a result to quote should have")
	}
	b.WriteString("\n")
	for _, n := range notes {
		b.WriteString(n + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func align(b *strings.Builder, table [][]string) {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range table {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		if n == 0 {
			total := 2 * (len(widths) - 1)
			for _, w := range widths {
				total += w
			}
			b.WriteString(strings.Repeat("─", total) + "\n")
		}
	}
}

func (l Line) own() string {
	if l.Verdict == NotApplicable {
		return "–"
	}
	return Number(l.Mlog) + " " + l.Unit
}

func (l Line) other() string {
	if l.Against == "" {
		return ""
	}
	return Number(l.Other) + " (" + l.Against + ")"
}

func (l Line) ratio() string {
	if l.Ratio.N == 0 {
		return ""
	}
	s := Number(l.Ratio.Median)
	if l.Ratio.N > 1 {
		s += " (" + Number(l.Ratio.Q1) + "–" + Number(l.Ratio.Q3) + ")"
	}
	if unit, ok := strings.CutPrefix(l.Compare, "difference, "); ok {
		s += " " + unit + " more"
	}
	return s
}

// Number prints three significant digits, with k and M for thousands and millions.
func Number(v float64) string {
	suffix := ""
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "?"
	case a >= 1e6:
		v, suffix = v/1e6, "M"
	case a >= 1e4:
		v, suffix = v/1e3, "k"
	}
	digits := 2
	switch a := math.Abs(v); {
	case a >= 100 || a == 0:
		digits = 0
	case a >= 10:
		digits = 1
	case a < 0.001:
		return fmt.Sprintf("%.1e", v) + suffix
	case a < 0.1:
		digits = 4
	}
	return fmt.Sprintf("%.*f%s", digits, v, suffix)
}
