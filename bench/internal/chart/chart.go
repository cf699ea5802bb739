// Package chart draws results as SVG files.
package chart

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed27ccf144/mlog/bench/internal/report"
)

const (
	width  = 20 * vg.Centimeter
	height = 11 * vg.Centimeter
)

// Write draws what a report holds into files in dir, and returns their names.
func Write(dir string, r *report.Report) (files []string, err error) {
	save := func(name string, p *plot.Plot, h vg.Length) error {
		name = fileName(name) + ".svg"
		if err := p.Save(width, h, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
		files = append(files, name)
		return nil
	}
	if p, rows := ratios(r.Lines); rows > 0 {
		if err := save("ratios", p, vg.Length(rows)*0.65*vg.Centimeter+3*vg.Centimeter); err != nil {
			return files, err
		}
	}
	grouped := make(map[string][]report.Curve)
	var names []string
	for _, c := range r.Curves {
		if len(grouped[c.Plot]) == 0 {
			names = append(names, c.Plot)
		}
		grouped[c.Plot] = append(grouped[c.Plot], c)
	}
	for _, name := range names {
		draw := percentiles
		if name == Growth {
			draw = growth
		}
		p, err := draw(name, grouped[name])
		if err != nil {
			return files, err
		}
		if err := save(name, p, height); err != nil {
			return files, err
		}
	}
	return files, nil
}

// fileName makes a name of a title: small letters and digits, with a dash for all
// that is between them.
func fileName(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.'
	})
	return strings.Join(words, "-")
}

// Growth is the plot whose x-axis is the log's size and not a percentile.
const Growth = "growth"

// Beyond turns a percentile into its place on the axis: the number of records of
// which one lies beyond it. On a log scale each nine takes the same room.
func Beyond(percentile float64) float64 { return 100 / (100 - percentile) }

// percentiles draws latencies against the share of records, both on log scales.
func percentiles(title string, curves []report.Curve) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = "percentile of records, from the time each was due"
	p.Y.Label.Text = "latency"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker = plot.ConstantTicks{
		{Value: 1, Label: "0 %"}, {Value: Beyond(50), Label: "50 %"}, {Value: Beyond(90), Label: "90 %"},
		{Value: Beyond(99), Label: "99 %"}, {Value: Beyond(99.9), Label: "99.9 %"}, {Value: Beyond(99.99), Label: "99.99 %"},
	}
	p.Y.Tick.Marker = durationTicks()
	p.X.Min, p.X.Max = 1, Beyond(99.99)
	return p, lines(p, curves, func(pt [2]float64) (x, y float64) { return Beyond(pt[0]), max(pt[1], 1) })
}

// growth draws what a record costs against how much the log holds.
func growth(title string, curves []report.Curve) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = "what an append costs as an uncapped log grows"
	p.X.Label.Text = "size of the log (GiB)"
	p.Y.Label.Text = "time per record (ns)"
	p.Y.Min = 0
	return p, lines(p, curves, func(pt [2]float64) (x, y float64) { return pt[0], pt[1] })
}

func lines(p *plot.Plot, curves []report.Curve, at func([2]float64) (x, y float64)) error {
	for i, c := range curves {
		var points plotter.XYs
		for _, pt := range c.Points {
			x, y := at(pt)
			points = append(points, plotter.XY{X: x, Y: y})
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("curve %s: %w", c.Name, err)
		}
		line.Color, line.Width = plotutil.Color(i), vg.Points(1.5)
		line.Dashes = plotutil.Dashes(i)
		marks.Color, marks.Shape = plotutil.Color(i), plotutil.Shape(i)
		p.Add(line, marks)
		p.Legend.Add(c.Name, line, marks)
	}
	p.Add(plotter.NewGrid())
	p.Legend.Top, p.Legend.Left = true, true
	return nil
}

func durationTicks() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for exp := range 11 {
		for _, step := range []float64{1, 2, 5} {
			v, label := step*math.Pow10(exp), ""
			if step == 1 {
				label = [...]string{"1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"}[exp]
			}
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	return ticks
}

// ratios draws each line's ratio with its quartiles, on a log scale: twice as
// fast and half as fast lie at the same distance from 1. It also returns how many
// lines there are; without any there is no plot.
func ratios(all []report.Line) (*plot.Plot, int) {
	var shown []report.Line
	for _, l := range all {
		if l.Against != "" && l.Compare == "" && l.Ratio.N > 0 && l.Ratio.Min > 0 {
			shown = append(shown, l)
		}
	}
	if len(shown) == 0 {
		return nil, 0
	}
	slices.Reverse(shown) // the first goes to the top
	p := plot.New()
	p.Title.Text = "mlog relative to what it is measured against"
	p.X.Label.Text = "ratio: median and quartiles (log scale)"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ratioTicks()
	names := make([]string, len(shown))
	low, high := 0.5, 2.0
	for i, l := range shown {
		names[i] = l.What + " / " + l.Against
		low, high = min(low, l.Ratio.Q1), max(high, l.Ratio.Q3)
		spread, err := plotter.NewLine(plotter.XYs{{X: l.Ratio.Q1, Y: float64(i)}, {X: l.Ratio.Q3, Y: float64(i)}})
		if err != nil {
			continue // a ratio that is no number
		}
		mark, err := plotter.NewScatter(plotter.XYs{{X: l.Ratio.Median, Y: float64(i)}})
		if err != nil {
			continue
		}
		spread.Width = vg.Points(2)
		spread.Color = verdictColor(l.Verdict)
		mark.GlyphStyle = draw.GlyphStyle{Color: spread.Color, Radius: vg.Points(3.5), Shape: draw.CircleGlyph{}}
		p.Add(spread, mark)
	}
	p.NominalY(names...)
	p.X.Min, p.X.Max = low/1.2, high*1.2
	p.Add(plotter.NewGrid())
	return p, len(shown)
}

func ratioTicks() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, v := range []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000} {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprint(v)})
	}
	return ticks
}

func verdictColor(v report.Verdict) color.Color {
	switch v {
	case report.Met:
		return color.RGBA{R: 0x1b, G: 0x7f, B: 0x3b, A: 0xff}
	case report.Missed:
		return color.RGBA{R: 0xc2, G: 0x33, B: 0x1a, A: 0xff}
	}
	return color.RGBA{R: 0x55, G: 0x55, B: 0x55, A: 0xff}
}
