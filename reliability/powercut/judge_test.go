package powercut

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/survey"
	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

const logName = "log"

// A judge has an image recovered, and compares what comes of it with the ledger.
type judge struct {
	dir    string // of the log
	ledger *ledger
	tally  *tally
	seed   uint64
	arena  arena
	// What recovery left: whether the last segment, and another one, were recycled ones.
	recycledEnd, recycledSealed bool
}

func (j *judge) judge(im *image) error {
	if err := im.write(filepath.Dir(j.dir)); err != nil {
		return err
	}
	before, err := j.readFirst()
	if err != nil {
		return fmt.Errorf("a reader before any producer: %w", err)
	}
	after, err := j.recover(j.dir)
	if err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	if before > after.end {
		return fmt.Errorf("a reader saw offsets up to %d before recovery, which kept only those up to %d", before, after.end)
	}
	j.seeOrigins()
	if err := j.checkZeros(); err != nil {
		return err
	}
	if err := j.checkCut(im); err != nil {
		return err
	}
	if err := j.again(after); err != nil {
		return fmt.Errorf("second recovery: %w", err)
	}
	// From here on the log lives in another time line than the ledger's.
	j.ledger = j.ledger.clone()
	j.ledger.adopt(after)
	if err := j.goOn(); err != nil {
		return fmt.Errorf("after recovery: %w", err)
	}
	return nil
}

// seeOrigins looks what the segments' files were before.
func (j *judge) seeOrigins() {
	paths, _ := filepath.Glob(filepath.Join(j.dir, "*.seg"))
	for _, path := range paths {
		head, err := os.ReadFile(path)
		if err != nil || len(head) < headerBytes {
			continue
		}
		j.recycledSealed = j.recycledSealed || j.recycledEnd
		j.recycledEnd = binary.LittleEndian.Uint32(head[originAt:]) == recycledFile
	}
}

// endsRecycled reports whether the last segment of a log was another one before.
func endsRecycled(dir string) bool {
	paths, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	if len(paths) == 0 {
		return false
	}
	f, err := os.Open(paths[len(paths)-1])
	if err != nil {
		return false
	}
	defer f.Close()
	var origin [4]byte
	_, err = f.ReadAt(origin[:], originAt)
	return err == nil && binary.LittleEndian.Uint32(origin[:]) == recycledFile
}

// readFirst reads the image before anybody recovers it. It returns the offset
// behind the last record.
func (j *judge) readFirst() (int64, error) {
	l, err := mlog.Open(j.dir, mlog.Options{MustExist: true})
	if (errors.Is(err, fs.ErrNotExist) || errors.Is(err, mlog.ErrNotLog)) && j.ledger.durable == 0 {
		return 0, nil // no log yet
	}
	if err != nil {
		return 0, err
	}
	defer l.Close()
	r, err := readRow(l, &j.arena)
	if err != nil {
		return 0, err
	}
	if err := j.surveyed(); err != nil {
		return 0, err
	}
	return r.end, j.ledger.check(r)
}

// surveyed has the log verified as it is. A torn end is none of its damages, and
// what can be made anew does not count.
func (j *judge) surveyed() error {
	report, err := survey.Run(context.Background(), layout.Dir(j.dir), survey.Options{})
	if err != nil {
		return err
	}
	for _, d := range report.Damage {
		if d.Kind != survey.Derived {
			return fmt.Errorf("verify reports: %w", &d.What)
		}
	}
	return nil
}

// recover opens the log for appending, which recovers it, and closes it again.
func (j *judge) recover(dir string) (row, error) {
	time.Sleep(time.Millisecond) // no two recoveries are of the same time
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: segmentBytes, FlushEvery: -1})
	if err != nil {
		return row{}, err
	}
	defer l.Close()
	if _, err := l.Writer(mlog.WriterOptions{}); err != nil {
		return row{}, err
	}
	r, err := readRow(l, &j.arena)
	if err != nil {
		return r, err
	}
	if err := j.ledger.check(r); err != nil {
		return r, err
	}
	info, err := l.Info()
	if err != nil {
		return r, err
	}
	if len(info.Damage) > 0 || info.StartOffset != r.start || info.EndOffset != r.end || info.DurableOffset != r.end {
		return r, fmt.Errorf("the log from %d to %d is told to be %+v", r.start, r.end, info)
	}
	for _, g := range info.Groups {
		if g.Committed > r.end || g.Committed > j.ledger.committed {
			return r, fmt.Errorf("group %s committed %d; the log ends at %d, and no commit was above %d", g.Name, g.Committed, r.end, j.ledger.committed)
		}
	}
	return r, l.Close()
}

