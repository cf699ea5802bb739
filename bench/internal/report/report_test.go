package report

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed27ccf144/mlog/bench/internal/machine"
)

func sample() *Report {
	append256 := Paired("append", "append 256 B", "records/s", "limit loop", []float64{7e6, 8e6, 9e6}, []float64{10e6, 10e6, 10e6})
	return &Report{
		Machine: machine.Facts{Cores: 2, CPU: "some CPU", Filesystem: "ext4"}, Seed: 3, Seconds: 12, Quick: true,
		Lines: []Line{
			append256.AtLeast(0.70, "≥ 0.70"),
			append256.AtLeast(0.85, "≥ 0.85").Noted("nearly"),
			Single("allocs", "allocations per append", "", []float64{0}).Judged("0", true),
			Missing("append", "append 256 B vs some peer", "≥ 2", "not installed"),
		},
		Curves: []Curve{{Plot: "latency", Name: "mlog", Points: [][2]float64{{50, 150}, {99.99, 9000}}, Count: 1e6}},
	}
}

func TestVerdicts(t *testing.T) {
	want := []Verdict{Met, Missed, Met, NotApplicable}
	for i, l := range sample().Lines {
		if l.Verdict != want[i] {
			t.Errorf("line %d is %q, want %q", i, l.Verdict, want[i])
		}
	}
	lower := Paired("l", "latency", "ns", "limit", []float64{150}, []float64{100})
	if lower.AtMost(1.6, "").Verdict != Met || lower.AtMost(1.4, "").Verdict != Missed {
		t.Error("AtMost judges wrongly")
	}
	if lower.Verdict != Shown {
		t.Errorf("a line without a goal is %q", lower.Verdict)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	var b bytes.Buffer
	want := sample()
	if err := want.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, want := range []string{
		"8.00M records/s", "10.0M (limit loop)", "0.80 (0.75–0.85)", "≥ 0.70", "met\n", "missed [1]", "n/a [2]",
		"2 met, 1 missed, 1 n/a", "-quick", "[1] append 256 B: nearly", "not installed", "some CPU",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
	// Columns begin at the same place in every line.
	lines := strings.Split(out, "\n")[2:]
	at := utf8.RuneCountInString(lines[0][:strings.Index(lines[0], "goal")])
	if got := utf8.RuneCountInString(lines[2][:strings.Index(lines[2], "≥ 0.70")]); got != at {
		t.Errorf("the goal stands in column %d, its heading in %d:\n%s", got, at, out)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.7: "0.70", 1.6: "1.60", 12.34: "12.3", 150: "150", 9999: "9999", 12345: "12.3k", 12.5e6: "12.5M", 0.00002: "2.0e-05", 0.05: "0.0500", -3: "-3.00",
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %q, want %q", v, got, want)
		}
	}
}
