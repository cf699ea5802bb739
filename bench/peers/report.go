package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// A Report is all that was measured.
type Report struct {
	Date    string    `json:"date"` // of the last measurement, RFC 3339
	Seconds float64   `json:"seconds"`
	Machine Machine   `json:"machine"`
	Peers   []*Record `json:"peers"`
}

// A Record is what was measured of one peer.
type Record struct {
	Peer
	Version string   `json:"version,omitempty"`
	Skipped string   `json:"skipped,omitempty"` // why there is nothing
	Cells   []*Cell  `json:"cells,omitempty"`
	Notes   []string `json:"notes,omitempty"` // that its results had, each once
}

// A Cell is a peer's results for one case.
type Cell struct {
	Case
	Samples      []Sample `json:"samples,omitempty"`
	Inapplicable string   `json:"inapplicable,omitempty"`
	Skipped      string   `json:"skipped,omitempty"`
	Failures     []string `json:"failures,omitempty"`
}

// A Sample is the figures of one measurement.
type Sample struct {
	Records int64                `json:"records"`
	Seconds float64              `json:"seconds"`
	Rate    float64              `json:"rate"`
	CPU     float64              `json:"cpu_seconds"`
	Latency *harness.Percentiles `json:"latency_ns,omitempty"`
}

// loadReport reads a report, or returns an empty one if there is no such file.
func loadReport(file string) (*Report, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &Report{}, nil
	}
	if err != nil {
		return nil, err
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &r, nil
}

// save writes the report as a whole or not at all.
func (r *Report) save(file string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// record returns the entry of a peer, with what its peers.json says now.
func (r *Report) record(p Peer) *Record {
	for _, rec := range r.Peers {
		if rec.Name == p.Name {
			rec.Peer = p
			return rec
		}
	}
	rec := &Record{Peer: p}
	r.Peers = append(r.Peers, rec)
	return rec
}

func (r *Report) find(name string) *Record {
	for _, rec := range r.Peers {
		if rec.Name == name {
			return rec
		}
	}
	return nil
}

// cell returns the results for a case, made if need be.
func (rec *Record) cell(c Case) *Cell {
	if cell := rec.lookup(c); cell != nil {
		return cell
	}
	rec.Cells = append(rec.Cells, &Cell{Case: c})
	return rec.Cells[len(rec.Cells)-1]
}

func (rec *Record) lookup(c Case) *Cell {
	for _, cell := range rec.Cells {
		if cell.Case == c {
			return cell
		}
	}
	return nil
}

// add notes a result.
func (rec *Record) add(c Case, r harness.Result) {
	cell := rec.cell(c)
	switch {
	case r.Inapplicable != "":
		cell.Inapplicable = r.Inapplicable
		return
	case r.Skipped != "":
		cell.Skipped = r.Skipped
		return
	}
	cell.Samples = append(cell.Samples, Sample{Records: r.Records, Seconds: r.Seconds, Rate: r.Rate, CPU: r.CPU, Latency: r.Latency})
	if r.Version != "" {
		rec.Version = r.Version
	}
	if r.Notes != "" && !slices.Contains(rec.Notes, r.Notes) {
		rec.Notes = append(rec.Notes, r.Notes)
	}
}

// settled says that the case need not be asked for again.
func (cell *Cell) settled() bool { return cell.Inapplicable != "" || cell.Skipped != "" }

// A Spread is the median of several figures, and between what they lie.
type Spread struct{ Low, Median, High float64 }

// spreadOf returns the spread of a figure of the samples, and false if there are none.
func (cell *Cell) spreadOf(figure func(Sample) float64) (Spread, bool) {
	if cell == nil || len(cell.Samples) == 0 {
		return Spread{}, false
	}
	var all []float64
	for _, s := range cell.Samples {
		all = append(all, figure(s))
	}
	slices.Sort(all)
	n := len(all)
	return Spread{all[0], (all[(n-1)/2] + all[n/2]) / 2, all[n-1]}, true
}

func rate(s Sample) float64 { return s.Rate }

// percent is half of the range, in percent of the median.
func (s Spread) percent() float64 { return 50 * (s.High - s.Low) / s.Median }
