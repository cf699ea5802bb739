package reader_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// The first producer, of all or of this boot, comes while a consumer looks at the log:
// at each call of the system that the look makes, in turn. Whatever it has done when the
// look goes on, nothing is damaged.
func TestFirstProducerComesDuringLook(t *testing.T) {
	long := strings.Repeat(".", smallest/3)
	for was, prepare := range map[string]func(*testing.T) layout.Dir{
		"a new log": func(t *testing.T) layout.Dir {
			dir := layout.Dir(filepath.Join(t.TempDir(), "log"))
			if _, err := dir.Create(context.Background(), layout.Settings{SegmentBytes: smallest, Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		"a log of an earlier boot": func(t *testing.T) layout.Dir {
			dir, w := newLog(t)
			appendTexts(t, w, long)
			w.Close()
			if err := os.Remove(dir.Control()); err != nil {
				t.Fatal(err)
			}
			return dir
		},
	} {
		for does, come := range map[string]func(*testing.T, *writer.Writer){
			"rolls": func(t *testing.T, w *writer.Writer) {
				for range 5 {
					appendTexts(t, w, long)
				}
				if err := w.SyncAll(context.Background()); err != nil {
					t.Fatal(err)
				}
			},
			"rolls and trims": func(t *testing.T, w *writer.Writer) {
				for range 5 {
					appendTexts(t, w, long)
				}
				if _, _, err := w.Trim(context.Background(), writer.Limits{Before: 4}); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(was+", and one "+does, func(t *testing.T) {
				defer withoutSyncs(t)()
				for call := int64(1); ; call++ {
					dir := prepare(t)
					arrived := atCall(t, dir, call, func() { come(t, openWriter(t, dir)) }, func() { look(t, dir) })
					if !arrived && call < 5 {
						t.Fatalf("a look makes %d calls only, so this tested little", call-1)
					}
					if !arrived || t.Failed() {
						break
					}
				}
			})
		}
	}
}

// atCall runs look, and come before the call with this number that look makes about
// the log's directory. It reports whether there was one.
func atCall(t *testing.T, dir layout.Dir, call int64, come, look func()) bool {
	t.Helper()
	var n atomic.Int64 // the producer's keeper makes calls too
	stop := seam.Watch(filepath.Dir(string(dir)), func(_ seam.Call, do func() error) error {
		if n.Add(1) == call {
			come()
		}
		return do()
	})
	defer stop()
	look()
	return n.Load() >= call
}

// look asks for all that a consumer wants to know, and reads.
func look(t *testing.T, dir layout.Dir) {
	t.Helper()
	src := openSource(t, dir)
	r, err := reader.NewReader(src, following(0))
	if err == nil {
		defer r.Close()
		for range 3 {
			var rec segment.Record
			if _, err = r.TryNext(&rec); err != nil {
				break
			}
		}
	}
	if err != nil && !errors.Is(err, reader.ErrOutOfRange) {
		t.Errorf("reading: %v", err)
	}
	for what, ask := range map[string]func() (int64, error){"start": src.Start, "end": src.End, "durable": src.Durable} {
		if _, err := ask(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if damage, _, err := src.Glance(); len(damage) > 0 || err != nil {
		t.Errorf("at a glance: %v, %v", damage, err)
	}
}

// withoutSyncs has the logs of a test not wait for the disk, until the function that it
// returns is called. No power is lost there.
func withoutSyncs(t *testing.T) (stop func()) {
	return seam.Watch(filepath.Dir(t.TempDir()), func(c seam.Call, do func() error) error {
		if c.Op == "fsync" || c.Op == "fdatasync" || c.Op == "msync" {
			return nil
		}
		return do()
	})
}
