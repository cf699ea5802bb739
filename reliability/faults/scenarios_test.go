package faults_test

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
	mlog "github.com/seed27ccf144/mlog/log"
)

// A scenario is a piece of a log's life: what goes before, without a fault, and
// the piece itself. It goes on after errors, as far as that makes sense: what it
// may not get are wrong results.
type scenario struct {
	name    string
	prepare func(w *world)
	run     func(w *world)
}

var scenarios = []scenario{
	{"create", func(w *world) {}, func(w *world) {
		w.open()
		w.append("first")
		w.close()
	}},
	{"open", closedLog, func(w *world) {
		w.open()
		w.append("again")
		w.close()
	}},
	{"append", openLog, func(w *world) {
		for range 20 {
			w.append("a", "b")
		}
	}},
	{"roll with spare", openLog, func(w *world) {
		w.append(big("first"))
		for range 2 {
			w.append(big("second"))
			w.append(big("third, behind the middle"))
			w.await(func() bool { return w.exists("spare") })
			w.append(big("rolls"))
		}
	}},
	{"roll without spare", openLog, func(w *world) {
		// While somebody else is at it, no keeper makes a spare.
		lock, err := filelock.TryExclusive(layout.Dir(w.dir).SpareLock(), 0o600)
		w.note(err)
		defer lock.Release()
		w.fill(10)
	}},
	{"durable", openLog, func(w *world) {
		for i := range 8 {
			w.appendDurable(big("durable"))
			if i%3 == 0 {
				w.append("visible")
			}
		}
	}},
	{"background flush", closedLog, func(w *world) {
		o := w.options()
		o.FlushEvery = time.Millisecond
		w.openWith(o)
		w.append("flushed soon")
		w.await(func() bool {
			if w.log == nil {
				return true
			}
			durable, err := w.log.DurableOffset()
			return !w.note(err) || durable == w.end
		})
	}},
	{"sync and close", openLog, func(w *world) {
		w.fill(4)
		if w.writer != nil {
			w.note(w.writer.Sync(context.Background()))
		}
		w.append("after the sync")
		w.close()
	}},
	{"retention", func(w *world) {
		openLog(w)
		w.fill(8)
		w.retained = 7
	}, func(w *world) {
		if w.note(w.log.SetRetention(mlog.Retention{Bytes: 3 * smallest})) {
			w.fill(9)
			w.await(func() bool {
				start, err := w.log.StartOffset()
				return !w.note(err) || w.end-start <= 9
			})
		}
	}},
	{"trim", func(w *world) {
		openLog(w)
		w.fill(12)
		w.retained = 4
	}, func(w *world) {
		_, err := w.log.Trim(context.Background(), mlog.TrimOptions{Keep: mlog.Retention{Bytes: 2 * smallest}})
		w.note(err)
	}},
	{"group", closedLog, func(w *world) {
		if !w.openToRead(w.options()) {
			return
		}
		w.useGroup()
	}},
	{"takeover of the lock", func(w *world) {
		openLog(w)
		deadOwner(w, 128)
	}, func(w *world) {
		w.append("after a death")
		w.append("and another")
	}},
	{"takeover of the sync", func(w *world) {
		openLog(w)
		deadOwner(w, 256)
	}, func(w *world) {
		w.appendDurable("after a death")
		w.appendDurable("and another")
	}},
	{"reboot", func(w *world) {
		openLog(w)
		w.fill(7)
		reboot(w)
	}, func(w *world) {
		w.open()
		w.append("after the reboot")
	}},
	{"reboot, torn", func(w *world) {
		openLog(w)
		w.fill(7)
		reboot(w)
		tear(w)
	}, func(w *world) {
		w.open()
		w.append("after the reboot")
	}},
	{"reboot, segments behind the end", func(w *world) {
		o := w.options()
		o.FlushEvery = -1 // what is flushed, as full segments are at once, cannot be lost
		w.openWith(o)
		w.append("prepared")
		w.fill(8)
		reboot(w)
		loseMiddle(w)
	}, func(w *world) {
		w.open()
		w.append("after the reboot")
	}},
}

// closedLog leaves a log of some segments, and nobody who uses it.
func closedLog(w *world) {
	openLog(w)
	w.fill(7)
	w.close()
	w.mayPoison = false
}

// openLog makes a log with one record and a producer.
func openLog(w *world) {
	w.open()
	w.append("prepared")
}

// useGroup joins, commits, leaves and comes back. What was committed last is what
// the next member gets.
func (w *world) useGroup() {
	committed := int64(-1)
	for range 2 {
		g, err := w.log.Group("readers")
		if !w.note(err) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		if w.note(g.Join(ctx)) {
			if at, ok := g.Committed(); ok != (committed >= 0) || ok && at != committed {
				w.breach("the group is at %d (%t), committed was %d", at, ok, committed)
			}
			for range 3 {
				// A commit that failed may have got there or not, and is made again.
				if err := g.Commit(committed + 1); !w.note(err) {
					err = g.Commit(committed + 1)
					if !w.note(err) {
						break
					}
				}
				committed++
			}
		}
		cancel()
		w.note(g.Close())
	}
}

// deadOwner leaves a lock of the control file as a producer does that was killed.
func deadOwner(w *world, lockWord int64) {
	const slot = 7
	dir := layout.Dir(w.dir)
	f, err := os.OpenFile(dir.Control(), os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(binary.LittleEndian.AppendUint32(nil, slot), lockWord)
		f.Close()
	}
	if err == nil {
		err = os.WriteFile(dir.Slot(slot), nil, 0o600)
	}
	w.note(err)
}

// reboot puts a copy in the place of the log, of which the disk has all.
func reboot(w *world) {
	before := filepath.Join(w.root, "before")
	err := copyLog(w.dir, before)
	w.close()
	w.mayPoison = false
	if err == nil {
		err = os.RemoveAll(w.dir)
	}
	if err == nil {
		err = os.Rename(before, w.dir)
	}
	w.note(err)
}

// lastSegments returns the paths of the segments.
func segments(w *world) []string {
	paths, err := filepath.Glob(filepath.Join(w.dir, "*.seg"))
	w.note(err)
	slices.Sort(paths)
	return paths
}

// tear has the newest batch be torn, which nobody was promised.
func tear(w *world) {
	paths := segments(w)
	w.overwrite(paths[len(paths)-1], big("record 6 "), "torn")
	delete(w.records, w.end-1)
	w.end--
}

// loseMiddle has the last batch before the newest segment be torn: so that
// segment is behind the log's end, and goes aside.
func loseMiddle(w *world) {
	paths := segments(w)
	newest, ok := layout.ParseSegmentName(filepath.Base(paths[len(paths)-1]))
	if !ok || newest < 1 {
		w.breach("the newest segment is %s", paths[len(paths)-1])
		return
	}
	w.overwrite(paths[len(paths)-2], w.records[newest-1], "torn")
	for offset := newest - 1; offset < w.end; offset++ {
		delete(w.records, offset)
	}
	w.end = newest - 1
}

// overwrite replaces the beginning of a text in a file by another one.
func (w *world) overwrite(path, text, by string) {
	data, err := os.ReadFile(path)
	if !w.note(err) {
		return
	}
	at := lastIndex(data, text)
	if at < 0 {
		w.breach("%s does not hold %q", path, brief(text))
		return
	}
	copy(data[at:], by)
	w.note(os.WriteFile(path, data, 0o600))
}
