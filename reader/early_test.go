package reader_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// A reader that came before the first producer has no place yet. What lies in its
// way when it first looks, it can step over like any other reader.
func TestReaderOfEmptyLogStepsOver(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(*testing.T, layout.Dir, *writer.Writer, int64)
		want error
	}{
		"what retention dropped": {func(t *testing.T, _ layout.Dir, w *writer.Writer, first int64) {
			if _, _, err := w.Trim(context.Background(), writer.Limits{Before: first}); err != nil {
				t.Fatal(err)
			}
		}, reader.ErrOutOfRange},
		"a damaged segment": {func(t *testing.T, dir layout.Dir, _ *writer.Writer, _ int64) {
			if err := os.WriteFile(dir.Segment(0), make([]byte, smallest), 0o600); err != nil {
				t.Fatal(err)
			}
		}, segment.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			dir := layout.Dir(filepath.Join(t.TempDir(), "log"))
			if _, err := dir.Create(context.Background(), layout.Settings{SegmentBytes: smallest, Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			r := newReader(t, openSource(t, dir), following(0))
			w := openWriter(t, dir)
			long := strings.Repeat(".", smallest/3)
			for range 4 {
				appendTexts(t, w, long)
			}
			row := bases(t, dir)
			if len(row) < 2 {
				t.Fatalf("segments %v", row)
			}
			c.lose(t, dir, w, row[1])
			var rec segment.Record
			if ok, err := r.TryNext(&rec); ok || !errors.Is(err, c.want) {
				t.Fatalf("first look: %v, %v; want %v", ok, err, c.want)
			}
			if err := r.SkipDamage(); err != nil {
				t.Fatal(err)
			}
			wantNext(t, r, row[1], long)
		})
	}
}
