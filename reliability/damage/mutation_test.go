package damage

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

const sectorBytes = 512

// A harm is one change to one place: all of a mutation, or one of several.
type harm struct {
	how   string // flip, zero, trash, swap, cross, write
	file  string
	at    int64  // the byte or the sector's first
	other string // file of the sector that changes places with this one
	to    int64  // and where that is
	draw  uint64 // decides the bit, or the random bytes
}

func (h harm) String() string {
	s := fmt.Sprintf("%s %s at %d", h.how, h.file, h.at)
	if h.how == "flip" {
		s += fmt.Sprintf(" bit %d", h.draw%8)
	}
	if h.other != "" {
		s += fmt.Sprintf(" with %s at %d", h.other, h.to)
	}
	return s
}

// An edit is bytes at a place of a file.
type edit struct {
	file string
	at   int64
	data []byte
}

// edits returns what the harm makes of files that hold what content says.
func (h harm) edits(content func(file string) []byte) []edit {
	old := content(h.file)
	switch h.how {
	case "flip":
		return []edit{{h.file, h.at, []byte{old[h.at] ^ 1<<(h.draw%8)}}}
	case "write":
		return []edit{{h.file, h.at, []byte{byte(h.draw)}}}
	case "zero":
		return []edit{{h.file, h.at, make([]byte, len(sector(old, h.at)))}}
	case "trash":
		rng, data := rand.New(rand.NewPCG(h.draw, 1)), make([]byte, len(sector(old, h.at)))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		return []edit{{h.file, h.at, data}}
	}
	mine, others := sector(old, h.at), sector(content(h.other), h.to)
	n := min(len(mine), len(others))
	return []edit{{h.file, h.at, clone(others[:n])}, {h.other, h.to, clone(mine[:n])}}
}

func sector(content []byte, at int64) []byte {
	return content[at:min(at+sectorBytes, int64(len(content)))]
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

// harms returns every harm of the sweep: a flip in each byte, and each kind of
// harm to each sector of each file.
func (m *template) harms(rng *rand.Rand) []harm {
	var all []harm
	for _, file := range m.names {
		size := int64(len(m.files[file]))
		if size == 0 {
			all = append(all, harm{how: "write", file: file, draw: rng.Uint64()})
		}
		for at := range size {
			all = append(all, harm{how: "flip", file: file, at: at, draw: rng.Uint64()})
		}
		for at := int64(0); at < size; at += sectorBytes {
			all = append(all, harm{how: "zero", file: file, at: at}, harm{how: "trash", file: file, at: at, draw: rng.Uint64()})
			if size > sectorBytes {
				all = append(all, m.swap(rng, file, at, file, "swap"))
			}
			if strings.HasSuffix(file, ".seg") {
				all = append(all, m.swap(rng, file, at, m.anotherSegment(rng, file), "cross"))
			}
		}
	}
	return all
}

// swap draws a sector to change places with: of the same place in another
// segment every other time.
func (m *template) swap(rng *rand.Rand, file string, at int64, other, how string) harm {
	sectors := (int64(len(m.files[other])) + sectorBytes - 1) / sectorBytes
	to := rng.Int64N(sectors) * sectorBytes
	if how == "cross" && rng.IntN(2) == 0 {
		to = at
	}
	if file == other && to == at {
		to = (at + sectorBytes) % (sectors * sectorBytes)
	}
	return harm{how: how, file: file, at: at, other: other, to: to}
}

func (m *template) anotherSegment(rng *rand.Rand, file string) string {
	for {
		segments := m.segments()
		if name := segments[rng.IntN(len(segments))]; name != file {
			return name
		}
	}
}

// A mutation is what is done to a log: one harm, or several.
type mutation struct {
	harms    []harm
	rebooted bool
}

func (m mutation) String() string {
	var parts []string
	for _, h := range m.harms {
		parts = append(parts, h.String())
	}
	s := strings.Join(parts, ", ")
	if m.rebooted {
		s += ", after a reboot"
	}
	return s
}

// A loss is which records a mutation may cost.
type loss struct {
	may      []bool // by offset: its batch was hit
	first    int64  // the first of those, or the log's end
	headless bool   // a header and its copy were hit, and so all of a segment may go
	unmarked bool   // the durable mark was hit, so after a reboot nothing says what was durable
	stale    bool   // the control file was hit, and looks like one of another boot
	meta     bool   // the identity of the log was hit, without which nobody opens it
	control  bool   // the words that producers share were hit
	marked   bool   // a segment's durable mark was hit
	unproved bool   // and recovery, which goes by it, may not cut what it cannot place
}

// loss compares what the mutation changed with where the batches stand.
func (m *template) loss(edits []edit, content func(string) []byte) loss {
	l := loss{may: make([]bool, m.end), first: m.end}
	header, copied := make(map[string]bool), make(map[string]bool)
	for _, e := range edits {
		from, to := changed(content(e.file), e)
		l.stale = l.stale || e.file == "control" && from < 72
		l.meta = l.meta || e.file == "meta" && from < to
		l.control = l.control || e.file == "control" && from < to
		if strings.HasSuffix(e.file, ".seg") && from < to {
			header[e.file] = header[e.file] || from < 80
			mark := from < 264 && to > 256
			l.marked = l.marked || mark
			l.unmarked = l.unmarked || mark && m.kindOf(e.file) == "active segment"
			copied[e.file] = copied[e.file] || from < 2048+80 && to > 2048
			for _, b := range m.batches {
				if b.file == e.file && from < b.to && to > b.from {
					l.add(b)
				}
			}
		}
	}
	for _, b := range m.batches {
		if header[b.file] && copied[b.file] {
			l.headless = true
			l.add(b)
		}
	}
	return l
}

// changed returns the range of bytes that an edit makes different.
func changed(old []byte, e edit) (from, to int64) {
	n := int64(len(e.data))
	at := func(i int64) bool { return e.at+i < int64(len(old)) && old[e.at+i] == e.data[i] }
	for from < n && at(from) {
		from++
	}
	for to = n; to > from && at(to-1); to-- {
	}
	return e.at + from, e.at + to
}

func (l *loss) add(b batch) {
	for i := range b.count {
		l.may[b.base+int64(i)] = true
	}
	l.first = min(l.first, b.base)
}

// mayRefuse reports whether the log, or an append to it, may be refused as a
// whole. All other damage costs no more than what it hit.
func (l *loss) mayRefuse() bool { return l.meta || l.control || l.headless || l.unproved }
