package mutate

import (
	"io/fs"
	"math"
	"math/rand/v2"
	"strings"
)

// Options of an edit script: its first byte.
const (
	mendBatches = 1 << iota
	mendHeaders
	mendPlaces
	living // the control file is made one of this boot and place, see Result.Living
)

// A Result says what an edit script did.
type Result struct {
	Tree   Tree
	Mended bool // checksums of batches or of segment headers were made right
	Living bool // the control file is to pass for a live one
}

// Apply edits a copy of a log as script says. Any bytes are a script.
func Apply(honest Tree, script []byte) Result {
	s := &editor{in: script, tree: honest.Clone(), honest: honest}
	options := s.byte()
	const most = 48
	for range most {
		if len(s.in) == 0 {
			break
		}
		s.edit()
	}
	s.mend(options)
	return Result{Tree: s.tree, Mended: s.forged || options&(mendBatches|mendHeaders) != 0, Living: options&living != 0}
}

// An editor reads a script. Behind its end there are zeros.
type editor struct {
	in           []byte
	tree, honest Tree
	forged       bool
}

func (s *editor) byte() byte {
	if len(s.in) == 0 {
		return 0
	}
	b := s.in[0]
	s.in = s.in[1:]
	return b
}

func (s *editor) number(bytes int) (n uint64) {
	for i := range bytes {
		n |= uint64(s.byte()) << (8 * i)
	}
	return n
}

// name picks a file or directory.
func (s *editor) name() string {
	names := s.tree.Names()
	if len(names) == 0 {
		return ""
	}
	return names[int(s.byte())%len(names)]
}

// newName picks a name that something gets: that of another, that of a segment
// which the honest log has not, or one that no file of a log has.
func (s *editor) newName() string {
	switch b := s.byte(); {
	case b < 160:
		names := s.honest.Names()
		return names[int(b)%len(names)]
	case b < 240:
		return segmentName(s.number(1+int(b)%8)) + []string{".seg", ".idx"}[int(b)%2]
	default:
		return []string{"stranger", "groups/other", "cut", "00000000000000000005.seg~tmp-1", "99999999999999999999.seg", "producers/00002"}[int(b)%6]
	}
}

// place picks a position in a file, preferring those where something stands.
func (s *editor) place(data []byte) int64 {
	size := int64(len(data))
	if size == 0 {
		return 0
	}
	pos := int64(0)
	switch kind := s.byte(); kind % 4 {
	case 0:
		pos = int64(s.number(3))
	case 1:
		pos = int64(s.number(1)) &^ 3
		if kind >= 128 && Magic(data) == "mlogsegm" {
			pos += offCopy
		}
	case 2:
		if at := Positions(data); Magic(data) == "mlogsegm" && len(at) > 0 {
			pos = at[int(s.byte())%len(at)] + int64(s.byte())
		} else {
			pos = offPlaces + int64(s.number(1))%(2*placeSize)
		}
	case 3:
		pos = size - 1 - int64(s.number(1))
	}
	return max(0, pos%size)
}

// value is a number of the kind that breaks bounds, or any.
func (s *editor) value(old uint64, size int) uint64 {
	special := []uint64{0, 1, math.MaxUint64, math.MaxInt64, 1 << 62, 1<<62 + 1, 1 << 63, math.MaxUint32, math.MaxInt32,
		uint64(size), uint64(size) - 32, uint64(size) - 31, HeaderBytes, HeaderBytes / 8, 1<<28 - 1, old + 1, old - 1, old << 8, old + 8, 31, 32, 33, 0x80 << 8}
	if b := int(s.byte()); b < len(special) {
		return special[b]
	}
	return s.number(8)
}

