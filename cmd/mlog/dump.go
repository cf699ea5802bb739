package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/group"
	"github.com/seed27ccf144/mlog/internal/layout"
	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/segment"
)

func newDump() *command {
	c := &command{
		name: "dump", args: "PATH", argKind: argPath, minArgs: 1, maxArgs: 1,
		summary: "a log, or one of its files, structure by structure",
		examples: []string{
			`mlog dump orders`,
			`mlog dump orders/00000000000000000000.seg --records`,
			`mlog dump orders/00000000000000000000.idx`,
		},
		details: `Reads the files as they are, changes nothing and needs no producer to stop. What
is damaged is shown as such, and the batches behind it too.`,
		flags: newFlags("dump"),
	}
	records := c.flags.Bool("records", false, "also the records of each batch")
	c.run = func(std *streams, args []string) error {
		d := &dumper{w: bufio.NewWriterSize(std.out, flushAt), records: *records}
		err := d.path(args[0])
		if werr := d.w.Flush(); werr != nil {
			if readerGone(werr) {
				return nil
			}
			return fmt.Errorf("write to stdout: %w", werr)
		}
		return err
	}
	return c
}

// A dumper prints what is in files, one section a file.
type dumper struct {
	w        *bufio.Writer
	records  bool
	sections int
	bad      int       // what does not verify
	newer    int       // what is of a later format
	id       *[16]byte // of the log that is shown as a whole, if its meta can be read
	whole    bool      // a log, and not one file of it
}

func (d *dumper) path(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if fi.IsDir() {
		err = d.log(layout.Dir(path))
	} else {
		// The files of a log are not opened through symbolic links; what the
		// user names may be one.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		err = d.file(path)
	}
	switch {
	case err != nil && newerFormat(err) && !strings.Contains(err.Error(), newerAdvice):
		err = fmt.Errorf("%w; %s", err, newerAdvice)
	case err == nil && d.newer > 0:
		err = fmt.Errorf("of a later format than this build knows, see 'error' above: %d; %s", d.newer, newerAdvice)
	case err == nil && d.bad > 0:
		err = fmt.Errorf("damage found, see 'error' and 'bad' above: %d%w", d.bad, silent{mlog.ErrDamaged})
	}
	return err
}

// log prints all files of a log. It goes on after a file that cannot be read:
// a damaged log is what one wants to look into.
func (d *dumper) log(dir layout.Dir) error {
	if _, err := os.Stat(dir.Meta()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: not a log: it has no meta file; name a log's directory or one of its files", dir)
	}
	d.whole = true
	if m, err := dir.ReadMeta(); err == nil {
		d.id = &m.LogID
	}
	bases, err := dir.Segments()
	if err != nil {
		return err
	}
	paths := []string{dir.Meta(), dir.Retention(), dir.Control(), dir.Wake()}
	for _, base := range bases {
		paths = append(paths, dir.Segment(base), dir.Index(base))
	}
	groups, groupsErr := dir.GroupNames() // an error is shown behind what there is
	for _, name := range groups {
		paths = append(paths, dir.Group(name))
	}
	for _, path := range paths {
		// Segments come and go while one looks.
		if err := d.file(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.section(path, "a file that cannot be shown")
			d.problem(err)
		}
		if err := d.stopped(); err != nil {
			return err
		}
	}
	if groupsErr != nil {
		d.section(dir.Groups(), "the consumer groups")
		if errors.Is(groupsErr, fs.ErrNotExist) {
			d.field("state", "missing: there are no groups")
		} else {
			d.problem(groupsErr)
		}
	}
	d.producers(dir)
	d.others(dir)
	return nil
}

// stopped returns the error that ended the output, if one did: then there is no
// point in going on.
func (d *dumper) stopped() error {
	_, err := d.w.Write(nil)
	return err
}

// problem shows what is wrong with the structure that is shown.
func (d *dumper) problem(err error) {
	if newerFormat(err) {
		d.newer++
	} else {
		d.bad++
	}
	d.field("error", "%v", err)
}

