package reader

import "testing"

// stand makes p come to the end of what is there after so many records, found
// while it spun or in its sleep.
func (p *pace) stand(next *int64, records int64, spinning bool) (lulls bool) {
	*next += records
	p.begin(*next, false)
	lulls = p.lulls
	p.end(spinning)
	return lulls
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

// TestLullIsTriedAndDropped: records that come one by one, as in an exchange of
// question and answer, are seldom kept waiting; a stream is.
func TestLullIsTriedAndDropped(t *testing.T) {
	p, next := newPace(), int64(0)
	lulls := 0
	for range 20_000 {
		if p.stand(&next, 1, true) {
			lulls++
		}
	}
	if lulls == 0 || lulls > 12 {
		t.Errorf("%d lulls in 20,000 records that came one by one", lulls)
	}
	p, next = newPace(), 0
	for range 2 * firstTrial {
		p.stand(&next, 1, true)
		if p.lulls {
			break
		}
	}
	for range 100 {
		if !p.stand(&next, 3, true) {
			t.Fatal("the lull was dropped although it paid")
		}
	}
	p.stand(&next, 3, false)
	if p.stand(&next, 1, true) {
		t.Error("a lull after a sleep")
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
