package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// A Segment is a mapped segment file. Reading from it is safe from many
// goroutines at once; writing is for whoever holds the log's lock.
type Segment struct {
	FileHeader
	data []byte
	m    *mapping.Map

	// doubtful says that the header is damaged and its copy was taken: then the marks,
	// in the same sector, are no more to be believed, and count as the segment's start
	// until they are set anew.
	doubtful atomic.Bool

	// staging is used by the holder of the log's lock only.
	staging opener
}

// Format makes f, a file of zero bytes or a retired segment, the segment that h
// describes, and maps it for writing. The file has not got its name yet, so
// nobody else looks at it.
//
// The header is written by one call and not by stores: the system may write a
// mapped page back at any moment, and half a header on disk, after a power loss,
// would be taken for a damaged one.
func Format(f *os.File, h FileHeader) (*Segment, error) { return FormatMapped(f, nil, h) }

// FormatMapped is Format with a mapping m of all of f that there is already, or
// nil. If it fails, the mapping stays the caller's.
func FormatMapped(f *os.File, m *mapping.Map, h FileHeader) (s *Segment, err error) {
	if err := files.WriteAt(f, h.page(), 0); err != nil {
		return nil, fmt.Errorf("write segment header: %w", err)
	}
	if m == nil {
		if m, err = mapping.File(f, h.Size, true); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				m.Close()
			}
		}()
	}
	defer fault.Recover(fault.Guard(), &err)
	s = &Segment{FileHeader: h, data: m.Bytes(), m: m}
	s.word32(HeaderBytes).Store(0) // invariant Z
	return s, nil
}

// Map maps the segment file f, which stays the caller's.
func Map(f *os.File, writable bool) (s *Segment, err error) {
	return mapFile(f, nil, writable, DecodeHeader)
}

// MapNamed maps the segment file f whose name says that it begins at the offset
// base. If the header in it is another segment's, and the copy is not, the copy
// counts.
func MapNamed(f *os.File, base int64, writable bool) (s *Segment, err error) {
	return RemapNamed(f, nil, base, writable)
}

// RemapNamed is MapNamed with a mapping m of all of f that there is already, or
// nil. If it fails, the mapping stays the caller's.
func RemapNamed(f *os.File, m *mapping.Map, base int64, writable bool) (*Segment, error) {
	return mapFile(f, m, writable, func(src []byte) (FileHeader, error) { return DecodeHeaderOf(src, base) })
}

func mapFile(f *os.File, m *mapping.Map, writable bool, decode func([]byte) (FileHeader, error)) (s *Segment, err error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() < MinBytes {
		return nil, &HeaderError{Reason: fmt.Sprintf("file has only %d bytes", fi.Size())}
	}
	first := make([]byte, HeaderBytes)
	if _, err := files.ReadAt(f, first, 0); err != nil {
		return nil, fmt.Errorf("read segment header: %w", err)
	}
	h, err := decode(first)
	if err != nil {
		return nil, err
	}
	if h.Size != fi.Size() {
		return nil, &HeaderError{Reason: fmt.Sprintf("file has %d bytes, its header says %d", fi.Size(), h.Size)}
	}
	if m != nil && int64(len(m.Bytes())) != h.Size {
		return nil, &HeaderError{Reason: fmt.Sprintf("its header says %d bytes, and not %d", h.Size, len(m.Bytes()))}
	}
	if m == nil {
		if m, err = mapping.File(f, h.Size, writable); err != nil {
			return nil, err
		}
	}
	s = &Segment{FileHeader: h, data: m.Bytes(), m: m}
	s.doubtful.Store(h.isElsewhere(first))
	return s, nil
}

// RestoreHeader writes what of the fixed part of the header and of its copy is not
// as it was. It leaves alone what is whole: a power loss while one is written must
// find the other. Whoever calls it is alone with the log.
func (s *Segment) RestoreHeader() {
	var fixed [endOfFixed]byte
	s.encode(fixed[:])
	for _, at := range []int{0, offCopy} {
		if have := s.data[at : at+endOfFixed]; string(have) != string(fixed[:]) {
			copy(have, fixed[:])
		}
	}
}

// Close unmaps the segment. Every view into it becomes invalid.
func (s *Segment) Close() error { return s.m.Close() }

// Mapping returns what the segment is mapped by. Who keeps it, instead of closing
// the segment, may use it for another life of the same file.
func (s *Segment) Mapping() *mapping.Map { return s.m }

