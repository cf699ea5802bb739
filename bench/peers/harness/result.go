package harness

import (
	"encoding/json"
	"errors"
	"io"
	"math"
)

// A Result is the JSON object that a measurement prints as its last line.
type Result struct {
	Peer      string       `json:"peer"`
	Version   string       `json:"version"`
	Work      string       `json:"work"`
	Size      int          `json:"size"`
	Producers int          `json:"producers"`
	Consumers int          `json:"consumers"`
	Durable   bool         `json:"durable"`
	Spin      bool         `json:"spin,omitempty"`
	Pin       string       `json:"pin,omitempty"`
	Batch     int          `json:"batch,omitempty"`
	Records   int64        `json:"records"`
	Seconds   float64      `json:"seconds"`
	Rate      float64      `json:"rate"` // records a second
	Latency   *Percentiles `json:"latency_ns"`
	CPU       float64      `json:"cpu_seconds"` // of all processes, servers too
	Notes     string       `json:"notes"`

	Skipped      string `json:"skipped,omitempty"`      // why it cannot be measured here
	Inapplicable string `json:"inapplicable,omitempty"` // why there is no such thing
}

// newResult returns a result without figures.
func newResult(p Peer, s Settings) Result {
	r := Result{
		Peer: p.Name, Work: s.Work, Size: s.Size, Producers: s.Producers, Consumers: s.Consumers,
		Durable: s.Durable, Spin: s.Spin, Batch: s.Batch, Notes: p.Notes,
	}
	if s.Pin != PinNone {
		r.Pin = s.Pin
	}
	return r
}

// fill takes the figures from what the roles report: producers for Append, else consumers.
func (r *Result) fill(s Settings, producers, consumers []report) error {
	cpu := int64(0)
	for _, rep := range append(append([]report{}, producers...), consumers...) {
		cpu += rep.Span.CPU
	}
	r.CPU = float64(cpu) / 1e9
	if s.Work == Append {
		r.fillTotal(producers)
	} else {
		r.fillSlowest(consumers)
	}
	if r.Records <= 0 || r.Seconds <= 0 {
		return errors.New("nothing was measured: no record came in the measured time")
	}
	r.Rate = math.Round(float64(r.Records) / r.Seconds)
	if s.Work == Latency {
		r.Rate, r.Latency = s.Rate, consumers[0].Latency
	}
	return nil
}

// fillTotal counts all records, from the first start to the last end.
func (r *Result) fillTotal(roles []report) {
	start, end := int64(math.MaxInt64), int64(0)
	for _, rep := range roles {
		start, end = min(start, rep.Span.Start), max(end, rep.Span.End)
		r.Records += rep.Span.Records
	}
	r.Seconds = float64(end-start) / 1e9
}

// fillSlowest counts the records of the slowest role.
func (r *Result) fillSlowest(roles []report) {
	for i, rep := range roles {
		seconds := float64(rep.Span.End-rep.Span.Start) / 1e9
		if i == 0 || float64(rep.Span.Records)/seconds < float64(r.Records)/r.Seconds {
			r.Records, r.Seconds = rep.Span.Records, seconds
		}
	}
}

// print writes the result as one line.
func (r Result) print(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
