package reader_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
)

// A stranger cuts what a reader that waits looks at, and gives it back its length,
// again and again: the segment, the control file, the wake file. That may cost the
// reader errors, never its process; and a fault is told as what it is.
func TestFilesCutUnderWaitingReader(t *testing.T) {
	skipCuts(t)
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux is it sure that a fault is a signal that Go makes a panic of")
	}
	for name, spin := range map[string]bool{"sleeping": false, "spinning": true} {
		t.Run(name, func(t *testing.T) {
			dir, w := newLog(t)
			appendTexts(t, w, "a")
			r := newReader(t, openSource(t, dir), reader.Options{Until: reader.Unbounded, Spin: spin})
			wantNext(t, r, 0, "a")

			var cuts atomic.Int32
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					for _, path := range []string{dir.Segment(0), dir.Control(), dir.Wake()} {
						select {
						case <-stop:
							return
						default:
						}
						cutForAMoment(t, path)
						cuts.Add(1)
					}
				}
			}()
			for began := time.Now(); cuts.Load() < 300 && time.Since(began) < 10*time.Second; {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
				err := r.Next(ctx, new(segment.Record))
				cancel()
				var cut *fault.Error
				if err == nil || !errors.As(err, &cut) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, segment.ErrDamaged) {
					t.Errorf("with the files being cut: %v", err)
				}
			}
			close(stop)
			<-stopped
		})
	}
}

// cutForAMoment takes a file's bytes from it and puts them back.
func cutForAMoment(t *testing.T, path string) {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Millisecond)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Millisecond)
}
