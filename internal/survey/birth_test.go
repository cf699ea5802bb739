package survey_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// The first producer, of all or of this boot, comes while the log is surveyed: at each
// call of the system that the survey makes, in turn. Whatever it has done when the
// survey goes on, nothing is damaged or torn.
func TestFirstProducerComesDuringSurvey(t *testing.T) {
	for was, prepare := range map[string]func(*testing.T) layout.Dir{
		"a new log": func(t *testing.T) layout.Dir {
			return emptyLog(t)
		},
		"a log of an earlier boot": func(t *testing.T) layout.Dir {
			dir := emptyLog(t)
			w := openWriter(t, dir)
			appendLong(t, w, 3)
			if err := w.SyncAll(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.Close()
			if err := os.Remove(dir.Control()); err != nil {
				t.Fatal(err)
			}
			return dir
		},
	} {
		for does, come := range map[string]func(*testing.T, layout.Dir, *writer.Writer){
			"rolls": func(t *testing.T, _ layout.Dir, w *writer.Writer) { appendLong(t, w, 5) },
			"drops": dropAll,
		} {
			t.Run(was+", and one "+does, func(t *testing.T) {
				defer withoutSyncs(t)()
				for call := int64(1); surveyWith(t, prepare(t), call, come) && !t.Failed(); call++ {
				}
			})
		}
	}
}

// surveyWith surveys a log to which a producer comes before the survey's call with
// this number, and reports whether there was one.
func surveyWith(t *testing.T, dir layout.Dir, call int64, come func(*testing.T, layout.Dir, *writer.Writer)) bool {
	t.Helper()
	var n atomic.Int64 // the producer's keeper makes calls too
	stop := seam.Watch(filepath.Dir(string(dir)), func(_ seam.Call, do func() error) error {
		if n.Add(1) == call {
			come(t, dir, openWriter(t, dir))
		}
		return do()
	})
	defer stop()
	r := run(t, dir)
	if len(r.Damage) > 0 || r.Torn != nil {
		t.Errorf("the producer came at call %d, and the survey found %+v", call, r)
	}
	arrived := n.Load() >= call
	if !arrived && call < 5 {
		t.Errorf("a survey makes %d calls only, so this tested little", n.Load())
	}
	return arrived
}

func emptyLog(t *testing.T) layout.Dir {
	t.Helper()
	dir := layout.Dir(filepath.Join(t.TempDir(), "log"))
	if _, err := dir.Create(context.Background(), layout.Settings{SegmentBytes: segment.MinBytes, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openWriter(t *testing.T, dir layout.Dir) *writer.Writer {
	t.Helper()
	w, err := writer.Open(context.Background(), dir, readMeta(t, dir), writer.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func appendLong(t *testing.T, w *writer.Writer, n int) {
	t.Helper()
	for range n {
		if _, err := w.Append(context.Background(), []segment.Record{{Value: make([]byte, 25_000)}}); err != nil {
			t.Error(err)
		}
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
