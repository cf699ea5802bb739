package harness

import hdr "github.com/HdrHistogram/hdrhistogram-go"

// Percentiles are of one-way latencies, in ns.
type Percentiles struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50"`
	P90   int64 `json:"p90"`
	P99   int64 `json:"p99"`
	P999  int64 `json:"p999"`
	P9999 int64 `json:"p9999"`
	Max   int64 `json:"max"`
}

// latencies is a histogram of 3 digits from 1 ns to a minute.
type latencies struct {
	h *hdr.Histogram
}

const longest = 60e9 // ns; what is later counts as this

func newLatencies() *latencies { return &latencies{hdr.New(1, longest, 3)} }

func (l *latencies) record(ns int64) { _ = l.h.RecordValue(min(max(ns, 1), longest)) }

func (l *latencies) summary() *Percentiles {
	at := l.h.ValueAtQuantile
	return &Percentiles{
		Count: l.h.TotalCount(), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), P9999: at(99.99), Max: l.h.Max(),
	}
}
