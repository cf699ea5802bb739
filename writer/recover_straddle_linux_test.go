package writer_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
)

// A batch that one recovery cut must not come back after the next power loss, in the
// place of another record of the same offset.
//
// Its 32-byte header crosses a page: commit word, count and offset in page A, time and
// checksum and the body in page B. First power loss: B was written back, A was not.
// Recovery sees no header of this life, so in a recycled segment B stays. Another record
// of the same length then gets the same offset and place. Second power loss: A was
// written back, B was not.
func TestCutBatchDoesNotComeBack(t *testing.T) {
	const page = 4096
	for _, ahead := range []int64{8, 16} { // bytes of the header in page A
		dir, last, _ := recycledEnd(t)
		path := dir.Segment(last)
		w := openWriter(t, dir)
		s := logtest.MapSegment(t, dir, last)
		if s.Origin != segment.Recycled {
			t.Fatal(s.Origin)
		}
		at := s.Tail().Position
		place := (at+segment.FrameBytes)/page*page + 2*page - ahead
		mustAppend(t, w, strings.Repeat("f", int(place-at)-segment.FrameBytes)) // durable
		w.Close()
		if got := s.Tail().Position; got != place {
			t.Fatalf("at %d, want %d", got, place)
		}
		reboot(t, dir)
		w = openWriter(t, dir)
		before, _ := os.ReadFile(path) // all of it is on disk
		ghost := "GHOST" + strings.Repeat("g", 195)
		lost := mustAppend(t, w, ghost) // visible, not durable
		after, _ := os.ReadFile(path)
		w.Close()

		pageB := (place + ahead) / page * page
		disk := bytes.Clone(before)
		copy(disk[pageB:pageB+page], after[pageB:pageB+page]) // the only page that was written back
		if err := os.WriteFile(path, disk, 0o600); err != nil {
			t.Fatal(err)
		}
		reboot(t, dir)
		w = openWriter(t, dir) // the first recovery
		if rest := bytes.Trim(mustRead(t, path)[place:], "\x00"); len(rest) != 0 {
			t.Errorf("%d bytes behind the end are not zero after recovery", len(rest))
		}
		disk, _ = os.ReadFile(path) // what recovery has synced
		truth := "TRUTH" + strings.Repeat("t", 195)
		if got := mustAppend(t, w, truth); got != lost {
			t.Fatalf("offset %d, want %d", got, lost)
		}
		if texts := readAll(t, dir); texts[len(texts)-1] != truth {
			t.Fatal("not visible")
		}
		after, _ = os.ReadFile(path)
		w.Close()

		pageA := place / page * page
		copy(disk[pageA:pageA+page], after[pageA:pageA+page])
		if err := os.WriteFile(path, disk, 0o600); err != nil {
			t.Fatal(err)
		}
		reboot(t, dir)
		openWriter(t, dir).Close() // the second recovery
		wantSound(t, dir)
		if texts := readAll(t, dir); strings.HasPrefix(texts[len(texts)-1], "GHOST") {
			t.Errorf("%d bytes of the header in page A: record %d, which the first recovery cut and which TRUTH replaced, is back: %.8s", ahead, lost, texts[len(texts)-1])
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
