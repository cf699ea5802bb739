package writer_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/writer"
)

// A producer that joins after mending has looked for live ones, and before it takes
// the control file away, is seen by its second look: it gives the file back, has
// changed nothing, and the producer goes on.
func TestMendSeesAProducerThatJoinsMeanwhile(t *testing.T) {
	dir := newDamaged(t, true)
	position := positionsOf(t, dir, 3)[1] + 100
	logtest.Overwrite(t, dir, 3, position, []byte("garbage!"))
	control, err := os.Stat(dir.Control())
	if err != nil {
		t.Fatal(err)
	}
	var joined *writer.Writer
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "rename" && c.Path == dir.Control() && joined == nil {
			joined = openWriter(t, dir)
		}
		return do()
	})
	defer stop()
	m, err := writer.Mend(context.Background(), dir, writer.Options{Logger: slog.New(slog.DiscardHandler)}, true)
	if joined == nil {
		t.Fatal("mending did not come to take the control file away, so this tested nothing")
	}
	if err == nil || !strings.Contains(err.Error(), "1 producers are live") || m.Done {
		t.Errorf("with a producer that joined, mending gave %v, %+v", err, m)
	}
	if now, err := os.Stat(dir.Control()); err != nil || !os.SameFile(control, now) {
		t.Errorf("the control file is not back in its place: %v", err)
	}
	if data, err := os.ReadFile(dir.Segment(3)); err != nil || string(data[position:position+8]) != "garbage!" {
		t.Errorf("the damage is not as it was: %v", err)
	}
	// It appends, and so does the next: in one log.
	other := openWriter(t, dir)
	for i, w := range []*writer.Writer{joined, other, joined} {
		if base := mustAppend(t, w, "after"); base != int64(10+i) {
			t.Errorf("offset %d was given out, want %d", base, 10+i)
		}
	}
	if got := readAround(t, dir); len(got) != 13 || !slices.Equal(got[10:], []string{"after", "after", "after"}) {
		t.Errorf("read %q", got)
	}
}
