package wake

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
)

// FuzzWake gives the wake file any content and length, before it is opened and
// then while it is mapped: whoever may read a log may do that. Nobody may be held
// up by it, and the length is put right.
func FuzzWake(f *testing.F) {
	f.Add([]byte{}, uint16(0), uint32(0), uint32(0))
	f.Add(make([]byte, layout.WakeBytes), uint16(layout.WakeBytes), uint32(1<<32-1), uint32(1))
	f.Add([]byte{1, 2, 3}, uint16(3), uint32(7), uint32(1<<31))
	f.Add(make([]byte, 2*layout.WakeBytes), uint16(1), uint32(0), uint32(2))
	dir := layout.Dir(f.TempDir())
	f.Fuzz(func(t *testing.T, content []byte, length uint16, sequence, flag uint32) {
		if err := os.WriteFile(filepath.Clean(dir.Wake()), content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		file.sequence.Store(sequence)
		file.flag.Store(flag)
		if err := os.Truncate(dir.Wake(), int64(length)); err != nil {
			t.Skip("this system cuts no file that is mapped: ", err)
		}
		file.Signal()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Microsecond)
		defer cancel()
		room := NewRoom(file)
		_ = room.Wait(ctx, never)
		file.Signal()
		_ = WaitAny(ctx, []*Room{room}, never)
		file.SignalAlways()
		fi, err := os.Stat(dir.Wake())
		if err != nil {
			t.Fatal(err)
		}
		// What is left of its one page works as it is; only with nothing left do its
		// users fault.
		if fi.Size() == 0 || length == 0 && fi.Size() != layout.WakeBytes {
			t.Errorf("cut to %d bytes, the file has %d at the end", length, fi.Size())
		}
	})
}
