package reader

import "testing"

// stand makes p come to the end of what is there after so many records, and what
// comes next is found while it spins or in its sleep.
func (p *pace) stand(next *int64, records int64, spinning bool) {
	*next += records
	p.begin(*next, false)
	p.end(spinning)
}

func TestSpinningFollowsWhatPays(t *testing.T) {
	p, next := newPace(), int64(0)
	for range 20 {
		p.stand(&next, 1, true)
	}
	if p.looks != maxLooks {
		t.Errorf("%d looks where each time a record came, want %d", p.looks, maxLooks)
	}
	for range 20 {
		p.stand(&next, 1, false)
	}
	if p.looks != minLooks {
		t.Errorf("%d looks where none ever came, want %d", p.looks, minLooks)
	}
}

// TestLullsInAFastStreamOnly: records that come seldom, as in an exchange of question
// and answer, are not kept waiting; a stream is let run ahead, and does not flutter.
func TestLullsInAFastStreamOnly(t *testing.T) {
	const between = (fastBelow + slowAbove) / 2
	p, next, now := newPace(), int64(1e6), int64(1e12)
	p.learnLull(next, now)
	for i, tt := range []struct {
		records, ns int64 // that came in this time, together
		lulls       bool
	}{
		{64, 64 * 100_000, false},
		{64, 64 * between, false},
		{64, 64 * (fastBelow - 1), true},
		{640, 640 * 100, true},
		{64, 64 * between, true},
		{64, 64 * (slowAbove + 1), false},
		{64, 64 * between, false},
		{1 << 20, (1 << 20) * 100, true},
		{64, 3e12, false},         // it slept for an hour
		{-5000, 64 * 100, false},  // back
		{500_000, 64 * 1e6, true}, // and ahead: harmless, and over when it is learned next
		{64, 64 * 1e6, false},
	} {
		next, now = next+tt.records, now+tt.ns
		if p.learnLull(next, now); p.lulls != tt.lulls {
			t.Errorf("step %d, %d records in %d ns: lulls %v", i, tt.records, tt.ns, p.lulls)
		}
	}
}

// TestLullIsLearnedAtIntervals: between two looks at the clock nothing changes. The first is at
// once, so that a replay before it, or a seek, is no stream.
func TestLullIsLearnedAtIntervals(t *testing.T) {
	p, next := newPace(), int64(0)
	for range 2 {
		next += 1e9
		for i := range 10*catchUps + 1 {
			next++
			p.catchUp(next)
			if learned := p.offset == next; learned != (i%catchUps == 0) {
				t.Fatalf("call %d: learned %v", i+1, learned)
			}
			if i == 0 && p.lulls {
				t.Fatal("it lulls where nothing has come yet")
			}
		}
		p.forget()
	}
}

// TestFlood: only what came while the reader slept makes a flood, and it naps once
// for each, so that it does not poll a log that has gone quiet.
func TestFlood(t *testing.T) {
	p, next := newPace(), int64(0)
	p.stand(&next, flood, true)
	if p.stand(&next, flood, false); p.takeNap() {
		t.Error("records that came while it spun are a flood")
	}
	p.stand(&next, flood, false)
	if !p.takeNap() {
		t.Error("no flood after a sleep")
	}
	if p.takeNap() {
		t.Error("a second nap for one flood")
	}
	for _, records := range []int64{0, 1, flood - 1} {
		if p.stand(&next, records, false); p.takeNap() {
			t.Errorf("%d records are a flood", records)
		}
	}
	p.stand(&next, flood, false)
	if p.stand(&next, 0, false); p.takeNap() {
		t.Error("a nap after one in which nothing came")
	}
}

// TestFed: a reader yields before a sleep after records only, and not at each look
// at a log that has gone quiet.
func TestFed(t *testing.T) {
	p, next := newPace(), int64(0)
	for i, records := range []int64{1, 0, 0, 3, 1, 0} {
		p.stand(&next, records, false)
		if p.fed != (records > 0) {
			t.Errorf("step %d, %d records: fed is %v", i, records, p.fed)
		}
	}
}
