package reader

// Dry reports whether r found, when it last looked, that nothing follows the records
// that it has verified, and how many of these are left to hand out.
func (r *Reader) Dry() (dry bool, left int) { return r.ahead.dry, r.ahead.left() }

// CaughtUp returns how often r has thought of letting the producer run ahead.
func (r *Reader) CaughtUp() int { return r.pace.caughtUp }

// KnowsPace reports whether r has begun to measure how fast records come.
func (r *Reader) KnowsPace() bool { return r.pace.since != 0 }
