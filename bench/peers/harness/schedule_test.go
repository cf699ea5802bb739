package harness

import "testing"

func TestPlanKeepsItsRate(t *testing.T) {
	s := Settings{Rate: 10_000, Warm: 0.2, Seconds: 1}
	p := newPlan(s, 1_000_000)
	if p.warm != 2000 || p.count != 12_000 {
		t.Errorf("%d records to warm up and %d in all, want 2000 and 12000", p.warm, p.count)
	}
	for _, seq := range []uint64{0, 1, 7, 11_999} {
		if got, want := p.due(seq), int64(1_000_000+seq*100_000); got != want {
			t.Errorf("record %d is due at %d, want %d", seq, got, want)
		}
	}
}

// A producer that comes late must not move what follows: that is what hides the wait of the records behind.
func TestPlanForgivesNothing(t *testing.T) {
	start := Now() - 1_000_000_000 // a second late
	p := newPlan(Settings{Rate: 1000, Seconds: 10}, start)
	for seq := range uint64(5) {
		if got, want := p.wait(seq), start+int64(seq)*1_000_000; got != want {
			t.Errorf("record %d counts from %d, want %d", seq, got, want)
		}
	}
}

func TestPlanIsNeverEarly(t *testing.T) {
	for _, pin := range []string{PinNone, PinSame} {
		p := newPlan(Settings{Rate: 1000, Seconds: 1, Pin: pin}, Now())
		for seq := range uint64(5) {
			if due := p.wait(seq); Now() < due {
				t.Errorf("-pin %s: record %d came before it was due", pin, seq)
			}
		}
	}
}
