package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// colours of the kinds of peers; mlog has its own.
var (
	mlogColour  = color.RGBA{R: 200, G: 60, B: 40, A: 255}
	kindColours = map[string]color.RGBA{
		"log":    {R: 70, G: 130, B: 90, A: 255},
		"broker": {R: 190, G: 150, B: 60, A: 255},
		"ipc":    {R: 90, G: 120, B: 170, A: 255},
	}
)

func (rec *Record) colour() color.RGBA {
	if rec.Folder == "mlog" {
		return mlogColour
	}
	return kindColours[rec.Kind]
}

// charts writes a chart of rates for each case of 256 bytes, and one of latencies for each way to wait.
func (r *Report) charts(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	one := Case{Size: 256, Producers: 1, Consumers: 1}
	for _, chart := range []struct {
		file, title string
		which       Case
	}{
		{"append", "Append, 256 B, 1 producer", one.with(harness.Append)},
		{"stream", "Stream, 256 B, 1 producer to 1 consumer", one.with(harness.Stream)},
		{"replay", "Replay, 256 B", one.with(harness.Replay)},
		{"durable", "Durable append, 256 B, 1 producer", Case{harness.Append, 256, 1, 1, true, false}},
	} {
		if err := r.rateChart(filepath.Join(dir, chart.file+".svg"), chart.title, chart.which); err != nil {
			return fmt.Errorf("chart %s: %w", chart.file, err)
		}
	}
	for _, spin := range []bool{false, true} {
		which, file, title := one.with(harness.Latency), "latency", "One-way latency, 256 B at 10,000/s, consumer asleep"
		if which.Spin = spin; spin {
			file, title = "latency-spin", "One-way latency, 256 B at 10,000/s, both sides polling"
		}
		if err := r.latencyChart(filepath.Join(dir, file+".svg"), title, which); err != nil {
			return fmt.Errorf("chart %s: %w", file, err)
		}
	}
	return nil
}

func (c Case) with(work string) Case {
	c.Work = work
	return c
}

// A bar is a peer in a chart of rates.
type bar struct {
	name   string
	colour color.RGBA
	Spread
}

// rateChart draws the rates of a case as bars, the fastest on top, with the spread as a line. Without figures it
// draws nothing.
func (r *Report) rateChart(file, title string, which Case) error {
	var all bars
	for _, rec := range r.Peers {
		if s, ok := rec.lookup(which).spreadOf(rate); ok {
			all = append(all, bar{rec.Title, rec.colour(), s})
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(x, y bar) int { return compareDown(y.Median, x.Median) })
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = "records a second (log scale; line: range of the rounds)"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, powers{perSecond}
	p.X.Min, p.X.Max = math.Pow(10, math.Floor(math.Log10(all.least()))), math.Pow(10, math.Ceil(math.Log10(all.most())))
	p.Y.Min, p.Y.Max = -0.7, float64(len(all))-0.3
	var names []plot.Tick
	for i, b := range all {
		names = append(names, plot.Tick{Value: float64(i), Label: b.name})
	}
	p.Y.Tick.Marker = plot.ConstantTicks(names)
	p.Y.Tick.Length = 0
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	p.Add(grid, all)
	return p.Save(9*vg.Inch, vg.Length(len(all))*0.26*vg.Inch+1.1*vg.Inch, file)
}

// bars draws bars that begin at the axis, which on a log scale has no zero.
type bars []bar

func (all bars) least() float64 {
	least := math.Inf(1)
	for _, b := range all {
		least = min(least, b.Low)
	}
	return least * 0.8 // so that the shortest bar has a length
}

func (all bars) most() float64 {
	most := 0.0
	for _, b := range all {
		most = max(most, b.High)
	}
	return most
}

// Plot implements plot.Plotter.
func (all bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i, b := range all {
		low, high := y(float64(i)-0.36), y(float64(i)+0.36)
		c.FillPolygon(b.colour, []vg.Point{
			{X: x(p.X.Min), Y: low}, {X: x(b.Median), Y: low}, {X: x(b.Median), Y: high}, {X: x(p.X.Min), Y: high},
		})
		middle := y(float64(i))
		c.StrokeLine2(draw.LineStyle{Color: color.Black, Width: 1}, x(b.Low), middle, x(b.High), middle)
	}
}

// powers are ticks at the powers of 10, with lesser ones between.
type powers struct{ text func(float64) string }

// Ticks implements plot.Ticker.
func (t powers) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for at := math.Pow(10, math.Floor(math.Log10(low))); at <= high*1.0001; at *= 10 {
		if at >= low*0.9999 {
			ticks = append(ticks, plot.Tick{Value: at, Label: t.text(at)})
		}
		for i := 2.0; i < 10; i++ {
			if at*i > low && at*i < high {
				ticks = append(ticks, plot.Tick{Value: at * i})
			}
		}
	}
	return ticks
}

// latencyChart draws the percentiles of each peer, so that each further nine has the same width.
func (r *Report) latencyChart(file, title string, which Case) error {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = "percentile"
	p.Y.Label.Text = "latency (log scale)"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, powers{func(ns float64) string { return duration(ns) }}
	var ticks []plot.Tick
	for _, pc := range percentiles[:len(percentiles)-1] {
		ticks = append(ticks, plot.Tick{Value: nines(pc.rank), Label: pc.name})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.Add(plotter.NewGrid())
	drawn := 0
	for _, rec := range r.Peers {
		var points plotter.XYs
		for _, pc := range percentiles[:len(percentiles)-1] {
			if s, ok := rec.lookup(which).percentile(pc.of); ok {
				points = append(points, plotter.XY{X: nines(pc.rank), Y: s.Median})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		style(line, dots, rec, drawn)
		p.Add(line, dots)
		p.Legend.Add(rec.Title, line, dots)
		drawn++
	}
	if drawn == 0 {
		return nil
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.TextStyle.Font.Size = vg.Points(8)
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(6), -vg.Points(24) // below the title
	low, high := p.Y.Min, p.Y.Max
	p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)))
	p.X.Min, p.X.Max = -1.6, nines(percentiles[len(percentiles)-2].rank)+0.3 // the legend stands to the left
	return p.Save(9*vg.Inch, 6*vg.Inch, file)
}

// style tells the lines of a kind apart by dashes and shapes.
func style(line *plotter.Line, dots *plotter.Scatter, rec *Record, n int) {
	line.Color, dots.Color = rec.colour(), rec.colour()
	line.Width = vg.Points(1.2)
	dashes := [][]vg.Length{nil, {vg.Points(5), vg.Points(2)}, {vg.Points(2), vg.Points(2)}, {vg.Points(7), vg.Points(2), vg.Points(2), vg.Points(2)}}
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}, draw.RingGlyph{}, draw.PyramidGlyph{}}
	line.Dashes = dashes[n%len(dashes)]
	dots.Shape = shapes[n%len(shapes)]
	if rec.Folder == "mlog" {
		line.Width, line.Dashes, dots.Shape = vg.Points(2.5), nil, draw.CircleGlyph{}
	}
}

// nines is how many nines a percentile has: 0.3 for the median, 1 for p90, 2 for p99.
func nines(rank float64) float64 { return -math.Log10(1 - rank) }

func duration(ns float64) string {
	switch {
	case ns >= 1e9:
		return digits(ns/1e9) + " s"
	case ns >= 1e6:
		return digits(ns/1e6) + " ms"
	case ns >= 1e3:
		return digits(ns/1e3) + " µs"
	}
	return digits(ns) + " ns"
}
