package writer_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
)

// Syncs of a part begin where the sync before ended, and reach behind the last
// record. The header's page, which they leave out, follows now and then.
func TestSyncsOfParts(t *testing.T) {
	const appends = 3 * 17
	dir := newLog(t)
	w := openWriter(t, dir)
	var whole, parts int
	before := int64(0) // the end of the records at the last sync
	end := func() int64 { return logtest.MapSegment(t, dir, 0).Tail().Position }
	stop := seam.Watch(filepath.Dir(string(dir)), func(c seam.Call, do func() error) error {
		switch {
		case c.Path != dir.Segment(0):
		case c.Op == "fdatasync":
			whole++
			before = end()
		case c.Op == "msync":
			parts++
			if page := int64(os.Getpagesize()); c.From > before || c.From%page != 0 || c.To < end()+4 {
				t.Errorf("bytes %d to %d were synced, want %d to %d among them", c.From, c.To, before, end()+4)
			}
			before = end()
		}
		return do()
	})
	defer stop()
	frame := func(n int) int64 { // of a value of n bytes
		from := end()
		mustAppend(t, w, strings.Repeat("x", n))
		return end() - from
	}
	const long = 1024
	overhead := frame(long) - long
	frame(int(2*long - end()%long - overhead))
	fits := int(long - overhead) // frames of such values end where pages end, every fourth
	records := int64(2)
	for i := range int64(appends) {
		if got := frame(fits); got != long {
			t.Fatalf("a frame of %d bytes, want %d", got, long)
		}
		if err := w.SyncAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := durableOffset(t, dir); got != records+i+1 {
			t.Fatalf("%d records are durable, want %d", got, records+i+1)
		}
	}
	if want := 4; whole != want || parts != appends-want {
		t.Errorf("%d syncs of all and %d of a part, want %d and %d", whole, parts, want, appends-want)
	}
}