func (s *Segment) word32(pos int64) *atomic.Uint32 { return mapping.Uint32(s.data, int(pos)) }
func (s *Segment) word64(pos int64) *atomic.Uint64 { return mapping.Uint64(s.data, int(pos)) }

// Tail returns the cached end of the committed batches. It may lag behind the
// truth (its last writer died) but is never ahead of it, as long as the page
// cache it was written to lives. A value that cannot be is replaced by the
// segment's start.
func (s *Segment) Tail() Cursor { return s.cursor(offTail) }

// TailIs reports whether the tail is what c was packed to.
func (s *Segment) TailIs(c Cursor) bool { return s.word64(offTail).Load() == c.Pack() }

// SetTail stores the tail: by the holder of the log's lock, after the commit.
func (s *Segment) SetTail(c Cursor) {
	mapping.Release64(s.data, offTail, c.Pack())
	if s.doubtful.Load() {
		s.word64(offDurable).Store(Cursor{Position: HeaderBytes}.Pack()) // older than the truth, as it may be
		s.doubtful.Store(false)
	}
}

// Durable returns the end of what is known to be on disk: perhaps older than
// the truth, never newer, also after power loss, since it is stored only after
// a sync of everything before it.
func (s *Segment) Durable() Cursor { return s.cursor(offDurable) }

// RaiseDurable moves the durable mark forward to c, never back.
func (s *Segment) RaiseDurable(c Cursor) {
	word := s.word64(offDurable)
	for {
		old := word.Load()
		if UnpackCursor(old).Position >= c.Position || word.CompareAndSwap(old, c.Pack()) {
			return
		}
	}
}

// Successor returns the base offset of the next segment if that segment's name
// and first contents are known to be on disk, else 0. Like the durable mark it may
// be older than the truth and is never newer: a successor that it names and that
// is missing is damage, and not a name that a power loss took.
func (s *Segment) Successor() int64 { return int64(s.word64(offSuccessor).Load()) }

// SetSuccessor stores it, after that sync.
func (s *Segment) SetSuccessor(base int64) { s.word64(offSuccessor).Store(uint64(base)) }

func (s *Segment) cursor(off int64) Cursor { return s.plausibleCursor(s.word64(off).Load()) }

func (s *Segment) plausibleCursor(word uint64) Cursor {
	c := UnpackCursor(word)
	if s.doubtful.Load() || c.Position < HeaderBytes || c.Position > s.Size-EndMarkerBytes || c.Count > s.Size || (c.Position == HeaderBytes) != (c.Count == 0) {
		return Cursor{Position: HeaderBytes}
	}
	return c
}

// LastTime returns the newest append time that was given out, in ns. Like Tail
// it is a cached word; it is stored before the commit, and so never too old.
func (s *Segment) LastTime() int64 { return int64(s.word64(offLast).Load()) }

// SetLastTime stores it: by the holder of the log's lock, before the commit.
func (s *Segment) SetLastTime(ns int64) { mapping.Release64(s.data, offLast, uint64(ns)) }

// Fits reports whether a frame of this length, and after it the end marker, fit
// at pos.
func (s *Segment) Fits(pos, length int64) bool {
	return pos+aligned(length)+EndMarkerBytes <= s.Size
}

// Stage writes a batch at the cursor c without committing it, and returns the
// cursor after it. Only the holder of the log's lock may call it, and only if the
// batch fits.
func (s *Segment) Stage(c Cursor, b *Body, timeNs int64) Cursor {
	next := s.StageBody(c, b)
	s.StageHeader(c, b, timeNs)
	return next
}

// StageBody is the part of Stage that the time is not needed for. The next commit
// word is zeroed first (invariant Z), so that at every instant the committed batches
// end at a zero.
//
// The zero is a plain store, as the bytes of the batch are: nobody looks for a
// commit word there before he has seen this batch's.
func (s *Segment) StageBody(c Cursor, b *Body) Cursor {
	next := Cursor{Position: c.Position + aligned(b.FrameLength()), Count: c.Count + int64(b.count)}
	dst := s.data[c.Position : next.Position+CommitBytes]
	binary.LittleEndian.PutUint32(dst[next.Position-c.Position:], 0)
	copy(dst[FrameBytes:], b.bytes)
	return next
}

