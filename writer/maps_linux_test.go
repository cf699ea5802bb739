package writer_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/writer"
)

// heldFiles returns which of the log's files this process has open.
func heldFiles(t *testing.T, dir layout.Dir) (held []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		to, err := os.Readlink(link) // fails for the one that the listing had
		if err == nil && strings.HasPrefix(to, string(dir)) {
			held = append(held, to)
		}
	}
	return held
}

// heldWithoutName returns how many files of the log this process has open that have
// been removed.
func heldWithoutName(t *testing.T, dir layout.Dir) (held int) {
	t.Helper()
	for _, name := range heldFiles(t, dir) {
		if strings.HasSuffix(name, " (deleted)") {
			held++
		}
	}
	return held
}

// A producer keeps the files mapped that its segments left behind. Those that another
// process removes it gives back at its next roll, even if it appends all the time.
func TestRemovedFilesAreGivenBack(t *testing.T) {
	dir := newLog(t)
	setRetention(t, dir, layout.Retention{Bytes: 18 * smallest})
	w := openWriter(t, dir)
	other := openWriter(t, dir)
	for rows := 0; ; rows++ {
		if rows == 200 {
			t.Fatal("none of the removed files was mapped, so this tests nothing")
		}
		for range 3 {
			mustAppend(t, w, big("x"))
		}
		if rows%50 < 49 {
			time.Sleep(time.Millisecond) // the keeper's turn
			continue
		}
		if _, _, err := other.Trim(context.Background(), writer.Limits{Before: 1 << 60}); err != nil {
			t.Fatal(err)
		}
		if held := heldWithoutName(t, dir); held > 8 {
			break
		}
	}
	for range 3 {
		mustAppend(t, w, big("x"))
	}
	held := heldWithoutName(t, dir)
	for tries := 0; held > 0 && tries < 2000; tries++ { // the keeper may be late, but it gets nothing more to do
		time.Sleep(time.Millisecond)
		mustAppend(t, w, "y")
		held = heldWithoutName(t, dir)
	}
	if held > 0 {
		t.Errorf("after a roll %d removed files are open", held)
	}
	w.Close()
	readAll(t, dir)
}
