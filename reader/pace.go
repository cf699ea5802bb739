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
// the producer, which is just writing there, and the processor fetches the lines behind
// it, which are the producer's next. So the reader of a fast stream lets the producer run
// ahead whenever it has read all that there is. Where records come seldom enough that
// the looks are no burden, their delay would be one.
const (
	// Turns of an empty loop, since to read the clock takes a tenth of a lull. A turn takes as long as
	// a processor's cycle or two: 3 to 4 µs in all where it was tuned.
	lullTurns = 1 << 13
	catchUps  = 64  // in which to see how fast records come, since to read the clock takes as long as a record
	fastBelow = 500 // ns a record: a stream is fast,
	slowAbove = 700 // and is so no more
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

	lulls    bool  // see lullTurns
	caughtUp int   // times since
	since    int64 // this moment, in ns of some clock, or 0 if nothing is known
	offset   int64 // when this record was the next
}

func newPace() pace { return pace{looks: minLooks} }

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
	return p.looks
}

// catchUp is called with the next offset when the reader has read all that there is. It
// lets the producer run ahead if that is worth while.
func (p *pace) catchUp(next int64) {
	if p.caughtUp++; p.caughtUp == catchUps || p.since == 0 {
		p.learnLull(next, int64(time.Since(anyMoment)))
	}
	if p.lulls {
		for range lullTurns { // nothing: it is the time that is wanted
		}
	}
}

var anyMoment = time.Now()

// forget is called when the reader is moved: what was on the way did not come meanwhile.
func (p *pace) forget() { p.since = 0 }

// learnLull decides by how fast records have come since it was called last. Both times the
// reader had read all that there was.
func (p *pace) learnLull(next, now int64) {
	ns := int64(fastBelow)
	if p.lulls {
		ns = slowAbove
	}
	p.lulls = p.since != 0 && now-p.since < ns*(next-p.offset)
	p.caughtUp, p.since, p.offset = 0, now, next
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
