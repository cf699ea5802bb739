package writer_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// A process that is killed while it makes an index leaves a file of a name of its
// own. Retention removes it with, or after, the segment: in a log whose processes are
// killed often they would add up until the next boot. That of a segment that is there
// may be somebody's who lives.
func TestRetentionRemovesUnfinishedIndexes(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for range 9 {
		mustAppend(t, w, big("x"))
	}
	bases, err := dir.Segments()
	if err != nil || len(bases) < 3 {
		t.Fatalf("segments %v, %v", bases, err)
	}
	dropped, kept := files.TempName(dir.Index(bases[0])), files.TempName(dir.Index(bases[len(bases)-1]))
	for _, path := range []string{dropped, kept} {
		if err := os.WriteFile(path, []byte("half an index"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	meta := readMeta(t, dir)
	if err := dir.WriteRetention(&meta, layout.Retention{Bytes: 2 * segment.MinBytes}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, w, big("y"), big("y"), big("y")) // which rolls
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if now, err := dir.Segments(); err != nil || now[0] <= bases[0] || now[0] > bases[len(bases)-1] {
		t.Fatalf("segments %v, %v: nothing was dropped, or too much", now, err)
	}
	if _, err := os.Stat(dropped); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is left of the index of a segment that was dropped is there: %v", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("what somebody may be making for a segment that is there: %v", err)
	}
}
