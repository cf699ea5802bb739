package harness

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestResultJSON(t *testing.T) {
	r := Result{
		Peer: "pipe", Version: "Linux 6.18", Work: Stream, Size: 256, Producers: 1, Consumers: 1,
		Records: 10, Seconds: 0.5, Rate: 20, CPU: 0.9,
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	const want = `{"peer":"pipe","version":"Linux 6.18","work":"stream","size":256,"producers":1,"consumers":1,` +
		`"durable":false,"records":10,"seconds":0.5,"rate":20,"latency_ns":null,"cpu_seconds":0.9,"notes":""}` + "\n"
	if out.String() != want {
		t.Errorf("got  %swant %s", out.String(), want)
	}
	r.Latency = &Percentiles{1, 2, 3, 4, 5, 6, 7}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"latency_ns":{"count":1,"p50":2,"p90":3,"p99":4,"p999":5,"p9999":6,"max":7}`; !bytes.Contains(text, []byte(want)) {
		t.Errorf("%s has no %s", text, want)
	}
}

func span1(start, end, records, cpu int64) report {
	return report{Span: Span{Start: start, End: end, Records: records, CPU: cpu}}
}

func TestAppendCountsAll(t *testing.T) {
	var r Result
	err := r.fill(Settings{Work: Append}, []report{span1(1e9, 3e9, 100, 5e8), span1(2e9, 5e9, 300, 5e8)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Records != 400 || r.Seconds != 4 || r.Rate != 100 || r.CPU != 1 {
		t.Errorf("%d records in %g s, %g a second, %g s of CPU; want 400, 4, 100 and 1", r.Records, r.Seconds, r.Rate, r.CPU)
	}
}

func TestStreamCountsTheSlowest(t *testing.T) {
	var r Result
	consumers := []report{span1(0, 1e9, 1000, 1e9), span1(0, 2e9, 1000, 1e9), span1(0, 1e9, 900, 0)}
	if err := r.fill(Settings{Work: Stream}, []report{span1(0, 1e9, 1000, 1e9)}, consumers); err != nil {
		t.Fatal(err)
	}
	if r.Records != 1000 || r.Seconds != 2 || r.Rate != 500 || r.CPU != 3 {
		t.Errorf("%d records in %g s, %g a second, %g s of CPU; want 1000, 2, 500 and 3", r.Records, r.Seconds, r.Rate, r.CPU)
	}
}

func TestNothingMeasuredIsAnError(t *testing.T) {
	var r Result
	if err := r.fill(Settings{Work: Append}, []report{span1(0, 1e9, 0, 0)}, nil); err == nil {
		t.Errorf("no error, but %+v", r)
	}
}

func TestPercentiles(t *testing.T) {
	l := newLatencies()
	for i := int64(1); i <= 10_000; i++ {
		l.record(i)
	}
	p := l.summary()
	near := func(got, want int64) bool { return got >= want && got <= want+want/500 }
	if p.Count != 10_000 || !near(p.P50, 5000) || !near(p.P90, 9000) || !near(p.P99, 9900) || !near(p.P999, 9990) ||
		!near(p.P9999, 9999) || !near(p.Max, 10_000) {
		t.Errorf("%+v", *p)
	}
}

func TestSpanLeavesTheWarmUpOut(t *testing.T) {
	var s span
	s.begin(0)
	s.look(phaseWarm, 5)
	s.look(phaseMeasure, 10)
	began := s.Start
	s.look(phaseMeasure, 11)
	s.look(phaseStop, 30)
	s.finish(31)
	s.finish(99)
	if got := s.measured(); got.Records != 21 || got.Start != began {
		t.Errorf("%d records from %d, want 21 from %d", got.Records, got.Start, began)
	}
}

// A peer that needs longer for a record than the warm-up and the measurement take is measured from its start.
func TestSpanOfASlowPeer(t *testing.T) {
	var s span
	s.begin(0)
	s.look(phaseStop, 1)
	s.finish(2)
	if got := s.measured(); got.Records != 2 {
		t.Errorf("%d records, want 2", got.Records)
	}
}