// StageHeader is the rest of Stage.
func (s *Segment) StageHeader(c Cursor, b *Body, timeNs int64) {
	length := b.FrameLength()
	word, base := b.attrs|uint32(b.count)<<8, uint64(s.Base+c.Count)
	dst := s.data[c.Position : c.Position+length]
	binary.LittleEndian.PutUint32(dst[4:], word)
	binary.LittleEndian.PutUint64(dst[8:], base)
	binary.LittleEndian.PutUint64(dst[16:], uint64(timeNs))
	header := openSum(s.Epoch+uint64(c.Position), uint64(length)|uint64(word)<<32, base, uint64(timeNs))
	body := b.sum
	if b.late {
		body = xxhash.Sum64(dst[FrameBytes:length])
	}
	binary.LittleEndian.PutUint64(dst[24:], closeSum(header, body))
}

// Commit makes the batch staged at pos visible: one store that releases all
// before it.
func (s *Segment) Commit(pos int64, b *Body) {
	mapping.Release32(s.data, int(pos), uint32(b.FrameLength()))
}

// A lone record is a batch of one record without key and headers. For these, the
// commonest, there are the following: what they do is what Stage and Commit do, and
// nothing that such a batch does not need.

const loneRecord = 1 << 8 // its second word: attributes 0, count 1

// NextOfLone returns the cursor behind a lone record of this size at c.
func NextOfLone(c Cursor, size int) Cursor {
	return Cursor{Position: c.Position + aligned(FrameBytes+int64(size)), Count: c.Count + 1}
}

// HasRoom reports whether the end marker still fits at next.
func (s *Segment) HasRoom(next Cursor) bool { return next.Position+EndMarkerBytes <= s.Size }

// StageLone is StageBody for a lone record; next is the cursor behind it. Whether the next
// commit word is zero already the caller knows.
func (s *Segment) StageLone(c, next Cursor, value []byte, isZero bool) {
	dst := s.data[c.Position : next.Position+CommitBytes]
	if !isZero {
		binary.LittleEndian.PutUint32(dst[next.Position-c.Position:], 0)
	}
	copy(dst[FrameBytes:], value)
}

// Zero makes bytes behind the next commit word zero. Only the holder of the log's lock may
// call it.
func (s *Segment) Zero(from, to int64) { clear(s.data[from:to]) }

// StageLoneHeader is StageHeader for it. Either it hashes the copy in the segment, while
// the processor still fetches the lines of that, or the value, which nobody may change
// meanwhile. That is better where a reader spins for the record: it takes each line again
// as soon as it was stored to.
func (s *Segment) StageLoneHeader(c Cursor, value []byte, hashCopy bool, timeNs int64) {
	size := len(value)
	length, base := int64(FrameBytes+size), uint64(s.Base+c.Count)
	dst := s.data[c.Position : c.Position+length]
	binary.LittleEndian.PutUint32(dst[4:], loneRecord)
	binary.LittleEndian.PutUint64(dst[8:], base)
	binary.LittleEndian.PutUint64(dst[16:], uint64(timeNs))
	header := s.staging.open(s.Epoch+uint64(c.Position), uint64(length)|loneRecord<<32, base, uint64(timeNs))
	if hashCopy {
		value = dst[FrameBytes:]
	}
	binary.LittleEndian.PutUint64(dst[24:], closeSum(header, xxhash.Sum64(value)))
}

// CommitLone is Commit for it.
func (s *Segment) CommitLone(c Cursor, size int) {
	mapping.Release32(s.data, int(c.Position), uint32(FrameBytes+size))
}

// Seal commits the end marker at c: the log goes on in the segment that is
// named by the next offset, which must exist under that name already.
func (s *Segment) Seal(c Cursor) {
	f := Frame{Length: FrameBytes, Base: s.Base + c.Count, Time: s.LastTime(), attrs: attrEnd}
	putFrame(s.data, c.Position, s.Epoch, &f, emptySum)
	s.word32(c.Position).Store(FrameBytes)
}

// Committed reports whether a commit word is there at pos, verified or not.
func (s *Segment) Committed(pos int64) bool { return s.word32(pos).Load() != 0 }

// Fetch has the processor fetch the cache line of pos, if the segment goes as far.
func (s *Segment) Fetch(pos int64) {
	if pos <= s.Size-CommitBytes {
		s.word32(pos).Load()
	}
}

