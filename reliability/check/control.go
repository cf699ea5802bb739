package check

// Control is what the producers share, as it was when it was read.
type Control struct {
	Lock, SyncLock           uint32
	Active                   int64
	Durable, SyncFrom, Named int64
	Poison                   uint32
	Takeovers, Rolls, Syncs  uint64
}

// Parts of a lock's word.
const (
	lockSlot      = 0xffff
	lockUnclean   = 0x40000000
	lockContended = 0x80000000
	mostSlots     = 4096
)

const controlName = "control"

// unusedControl are the bytes of the control file that nobody writes.
var unusedControl = [][2]int{
	{12, 16}, {72, 128}, {132, 192}, {200, 256}, {260, 320}, {348, 384}, {408, 4096},
}

// control parses the control file. One of another boot or place is stale, and what
// the producers shared then means nothing; but whose it is only its header can say.
func (c *checker) control() {
	b := c.read(controlName)
	switch {
	case b == nil:
		return
	case len(b) != 4096:
		c.breach(controlName, -1, "has %d bytes and not 4096", len(b))
		return
	case string(b[:8]) != "mlogctrl":
		c.breach(controlName, 0, "wrong magic %q", b[:8])
		return
	case xxh64(b[:64]) != u64(b, 64):
		c.breach(controlName, 64, "wrong checksum")
		return
	case !c.isHere(b):
		return
	}
	if v := u32(b, 8); v != 1 {
		c.breach(controlName, 8, "version %d", v)
		return
	}
	if [16]byte(b[32:48]) != c.log.Meta.ID {
		c.breach(controlName, 32, "the id of another log")
	}
	for _, field := range unusedControl {
		if at := firstNonzero(b, field[0], field[1]); at >= 0 {
			c.breach(controlName, at, "an unused byte is not zero")
		}
	}
	c.lockWord(b, 128)
	c.lockWord(b, 256)
	c.log.Control = &Control{
		Lock: u32(b, 128), SyncLock: u32(b, 256), Active: i64(b, 192),
		Durable: i64(b, 320), SyncFrom: i64(b, 328), Named: i64(b, 336), Poison: u32(b, 344),
		Takeovers: u64(b, 384), Rolls: u64(b, 392), Syncs: u64(b, 400),
	}
	c.log.Active = c.log.Control.Active
}

// lockWord judges a lock. That a slot stands in it is right at any time: its
// owner may have died.
func (c *checker) lockWord(b []byte, at int) {
	word := u32(b, at)
	if word&^(lockSlot|lockUnclean|lockContended) != 0 || word&lockSlot > mostSlots {
		c.breach(controlName, int64(at), "lock word %#x", word)
	}
	if word&lockUnclean != 0 && word&lockSlot != 0 {
		c.breach(controlName, int64(at), "lock word %#x is held and unclean at once", word)
	}
}

// controlAgainstRow compares the shared words with what the segments hold.
func (c *checker) controlAgainstRow() {
	w, segments := c.log.Control, c.log.Segments
	if w == nil {
		return
	}
	if len(segments) == 0 {
		c.breach(controlName, -1, "is there, and no segment is")
		return
	}
	last := segments[len(segments)-1].Base
	switch {
	case w.Active > last:
		c.breach(controlName, 192, "active segment %d, but the last one is %d", w.Active, last)
	case c.settled() && w.Active != last:
		c.breach(controlName, 192, "active segment %d at rest, but the last one is %d", w.Active, last)
	case !c.InUse && len(segments) > 1 && w.Active < segments[len(segments)-2].Base:
		c.breach(controlName, 192, "active segment %d is more than one behind %d", w.Active, last)
	}
	if w.Durable > c.log.End {
		c.breach(controlName, 320, "durable offset %d, but the log ends at %d", w.Durable, c.log.End)
	}
	if w.SyncFrom > last {
		c.breach(controlName, 328, "sync from segment %d, but the last one is %d", w.SyncFrom, last)
	}
	if w.Named > last+1 {
		c.breach(controlName, 336, "names durable up to %d, but the last segment is %d", w.Named, last)
	}
}
