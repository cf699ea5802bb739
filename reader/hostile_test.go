package reader_test

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
)

// TestDirectoryInPlaceOfSegment: what is no file is damage, which a reader may
// step over as any other.
func TestDirectoryInPlaceOfSegment(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 1500)
	all := bases(t, dir)
	path := dir.Segment(all[1])
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Skip("this system removes no file that is mapped: ", err)
	}
	r := newReader(t, openSource(t, dir), following(all[1]-1))
	wantNext(t, r, all[1]-1, numberedText(int(all[1]-1)))
	var rec segment.Record
	_, err := r.TryNext(&rec)
	var damage *segment.DamageError
	if !errors.As(err, &damage) || damage.First != all[1] || damage.Last != all[2]-1 {
		t.Fatalf("%v; want offsets %d to %d to be damaged", err, all[1], all[2]-1)
	}
	if err := r.SkipDamage(); err != nil {
		t.Fatal(err)
	}
	wantNext(t, r, all[2], numberedText(int(all[2])))
}

// TestSkipNeverGoesBack: a hostile producer's batch promises more offsets than are
// left in its segment. What was handed out is not handed out again behind it.
func TestSkipNeverGoesBack(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 1500)
	second := bases(t, dir)[1]
	batches, _ := logtest.Batches(t, dir, 0)
	hit := batches[len(batches)-2]
	overpromise(t, logtest.MapSegment(t, dir, 0), hit, func(raw []byte) { logtest.Overwrite(t, dir, 0, hit.Position, raw) })

	r := newReader(t, openSource(t, dir), following(hit.Base-1))
	wantNext(t, r, hit.Base-1, numberedText(int(hit.Base-1)))
	last := hit.Base - 1
	for {
		var rec segment.Record
		ok, err := r.TryNext(&rec)
		switch {
		case ok && rec.Offset <= last:
			t.Fatalf("offset %d after %d", rec.Offset, last)
		case ok:
			last = rec.Offset
			continue
		case err != nil && r.SkipDamage() == nil:
			if r.Offset() <= second {
				t.Fatalf("stepping over damage leads back to offset %d", r.Offset())
			}
			continue
		}
		return
	}
}

// overpromise makes a batch claim a record for each byte of its body, with the
// right checksum. The body is zeros: as many empty values.
func overpromise(t *testing.T, s *segment.Segment, f segment.Frame, store func([]byte)) {
	t.Helper()
	raw := append([]byte{}, s.Bytes()[f.Position:f.Position+f.Length]...)
	raw[5], raw[6], raw[7] = byte(len(f.Body)), 0, 0
	clear(raw[segment.FrameBytes:])
	var b [40]byte
	binary.LittleEndian.PutUint64(b[:], s.Epoch+uint64(f.Position))
	copy(b[8:32], raw[:24])
	binary.LittleEndian.PutUint64(b[32:], xxhash.Sum64(raw[segment.FrameBytes:]))
	binary.LittleEndian.PutUint64(raw[24:], xxhash.Sum64(b[:]))
	store(raw)
}