// newerFormat tells a file that a later version wrote from a damaged one.
func newerFormat(err error) bool {
	var header *segment.HeaderError
	return errors.Is(err, layout.ErrIncompatible) || errors.As(err, &header) && header.Version
}

// ofLog shows the id of the log that a file belongs to, which must be that of
// the log in whose directory it lies.
func (d *dumper) ofLog(id [16]byte) {
	d.field("log id", "%x", id)
	if d.id != nil && id != *d.id {
		d.problem(fmt.Errorf("the file belongs to another log: the id in meta is %x", *d.id))
	}
}

// file prints one file, of the kind that its first bytes say.
func (d *dumper) file(path string) error {
	magic, err := readHead(path, 8)
	if err != nil {
		return err
	}
	show, ok := map[string]func(string) error{
		"mlogmeta": d.meta, "mlogretn": d.retention, "mlogctrl": d.control,
		"mlogsegm": d.segment, "mlogindx": d.index, "mloggrup": d.group,
	}[string(magic)]
	if !ok && filepath.Base(path) == filepath.Base(layout.Dir("").Wake()) {
		show, ok = d.wake, true // the one without a magic number
	}
	if !ok && isLockFile(path) {
		show, ok = d.lockFile, true
	}
	if !ok {
		return fmt.Errorf("%s: not a file of a log, or damaged: it begins with %q", path, magic)
	}
	sections := d.sections
	if err := show(path); err != nil {
		if d.sections == sections {
			return err // not even opened
		}
		d.problem(err)
	}
	return nil
}

// isLockFile tells by the name: nothing is in a lock file.
func isLockFile(path string) bool {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	parent, name := filepath.Base(filepath.Dir(abs)), filepath.Base(abs)
	return parent == filepath.Base(layout.Dir("").Producers()) ||
		parent == filepath.Base(layout.Dir("").Groups()) && strings.HasSuffix(name, filepath.Base(layout.Dir("").GroupLock("")))
}

func (d *dumper) lockFile(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	d.section(path, fmt.Sprintf("lock file, %d bytes", fi.Size()))
	return nil
}

// readHead returns the first bytes of a file, up to max.
func readHead(path string, max int) ([]byte, error) {
	f, err := files.Open(path, false) // never waits, as opening a FIFO would
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, max)
	n, err := io.ReadFull(f, b)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil
	}
	return b[:n], err
}

// maxSmallFile is more than any file but segments and indexes can have.
const maxSmallFile = 8192

func (d *dumper) section(path, what string) {
	if d.sections++; d.sections > 1 {
		fmt.Fprintln(d.w)
	}
	fmt.Fprintf(d.w, "%s: %s\n", filepath.Base(path), what)
}

func (d *dumper) field(name, format string, args ...any) {
	fmt.Fprintf(d.w, "  %-15s %s\n", name, oneLine(fmt.Sprintf(format, args...)))
}

func (d *dumper) meta(path string) error {
	b, err := readHead(path, maxSmallFile)
	if err != nil {
		return err
	}
	d.section(path, fmt.Sprintf("meta, %d bytes", len(b)))
	m, err := layout.DecodeMeta(b)
	if err != nil {
		return err
	}
	d.field("checksum", "ok")
	d.field("log id", "%x", m.LogID)
	d.field("segment bytes", "%d", m.SegmentBytes)
	d.field("created", "%s", timestamp(m.Created.UnixNano()))
	d.field("mode", "%#o", uint32(m.Mode))
	d.field("features", "compatible %#x, read-only-compatible %#x, incompatible %#x", m.Compat, m.ROCompat, m.Incompat)
	return nil
}

// logID returns the id that a file of a log carries at bytes 16 to 32.
func logID(b []byte) (id [16]byte) {
	if len(b) >= 32 {
		copy(id[:], b[16:])
	}
	return id
}