func (s *editor) edit() {
	switch op := s.byte() % 14; op {
	case 0, 1:
		s.store(1 << (s.byte() % 4))
	case 2:
		s.tree.edit(s.name(), func(n *Node) {
			if at := s.place(n.Data); len(n.Data) > 0 {
				n.Data[at] ^= 1 << (s.byte() % 8)
			}
		})
	case 3:
		s.tree.edit(s.name(), func(n *Node) {
			n.Data = n.Data[:int64(len(n.Data))-min(int64(len(n.Data)), s.place(n.Data))]
		})
	case 4:
		s.tree.edit(s.name(), func(n *Node) { n.Grown = int64(1) << (s.byte() % 41) })
	case 5:
		delete(s.tree, s.name())
	case 6:
		a, b := s.name(), s.name()
		s.tree[a], s.tree[b] = s.tree[b], s.tree[a]
	case 7:
		from, to := s.name(), s.newName()
		s.tree[to] = s.tree[from]
		delete(s.tree, from)
	case 8:
		from, to := s.name(), s.newName()
		s.tree[to] = s.tree[from]
	case 9:
		s.tree[s.name()] = Node{Type: fs.ModeSymlink, Target: s.target()}
	case 10:
		s.tree[s.name()] = Node{Type: []fs.FileMode{fs.ModeDir, fs.ModeNamedPipe, 0}[s.byte()%3]}
	case 11:
		s.fill()
	case 12:
		s.copyRange()
	case 13:
		s.forge()
	}
}

// store puts a number into a file.
func (s *editor) store(width int) {
	s.tree.edit(s.name(), func(n *Node) {
		at := int(s.place(n.Data))
		at = max(0, min(at, len(n.Data)-width))
		if len(n.Data) < width {
			return
		}
		var b [8]byte
		copy(b[:], n.Data[at:at+width])
		le.PutUint64(b[:], s.value(le.Uint64(b[:]), len(n.Data)))
		copy(n.Data[at:], b[:width])
	})
}

// fill overwrites a range with one byte or with noise.
func (s *editor) fill() {
	s.tree.edit(s.name(), func(n *Node) {
		at, length, with := s.place(n.Data), int64(s.number(2)), s.byte()
		noise := rand.New(rand.NewPCG(uint64(with), 0))
		for i := at; i < min(at+length, int64(len(n.Data))); i++ {
			n.Data[i] = with
			if with&1 != 0 {
				n.Data[i] = byte(noise.Uint32())
			}
		}
	})
}

// copyRange copies bytes of one file into another, or within one.
func (s *editor) copyRange() {
	from := s.tree[s.name()].Data
	at := s.place(from)
	s.tree.edit(s.name(), func(n *Node) {
		to := s.place(n.Data)
		copy(n.Data[min(to, int64(len(n.Data))):], from[min(at, int64(len(from))):][:min(int64(s.number(2)), int64(len(from))-at)])
	})
}

// forge writes the header of a batch, or of an end marker, where a batch begins
// or ends, with the right checksum.
func (s *editor) forge() {
	s.tree.edit(s.name(), func(n *Node) {
		at := s.place(n.Data) &^ 7
		if Magic(n.Data) != "mlogsegm" || at+BatchBytes > int64(len(n.Data)) {
			return
		}
		h := n.Data[at : at+BatchBytes]
		base, old := le.Uint64(h[8:]), le.Uint32(h)
		le.PutUint32(h, uint32(s.value(uint64(old), len(n.Data))))
		le.PutUint32(h[4:], uint32(s.byte())|uint32(s.value(1, len(n.Data)))<<8)
		le.PutUint64(h[8:], s.value(base, len(n.Data)))
		if s.byte()%2 == 0 { // where the reader expects it
			le.PutUint64(h[8:], base)
		}
		MendBatch(n.Data, at)
		s.forged = true
	})
}

func (s *editor) target() string {
	if b := s.byte(); b < 200 {
		return s.name()
	}
	return []string{".", "..", "/dev/zero", "/nonexistent", "meta", "../log"}[s.byte()%6]
}

func (s *editor) mend(options byte) {
	for name, n := range s.tree {
		if n.Type != 0 || !n.owned {
			continue
		}
		s.tree.edit(name, func(n *Node) {
			if options&mendHeaders != 0 {
				MendHeader(n.Data)
			}
			if options&mendBatches != 0 {
				MendBatches(n.Data, Positions(s.honest[name].Data))
			}
			if options&mendPlaces != 0 {
				MendPlaces(n.Data)
			}
		})
	}
}

func segmentName(base uint64) string {
	digits := []byte(strings.Repeat("0", 20))
	for i := len(digits) - 1; base > 0; i-- {
		digits[i] = byte('0' + base%10)
		base /= 10
	}
	return string(digits)
}