// again recovers a copy: nothing more may change.
func (j *judge) again(first row) error {
	copied := filepath.Join(filepath.Dir(j.dir), "copy")
	if err := os.CopyFS(copied, os.DirFS(j.dir)); err != nil {
		return err
	}
	second, err := j.recover(copied)
	if err != nil {
		return err
	}
	if first.start != second.start || first.end != second.end {
		return fmt.Errorf("offsets %d to %d have become %d to %d", first.start, first.end, second.start, second.end)
	}
	one, other := cutNames(j.dir), cutNames(copied)
	if len(one) != len(other) {
		return fmt.Errorf("cut/ held %q and holds %q", one, other)
	}
	return nil
}

// goOn appends to the recovered log, and has the independent checker read it.
func (j *judge) goOn() error {
	p, err := openProducer(j.dir, mlog.Options{FlushEvery: -1})
	if err != nil {
		return err
	}
	defer p.log.Close()
	rng := rand.New(rand.NewPCG(j.seed, 0))
	for _, w := range []*mlog.Writer{p.visible, p.durable, p.visible} {
		b := j.ledger.begin(rng, mixed)
		if b.offset, err = w.AppendBatch(context.Background(), b.records); err != nil {
			return err
		}
		j.ledger.durable = b.end() // all are there for every reader
	}
	j.ledger.see(j.dir)
	if err := p.log.Close(); err != nil {
		return err
	}
	found, err := check.Read(j.dir, check.Options{PowerLost: true})
	if err := butIndexes(err); err != nil {
		return fmt.Errorf("the checker: %w", err)
	}
	r := row{start: found.Start, end: found.End}
	for _, record := range found.Records {
		r.records = append(r.records, mlogRecord(record))
	}
	return j.ledger.check(r)
}

// butIndexes leaves out what the checker has to say of indexes that are not whole:
// they reach the disk in parts or not at all, and whoever needs one makes it anew.
// One with a valid checksum counts.
func butIndexes(err error) error {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	torn := make(map[string]bool)
	for _, err := range all.Unwrap() {
		var b *check.Breach
		if errors.As(err, &b) && strings.HasSuffix(b.File, ".idx") {
			for _, sign := range []string{"has ", "wrong magic", "wrong checksum"} {
				torn[b.File] = torn[b.File] || strings.HasPrefix(b.Reason, sign)
			}
		}
	}
	return errors.Join(slices.DeleteFunc(slices.Clone(all.Unwrap()), func(err error) bool {
		var b *check.Breach
		return errors.As(err, &b) && torn[b.File]
	})...)
}

func mlogRecord(r check.Record) mlog.Record {
	converted := mlog.Record{Offset: r.Offset, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		converted.Headers = append(converted.Headers, mlog.Header{Key: string(h.Name), Value: h.Value})
	}
	return converted
}

// An arena holds the bytes of the records that were read last.
type arena struct {
	bytes   []byte
	records []mlog.Record
}

func (a *arena) clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	from := len(a.bytes)
	a.bytes = append(a.bytes, b...)
	return a.bytes[from:len(a.bytes):len(a.bytes)]
}

// readRow reads all that is there now.
func readRow(l *mlog.Log, a *arena) (r row, err error) {
	a.bytes, a.records = a.bytes[:0], a.records[:0]
	in, err := l.Reader(mlog.ReaderOptions{})
	if err != nil {
		return r, err
	}
	defer in.Close()
	r.start = in.Offset()
	for {
		rec, ok, err := in.TryNext()
		if err != nil {
			return r, fmt.Errorf("read offset %d: %w", in.Offset(), err)
		}
		if !ok {
			r.end, r.records = in.Offset(), a.records
			return r, nil
		}
		rec.Key, rec.Value, rec.Headers = a.clone(rec.Key), a.clone(rec.Value), slices.Clone(rec.Headers)
		for i := range rec.Headers {
			rec.Headers[i] = mlog.Header{Key: strings.Clone(rec.Headers[i].Key), Value: a.clone(rec.Headers[i].Value)}
		}
		a.records = append(a.records, rec)
	}
}
