package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/shm"

	mlog "github.com/seed27ccf144/mlog/log"
)

// A task is what a worker is told to do. Each job uses some of the fields.
type task struct {
	Job     string
	Seed    uint64
	Worker  int           // its number among those who begin together
	At      int64         // when to begin, on the clock of all processes
	For     time.Duration // how long to go on
	N       int64         // how many records
	Dir     string        // the log, or the file of a limit loop
	Size    int           // bytes of a record
	Batch   int           // records in one
	Rate    float64       // records a second
	Kind    string        // of transport
	Many    int           // goroutines
	Flush   bool          // flush in the background as is the default
	Spin    bool          // wait by spinning
	Yield   bool          // share the core while waiting for a time
	Bytes   int64         // size of a file, or how much a log keeps
	Segment int64         // bytes of a segment, 0 for the default
}

// A reply says what came of it.
type reply struct {
	Records      int64
	Began, Ended int64 // on the clock of all processes
	CPU          time.Duration
	Histogram    []byte // of latencies, encoded
	Value        float64
	Values       []float64
}

func (r reply) seconds() float64 { return float64(r.Ended-r.Began) / 1e9 }

// rate is in records a second.
func (r reply) rate() float64 { return float64(r.Records) / r.seconds() }

// A worker is a process that measures. It keeps open what it has opened.
type worker struct {
	block   []byte // that records are made of
	logs    map[string]*openLog
	readers map[string]*mlog.Reader
	rings   map[string]*ring
	ends    map[string]*endpoint
	bareAt  int64  // where the bare durable loop goes on
	group   *group // of bare durable appends
}

type openLog struct {
	log     *mlog.Log
	visible *mlog.Writer
	durable *mlog.Writer
}

func jobs() map[string]func(*worker, task) (reply, error) {
	return map[string]func(*worker, task) (reply, error){
		"open":           (*worker).openJob,
		"follow":         (*worker).followJob,
		"sync":           (*worker).syncJob,
		"append":         (*worker).appendJob,
		"append-batches": (*worker).batchesJob,
		"limit-append":   (*worker).limitAppendJob,
		"limit-batches":  (*worker).limitBatchesJob,
		"read":           (*worker).readJob,
		"ring-write":     (*worker).ringWriteJob,
		"ring-read":      (*worker).ringReadJob,
		"attach":         (*worker).attachJob,
		"send":           (*worker).sendJob,
		"receive":        (*worker).receiveJob,
		"replay":         (*worker).replayJob,
		"limit-replay":   (*worker).limitReplayJob,
		"append-durable": (*worker).durableJob,
		"limit-durable":  (*worker).limitDurableJob,
		"limit-group":    (*worker).limitGroupJob,
		"limit-fresh":    (*worker).limitFreshJob,
		"first-append":   (*worker).firstAppendJob,
		"fan":            (*worker).fanJob,
		"paced-append":   (*worker).pacedAppendJob,
		"paced-limit":    (*worker).pacedLimitJob,
		"allocs-append":  (*worker).allocsAppendJob,
		"allocs-read":    (*worker).allocsReadJob,
		"nothing":        (*worker).nothingJob,
	}
}

func serve(in io.Reader, out io.Writer) error {
	known := jobs()
	w := &worker{
		logs: make(map[string]*openLog), readers: make(map[string]*mlog.Reader),
		rings: make(map[string]*ring), ends: make(map[string]*endpoint),
	}
	return proc.Serve(in, out, func(t task) (any, error) {
		do, ok := known[t.Job]
		if !ok {
			return nil, fmt.Errorf("unknown job %q", t.Job)
		}
		if w.block == nil {
			w.block = block(t.Seed)
		}
		before, err := proc.Own()
		if err != nil {
			return nil, err
		}
		r, err := do(w, t)
		if err != nil {
			return nil, err
		}
		after, err := proc.Own()
		if r.CPU == 0 {
			r.CPU = after.CPU - before.CPU
		}
		return r, err
	})
}

// block returns random bytes. Records are windows of it that move on, so that no
// two in a row are alike and making one costs nothing.
func block(seed uint64) []byte {
	b := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b) // it never fails
	return b
}

// payload returns the value of record i.
func (w *worker) payload(i int64, size int) []byte {
	at := int(i*64) % (len(w.block) - size)
	return w.block[at : at+size]
}

// open opens a log with or without background flushes, once.
func (w *worker) open(t task) (*openLog, error) {
	if l, ok := w.logs[t.Dir]; ok {
		return l, nil
	}
	o := mlog.Options{SegmentBytes: t.Segment, Retention: mlog.Retention{Bytes: t.Bytes}, FlushEvery: -1}
	if t.Flush {
		o.FlushEvery = 0 // the default
	}
	l, err := mlog.Open(t.Dir, o)
	if err != nil {
		return nil, err
	}
	visible, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		return nil, err
	}
	durable, err := l.Writer(mlog.WriterOptions{Ack: mlog.Durable})
	if err != nil {
		return nil, err
	}
	w.logs[t.Dir] = &openLog{l, visible, durable}
	return w.logs[t.Dir], nil
}

// openJob opens a log and, if N is given, appends until N bytes have been, quickly:
// a log with retention then rolls steadily.
func (w *worker) openJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	const size = 4096
	records := make([]mlog.Record, 64)
	appended := int64(0)
	for appended < t.N {
		for i := range records {
			records[i].Value = w.payload(appended+int64(i), size)
		}
		if _, err := l.visible.AppendBatch(context.Background(), records); err != nil {
			return reply{}, err
		}
		appended += int64(len(records)) * size
	}
	return reply{Records: appended / size}, nil
}

// nothingJob is for a process that is to do nothing.
func (w *worker) nothingJob(task) (reply, error) { return reply{}, nil }

// syncJob makes all that was appended durable.
func (w *worker) syncJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	return reply{}, l.visible.Sync(context.Background())
}

// timed runs step until the time is up, and counts the records that it says it did.
func timed(t task, step func(i int64) (n int64, err error)) (reply, error) {
	proc.Until(t.At)
	before, err := proc.Own()
	if err != nil {
		return reply{}, err
	}
	r := reply{Began: shm.Now()}
	for end := r.Began + int64(t.For); ; {
		n, err := step(r.Records)
		if err != nil {
			return reply{}, err
		}
		r.Records += n
		if r.Ended = shm.Now(); r.Ended >= end {
			break
		}
	}
	after, err := proc.Own()
	r.CPU = after.CPU - before.CPU
	return r, err
}
