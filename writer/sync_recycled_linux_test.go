//go:build linux

package writer_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
)

// In a recycled file no sync reaches behind the records, but for the first two of a
// segment: there are only bytes of an earlier life. The header's page is still written
// as often as elsewhere.
func TestSyncsOfRecycledFiles(t *testing.T) {
	dir, w := cappedLog(t)
	mustAppend(t, w, big("x")) // another two fit
	s := activeSegment(t, dir)
	base := s.Base
	if s.Origin != segment.Recycled {
		t.Fatalf("the active segment's file was %v", s.Origin)
	}
	var whole, headers, parts int
	var before int64 // the end of the records at the last sync
	page := int64(os.Getpagesize())
	defer seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		// By its name a file may be known from an earlier life.
		end := s.Tail().Position
		switch {
		case c.Op == "fdatasync" && !strings.HasSuffix(c.Path, ".idx"):
			whole++
			before = end
		case c.Op == "msync":
			if c.From > before || c.To != (end+segment.CommitBytes+page-1)&^(page-1) {
				t.Errorf("bytes %d to %d were synced; the records begin at %d at the latest, and end at %d", c.From, c.To, before, end)
			}
			before = end
			if c.From == 0 {
				headers++
			} else {
				parts++
			}
		}
		return do()
	})()
	const syncs = 2 + 3*17
	for i := range syncs {
		mustAppend(t, w, "a short one")
		if err := w.SyncAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		if end := base + 1 + int64(i) + 1; durableOffset(t, dir) != end {
			t.Fatalf("%d records are durable, want %d", durableOffset(t, dir), end)
		}
	}
	if headers != 3 || parts != 3*16 || whole < 2 {
		t.Errorf("%d syncs of whole files, %d with the header, %d of records only; want 2 or more, 3 and %d", whole, headers, parts, 3*16)
	}
}
