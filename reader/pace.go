package reader

import "time"

// A record crosses in a fraction of a microsecond to who spins, and in tens to
// who sleeps. A look at a commit word that does not change takes 1 to 2 ns.
const (
	minLooks    = 128     // tried where spinning never pays, as on a shared core
	maxLooks    = 1 << 15 // some 40 µs: what it takes to be woken on another core
	looksAtOnce = 1 << 12

	// A reader that always spins comes only so seldom, every half a millisecond or so,
	// to what it looks at before a sleep: words that the producer stores at each append.
	looksOfSpinner = 1 << 19
)

// Each look of a reader that keeps up takes the cache line of the commit word from
// the producer, which is just writing there. So such a reader lets the producer run
// ahead a little before it looks, provided that this pays: that more than one record
// is there then.
const (
	lull       = 1 << 12 // turns of an empty loop: 1.4 µs
	firstTrial = 64      // records that come one by one before a lull is tried
	lastTrial  = 1 << 13 // the same after many trials that did not pay
)

// A producer that finds sleepers has to wake them, which costs it 1 to 2 µs for
// each; more than most appends. A reader to which so many records came while it was
// being woken therefore does not ask to be woken next time, but sleeps for a moment.
const (
	flood = 8
	nap   = 50 * time.Microsecond
)

// A pace is what a reader has learned about how records come.
type pace struct {
	looks   int   // how long spinning is worth it
	seen    int64 // offset where the reader last came to the end of what is there
	slept   bool  // since then
	fed     bool  // records came between the last two times
	flooded bool  // see nap

	lulls  bool // see lull
	single int  // records in a row that came one by one, each while we spun
	trial  int  // how many make it worth another trial
}

func newPace() pace { return pace{looks: minLooks, trial: firstTrial} }

// begin is called with nothing to read and the next offset. It returns how many
// looks to take.
func (p *pace) begin(next int64, always bool) int {
	came := next - p.seen
	p.seen = next
	if always {
		return looksOfSpinner
	}
	p.flooded = p.slept && came >= flood
	p.fed = came > 0
	if came > 0 {
		p.learnLull(came)
	}
	if p.lulls {
		for range lull { // nothing: it is the time that is wanted
		}
	}
	return p.looks
}

// learnLull decides whether to let the producer run ahead, by how many records
// came since the last time.
func (p *pace) learnLull(came int64) {
	switch {
	case p.slept:
		p.lulls, p.single = false, 0
	case p.lulls && came == 1:
		p.lulls, p.single, p.trial = false, 0, min(2*p.trial, lastTrial)
	case p.lulls:
		p.trial = firstTrial
	case came == 1:
		p.single++
		p.lulls = p.single >= p.trial
	}
}

// takeNap reports whether to nap instead of asking to be woken. It does so once for
// each flood found: a log that has gone quiet is not polled.
func (p *pace) takeNap() bool {
	was := p.flooded
	p.flooded = false
	return was
}

// end is told whether the looks found something.
func (p *pace) end(came bool) {
	p.slept = !came
	if came {
		p.looks = min(2*p.looks, maxLooks)
	} else {
		p.looks = max(p.looks/2, minLooks)
	}
}
