package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/bench/internal/report"
)

func TestFilesAreSVGWithLabels(t *testing.T) {
	dir := t.TempDir()
	r := &report.Report{
		Lines: []report.Line{
			report.Paired("append", "append 256 B", "records/s", "limit loop", []float64{7, 8}, []float64{10, 10}),
			report.Missing("replay", "replay", "≥ 0.70", "no reason"),
		},
		Curves: []report.Curve{
			{Plot: "latency, spinning, 10.0k/s", Name: "mlog", Points: [][2]float64{{0, 0}, {50, 150}, {99.99, 90_000}}},
			{Plot: "latency, spinning, 10.0k/s", Name: "raw exchange", Points: [][2]float64{{50, 100}, {99.99, 8000}}},
			{Plot: Growth, Name: "mlog", Points: [][2]float64{{1, 300}, {16, 310}}},
		},
	}
	files, err := Write(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"ratios.svg", "latency-spinning-10.0k-s.svg", "growth.svg"}; !slices.Equal(files, want) {
		t.Fatalf("files %v, want %v", files, want)
	}
	for name, labels := range map[string][]string{
		"ratios.svg":                   {"append 256 B / limit loop", "ratio"},
		"latency-spinning-10.0k-s.svg": {"99.99 %", "raw exchange", "latency", "10 µs"},
		"growth.svg":                   {"size of the log (GiB)", "time per record (ns)"},
	} {
		text := textOf(t, filepath.Join(dir, name))
		for _, label := range labels {
			if !strings.Contains(text, label) {
				t.Errorf("%s lacks %q; it has %q", name, label, text)
			}
		}
	}
}

// A run of few rows may have nothing to draw.
func TestNothingToDraw(t *testing.T) {
	r := &report.Report{Lines: []report.Line{report.Single("idle", "consumer waiting, CPU", "ms/minute", []float64{7})}}
	if files, err := Write(t.TempDir(), r); len(files) != 0 || err != nil {
		t.Errorf("files %v, %v", files, err)
	}
}

// textOf parses a file as XML to its end and returns its text. The root must be svg.
func textOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var text strings.Builder
	d, root := xml.NewDecoder(f), ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			if root == "" {
				root = x.Name.Local
			}
		case xml.CharData:
			text.Write(x)
		}
	}
	if root != "svg" {
		t.Errorf("%s: the root is %q", path, root)
	}
	return text.String()
}

func TestBeyond(t *testing.T) {
	for p, want := range map[float64]float64{0: 1, 50: 2, 90: 10, 99: 100} {
		if got := Beyond(p); got != want {
			t.Errorf("Beyond(%v) = %v, want %v", p, got, want)
		}
	}
}
