package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress says on stderr what is being measured, and how long it will take: on a
// terminal in one line that changes, else in a line for each row.
type progress struct {
	w        io.Writer
	terminal bool
	left     []row
	quick    bool
	name     string
	number   int // of the row, from 1
	rows     int
	began    time.Time
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *progress) plan(rows []row, quick bool) { p.left, p.rows, p.quick = rows, len(rows), quick }

func (p *progress) begin(name string) {
	if len(p.left) > 0 && p.name == p.left[0].name {
		p.left = p.left[1:]
	}
	p.name, p.began = name, time.Now()
	p.number++
	if !p.terminal {
		fmt.Fprintf(p.w, "%d of %d: %s, about %v left\n", p.number, max(p.rows, p.number), name, p.remaining())
	}
}

// step says that pair i of n is measured; 0 is the warm-up.
func (p *progress) step(i, n int) {
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%d of %d: %s, pair %d of %d, about %v left", p.number, max(p.rows, p.number), p.name, i, n, p.remaining())
	}
}

func (p *progress) remaining() time.Duration {
	rest := time.Duration(0)
	for i, r := range p.left {
		seconds := r.seconds
		if p.quick {
			seconds = r.quick
		}
		budget := time.Duration(seconds) * time.Second
		if i == 0 && r.name == p.name {
			budget = max(0, budget-time.Since(p.began))
		}
		rest += budget
	}
	return rest.Round(time.Second)
}

func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
