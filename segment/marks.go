package segment

// ImplausibleMark names the tail or the durable mark if that is a word which no
// producer ever stores, and which therefore counts as the segment's start; else
// it returns "".
func (s *Segment) ImplausibleMark() string {
	if s.IsDoubtful() { // nobody reads them
		return ""
	}
	// Each is loaded once: a producer may store it meanwhile.
	if word := s.word64(offDurable).Load(); word != s.plausibleCursor(word).Pack() {
		return "durable mark"
	}
	if word := s.word64(offTail).Load(); word != s.plausibleCursor(word).Pack() {
		return "tail"
	}
	return ""
}

// IsDoubtful reports whether the marks share the fate of a damaged header.
func (s *Segment) IsDoubtful() bool { return s.doubtful.Load() }

// Confirm says what a mark, a word of the header that may be damaged, is worth. It
// walks towards it from the cursor from, which must be right, and returns the mark
// if that is a place between two batches to which the walk leads. If the batches
// show that it is none, it returns one that is, not behind the end of what
// verifies. timeNs is the append time of the last batch on the way, or 0.
//
// Damage on the way is stepped over. The error is a *BadFrameError if what is
// damaged reaches up to the mark, and nothing else speaks for it.
func (s *Segment) Confirm(from, mark Cursor) (c Cursor, timeNs int64, err error) {
	c = from
	budget := s.ResyncBudget()
	var f Frame
	for c.Position < mark.Position {
		err := s.Read(c.Position, s.Base+c.Count, &f)
		if err != nil {
			if !s.Resync(c.Position, s.Base+c.Count, &f, &budget) || f.Position > mark.Position {
				return s.unconfirmed(c, mark, timeNs, err)
			}
			c = Cursor{Position: f.Position, Count: f.Base - s.Base}
			continue
		}
		if f.IsEnd() {
			return c, timeNs, nil
		}
		c, timeNs = Cursor{Position: f.Next(), Count: f.End() - s.Base}, f.Time
	}
	return c, timeNs, nil
}

// unconfirmed decides about a mark behind bytes at c that are no batch, with no
// batch between them and the mark.
func (s *Segment) unconfirmed(c, mark Cursor, timeNs int64, bad error) (Cursor, int64, error) {
	if !s.Committed(c.Position) {
		if c.Count == mark.Count {
			return c, timeNs, nil // nothing is missing, so it is the mark that is wrong
		}
		return c, timeNs, bad
	}
	if mark == s.Tail() && mark == s.Durable() {
		return mark, timeNs, nil // one damage would not have made them agree
	}
	length := int64(s.word32(c.Position).Load())
	count := int64(s.word32(c.Position+4).Load() >> 8)
	if mark == (Cursor{Position: c.Position + aligned(length), Count: c.Count + count}) {
		return mark, timeNs, nil // the header of the damaged batch leads there
	}
	return c, timeNs, bad
}
