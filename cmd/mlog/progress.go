package main

import (
	"fmt"
	"os"
	"time"
)

// A progress tells a person at a terminal that something goes on, where nothing
// else shows it. Its zero value is silent.
type progress struct {
	w     *os.File
	verb  string
	began time.Time
	shown time.Time
}

// progressEvery is how often the line changes.
const progressEvery = 250 * time.Millisecond

// newProgress is silent unless stderr is a terminal and busy is false: a
// terminal that shows records needs no count of them.
func newProgress(std *streams, verb string, busy bool) progress {
	if busy || !isTerminal(std.err) {
		return progress{}
	}
	now := time.Now()
	return progress{w: std.err, verb: verb, began: now, shown: now}
}

// tick may be called as often as one likes, but not for each record.
func (p *progress) tick(records int64) {
	if p.w == nil {
		return
	}
	if now := time.Now(); now.Sub(p.shown) >= progressEvery {
		p.shown = now
		rate := float64(records) / now.Sub(p.began).Seconds()
		fmt.Fprintf(p.w, "\r\x1b[K%s records %s, %s/s", grouped(records), p.verb, grouped(int64(rate)))
	}
}

// part shows how much of all bytes was gone through.
func (p *progress) part(done, all int64) {
	if p.w == nil {
		return
	}
	if now := time.Now(); now.Sub(p.shown) >= progressEvery {
		p.shown = now
		fmt.Fprintf(p.w, "\r\x1b[K%s of %s %s", humanBytes(done), humanBytes(all), p.verb)
	}
}

// done clears the line, so that what follows stands alone.
func (p *progress) done() {
	if p.w != nil && p.shown != p.began {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.w = nil
}
