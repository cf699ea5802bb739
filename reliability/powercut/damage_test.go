package powercut

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
)

// TestDamageIsNoTornEnd: what looks like the work of a power loss, but lies below
// a durable mark, is reported and never cut. So the simulator's "no false damage"
// is not had by taking all damage for a torn end.
func TestDamageIsNoTornEnd(t *testing.T) {
	const images = 40
	rng := rand.New(rand.NewPCG(*seed, 1))
	base := scratch(t)
	for n := range images {
		dir := filepath.Join(base, strconv.Itoa(n))
		batches := fillDurably(t, dir, rng)
		if err := os.Remove(filepath.Join(dir, "control")); err != nil {
			t.Fatal(err)
		}
		b := batches[rng.IntN(len(batches))]
		path, before := spoil(t, dir, b, rng)
		judgeSpoilt(t, dir, b, path, before)
		if t.Failed() {
			t.Fatalf("image %d of seed %d", n, *seed)
		}
	}
}

// fillDurably makes a log of some segments, all of it durable and marked so, and
// returns its batches.
func fillDurably(t *testing.T, dir string, rng *rand.Rand) []*batch {
	t.Helper()
	p, err := openProducer(dir, mlog.Options{SegmentBytes: segmentBytes})
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(*seed)
	var batches []*batch
	for range 20 + rng.IntN(40) {
		b := l.begin(rng, mixed)
		if b.offset, err = p.visible.AppendBatch(t.Context(), b.records); err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
	if err := p.log.Close(); err != nil { // makes it durable, and the marks as well
		t.Fatal(err)
	}
	return batches
}

// spoil overwrites a sector of a batch with zeros, or turns a byte of it over, and
// returns the segment and what it holds now.
func spoil(t *testing.T, dir string, b *batch, rng *rand.Rand) (path string, content []byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Backward(paths) { // the last segment that does not begin behind the batch
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if int64(binary.LittleEndian.Uint64(content[32:])) > b.offset {
			continue
		}
		at := positionOf(t, content, b.offset)
		length := int(binary.LittleEndian.Uint32(content[at:]))
		if rng.IntN(2) == 0 {
			content[at+rng.IntN(length)] ^= 1 << rng.IntN(8)
		} else {
			sector := (at + rng.IntN(length)) / sectorBytes * sectorBytes
			clear(content[max(sector, at):min(sector+sectorBytes, at+length)])
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path, content
	}
	t.Fatalf("no segment holds offset %d", b.offset)
	return "", nil
}

// positionOf walks over the batches of an intact segment.
func positionOf(t *testing.T, content []byte, offset int64) int {
	t.Helper()
	for at := headerBytes; at < len(content); {
		length := int(binary.LittleEndian.Uint32(content[at:]))
		if length == 0 {
			break
		}
		if int64(binary.LittleEndian.Uint64(content[at+8:])) == offset && content[at+4]&0x80 == 0 {
			return at
		}
		at += (length + 7) / 8 * 8
	}
	t.Fatalf("no batch begins at offset %d", offset)
	return 0
}

// judgeSpoilt opens the log for appending, whether or not that is refused, and
// demands that a reader be told, and that nothing be cut.
func judgeSpoilt(t *testing.T, dir string, b *batch, path string, before []byte) {
	t.Helper()
	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Writer(mlog.WriterOptions{}); err != nil && !errors.Is(err, mlog.ErrDamaged) {
		t.Errorf("opening for appending: %v", err)
	}
	r, err := l.Reader(mlog.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var damage *mlog.DamageError
	for {
		_, ok, err := r.TryNext()
		if errors.As(err, &damage) || err == nil && !ok {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if damage == nil || damage.First != b.offset || damage.Last < b.end()-1 {
		t.Errorf("offsets %d to %d were spoilt, and the reader met %v at offset %d", b.offset, b.end()-1, damage, r.Offset())
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(before[headerBytes:]) != string(after[headerBytes:]) || len(cutNames(dir)) > 0 {
		t.Errorf("recovery changed damaged bytes; cut/ holds %q", cutNames(dir))
	}
}