func (d *dumper) retention(path string) error {
	b, err := readHead(path, maxSmallFile)
	if err != nil {
		return err
	}
	d.section(path, fmt.Sprintf("retention, %d bytes", len(b)))
	r, err := layout.DecodeRetention(b, logID(b))
	if err != nil {
		return err
	}
	d.field("checksum", "ok")
	d.ofLog(logID(b))
	d.field("bytes", "%d%s", r.Bytes, noLimit(r.Bytes == 0))
	d.field("age", "%v%s", r.Age, noLimit(r.Age == 0))
	return nil
}

func noLimit(none bool) string {
	if none {
		return " (no limit)"
	}
	return ""
}

// control prints the words that producers share. They are valid in the boot
// that made them; of another boot the file says nothing.
func (d *dumper) control(path string) error {
	b, err := readHead(path, maxSmallFile)
	if err != nil {
		return err
	}
	d.section(path, fmt.Sprintf("control, %d bytes", len(b)))
	meta, err := layout.Dir(filepath.Dir(path)).ReadMeta()
	if err != nil && d.whole {
		d.field("state", "unknown: meta cannot be read, see there")
		return nil
	}
	if err != nil {
		return err
	}
	c, err := control.Open(path, meta.LogID, false)
	if errors.Is(err, control.ErrStale) {
		d.field("state", "stale: of another boot, or a copy; the next producer makes it anew")
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	d.field("lock", "%s", owner(c.Lock.Owner()))
	d.field("sync lock", "%s", owner(c.SyncLock.Owner()))
	d.field("active segment", "%d", c.Active.Load())
	d.field("durable offset", "%d", c.Durable.Load())
	d.field("sync from", "%d", c.SyncFrom.Load())
	d.field("named up to", "%d", c.Named.Load())
	d.field("failed sync", "%d (errno)", c.Poison.Load())
	d.field("counters", "takeovers %d, rolls %d, syncs %d", c.Takeovers.Load(), c.Rolls.Load(), c.Syncs.Load())
	return nil
}

func owner(slot uint32) string {
	if slot == 0 {
		return "free"
	}
	return fmt.Sprintf("producer %d", slot)
}

func (d *dumper) wake(path string) error {
	b, err := readHead(path, maxSmallFile)
	if err != nil {
		return err
	}
	d.section(path, fmt.Sprintf("wake, %d bytes", len(b)))
	return nil
}

func (d *dumper) group(path string) error {
	b, err := readHead(path, maxSmallFile)
	if err != nil {
		return err
	}
	d.section(path, fmt.Sprintf("consumer group, %d bytes", len(b)))
	offset, committed, err := group.Decode(b, logID(b))
	if err != nil {
		return err
	}
	d.field("checksum", "ok")
	d.ofLog(logID(b))
	if committed {
		d.field("committed", "%d", offset)
	} else {
		d.field("committed", "nothing")
	}
	return nil
}

func (d *dumper) producers(dir layout.Dir) {
	d.section(dir.Producers(), "lock files of producers")
	live, err := control.LiveSlots(dir)
	if err != nil {
		d.field("live", "unknown: %v", err)
		return
	}
	d.field("live", "%d", live)
}

// others lists what else lies in the directory: spare segments, bytes that
// recovery cut off, and what does not belong there.
func (d *dumper) others(dir layout.Dir) {
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		return // it was listed a moment ago; it is gone now
	}
	known := map[string]bool{}
	for _, path := range []string{dir.Meta(), dir.Retention(), dir.Control(), dir.Wake(), dir.Groups(), dir.Producers()} {
		known[filepath.Base(path)] = true
	}
	for _, e := range entries {
		if known[e.Name()] || strings.HasSuffix(e.Name(), ".seg") || strings.HasSuffix(e.Name(), ".idx") {
			continue
		}
		if fi, err := e.Info(); err == nil {
			d.section(e.Name(), fmt.Sprintf("%d bytes, %v", fi.Size(), fi.Mode()))
		}
	}
}

func timestamp(ns int64) string {
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z")
}
