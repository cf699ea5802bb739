package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Options say what is judged.
type Options struct {
	// InUse says that producers may be appending right now. Then bytes behind
	// the last committed batch, words that lag, temporary files, the spare, the
	// unfinished segment, and files that retention removes meanwhile are not
	// judged.
	InUse bool

	// PowerLost says that the machine lost power, or that it was played, at some
	// time in this log's life, and that the log was recovered since. Then index
	// entries may point at batches that were cut, and the tail and last time of
	// full segments may be of another moment.
	PowerLost bool
}

// A Header is a name and a value that travel with a record.
type Header struct{ Name, Value []byte }

// A Record is one record of the log. Its slices are parts of the file that was
// read, and belong to the caller.
type Record struct {
	Offset     int64
	Time       int64  // nanoseconds since 1970
	Key        []byte // nil: none
	Value      []byte
	Headers    []Header
	Batch      int64 // offset of the first record of the batch that it came in
	BatchCount int   // records of that batch
}

// A Log is what a directory holds.
type Log struct {
	Start, End int64 // offsets of the first record, and after the last
	Segments   []Segment
	Records    []Record // without those that a repair gave up, see Batch.Lost

	// Durable is the highest offset below which a segment's durable mark says
	// that all is on disk; Start if none says anything.
	Durable int64

	// Active is the base offset of the segment in use, by the control file; -1
	// if there is no control file of this boot and place.
	Active  int64
	Control *Control // nil in the same case

	Meta      Meta
	Retention Retention
	Groups    map[string]Group

	// Notes are things that the page does not forbid, but which nothing in it
	// explains: files of unknown names, indexes without a segment.
	Notes []string
}

// A Breach is a place where a file is not as the page says.
type Breach struct {
	File     string // relative to the log's directory
	Position int64  // byte in the file; -1: the file as a whole
	Reason   string
}

func (b *Breach) Error() string {
	if b.Position < 0 {
		return fmt.Sprintf("%s: %s", b.File, b.Reason)
	}
	return fmt.Sprintf("%s at byte %d: %s", b.File, b.Position, b.Reason)
}

// mostBreaches bounds what is reported of a log that is wrong all over.
const mostBreaches = 20

// Read reads the log in dir, all of it, and judges it. The error joins a *Breach
// for each place that is not as docs/format.md says, the first 20 of them; it may
// also be one of the system. The Log holds what could be read even so, and is nil
// only if there is none.
func Read(dir string, o Options) (*Log, error) {
	c := &checker{dir: dir, Options: o}
	c.log = &Log{Active: -1, Groups: make(map[string]Group)}
	if !c.meta() {
		return nil, errors.Join(c.errs...)
	}
	// The control file comes before the segments: its words say what the
	// segments held at least, and those only grow.
	c.control()
	c.retention()
	c.wake()
	c.row()
	c.controlAgainstRow()
	c.indexes()
	c.groups()
	c.names()
	return c.log, errors.Join(c.errs...)
}

// A checker is one run of Read.
type checker struct {
	Options
	dir  string
	log  *Log
	errs []error
}

// breach notes that a file is not as the page says, at a byte or, with -1, as a
// whole.
func (c *checker) breach(file string, position int64, format string, args ...any) {
	c.fail(&Breach{File: file, Position: position, Reason: fmt.Sprintf(format, args...)})
}

func (c *checker) fail(err error) {
	if len(c.errs) < mostBreaches {
		c.errs = append(c.errs, err)
	}
}

func (c *checker) note(format string, args ...any) {
	c.log.Notes = append(c.log.Notes, fmt.Sprintf(format, args...))
}

// read returns the content of a file, and nil if it isn't there; whether it has
// to be is up to the caller.
func (c *checker) read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(c.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		c.fail(err)
		return nil
	}
	if data == nil {
		data = []byte{}
	}
	return data
}

// settled reports whether all that producers began is finished, so that hints
// must be exact: nobody is at work, and the lock of this boot is free and clean.
func (c *checker) settled() bool {
	return !c.InUse && c.log.Control != nil && c.log.Control.Lock == 0
}