// Read decodes and verifies the frame at pos, whose first record must have the
// offset want. It returns ErrNoFrame when nothing is committed there, and a
// *BadFrameError when the bytes are not that frame.
func (s *Segment) Read(pos, want int64, f *Frame) error {
	err := readFrame(s.data, pos, s.Epoch, f)
	if err == ErrNoFrame && s.hasMoreBehind(pos) {
		// Either it was committed since we looked, or its commit word was wiped out.
		if err = readFrame(s.data, pos, s.Epoch, f); err == ErrNoFrame {
			err = &BadFrameError{Position: pos, Reason: "zeros where a batch was"}
		}
	}
	if err != nil {
		return err
	}
	if f.Base != want {
		return misplaced(f, want)
	}
	if f.IsEnd() && want == s.Base { // who followed it would come here again, for ever
		return &BadFrameError{Position: pos, Reason: "an end marker that leads back to its own segment"}
	}
	return nil
}

func misplaced(f *Frame, want int64) error {
	return &BadFrameError{Position: f.Position, Reason: fmt.Sprintf("base offset %d where %d belongs", f.Base, want)}
}

// hasMoreBehind reports whether the marks say that something was committed at
// pos. Both are stored after that.
func (s *Segment) hasMoreBehind(pos int64) bool {
	return pos < s.Tail().Position || pos < s.Durable().Position
}

// A Scan is the result of walking over committed batches.
type Scan struct {
	End    Cursor // after the last batch that verified
	Time   int64  // append time of that batch, or what the scan began with
	Sealed bool   // an end marker stands at End
	Bad    error  // a *BadFrameError when the walk ended at bytes that do not verify
}

// Scan walks from the cursor c over all committed batches that verify, calling
// visit (if not nil) with each; the frame is valid during the call.
func (s *Segment) Scan(c Cursor, visit func(*Frame)) Scan {
	result := Scan{End: c, Time: s.Floor}
	var f Frame
	for {
		err := s.Read(result.End.Position, s.Base+result.End.Count, &f)
		switch {
		case errors.Is(err, ErrNoFrame):
			return result
		case err != nil:
			result.Bad = err
			return result
		case f.IsEnd():
			result.Sealed = true
			result.Time = max(result.Time, f.Time)
			return result
		}
		if visit != nil {
			visit(&f)
		}
		result.Time = max(result.Time, f.Time)
		result.End = Cursor{Position: f.Next(), Count: result.End.Count + int64(f.Count)}
	}
}

// ResyncBudget is how many bytes one walk over the segment may hash to get past
// damage: hostile bytes may hold any number of headers that promise long bodies.
// Of honest bytes a walk hashes each once or twice.
func (s *Segment) ResyncBudget() int64 { return 4 * s.Size }

// Resync looks behind damage at pos for the next frame that verifies and whose
// offsets are not below want. It reports false when there is none, or when it
// would hash more than the budget, which it lowers by what it hashes.
func (s *Segment) Resync(pos, want int64, f *Frame, budget *int64) bool {
	damaged := pos
	for pos = aligned(pos + 1); pos <= s.Size-FrameBytes && *budget > 0; pos += frameAlign {
		length := int64(s.word32(pos).Load())
		attrs := s.word32(pos+4).Load() & 0xff
		base := int64(s.word64(pos + 8).Load())
		// A record takes a byte or more, so offsets cannot outrun positions. Values
		// may hold what looks like batches, and must not use the budget up.
		if length < FrameBytes || length > s.Size-pos || attrs&^attrKnown != 0 || base < want || base-want > pos-damaged {
			continue
		}
		*budget -= length
		if readFrame(s.data, pos, s.Epoch, f) == nil && f.Base >= want {
			return true
		}
	}
	return false
}

// ZeroFrom overwrites everything from pos on with zeros, leaving pages alone
// that are zero already. It is for recovery, when nobody else uses the log.
func (s *Segment) ZeroFrom(pos int64) {
	for pos < s.Size {
		end := min((pos|4095)+1, s.Size)
		page := s.data[pos:end]
		if !allZero(page) {
			clear(page)
		}
		pos = end
	}
}

// LastNonZero returns the position after the last byte of [pos, end) that is not
// zero, or pos.
func (s *Segment) LastNonZero(pos, end int64) int64 {
	end = max(pos, min(end, s.Size))
	for end-4096 > pos && allZero(s.data[end-4096:end]) {
		end -= 4096
	}
	for end > pos && s.data[end-1] == 0 {
		end--
	}
	return end
}

// Bytes returns the mapped file, for copying aside and for display.
func (s *Segment) Bytes() []byte { return s.data }

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
