package main

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"

	mlog "github.com/seed27ccf144/mlog/log"
)

const (
	batchRecords = 100
	batchRecord  = 64
)

// measureBatches has one producer append atomic batches of 100 records of 64
// bytes. The limit loop copies the hundred records behind each other into the ring,
// hashes them at once, and publishes them with one store: all of them must get to
// where readers are, and one checksum is the least that covers them.
func measureBatches(s *session) error {
	w, err := s.start()
	if err != nil {
		return err
	}
	log, err := s.rolling(w, "log")
	if err != nil {
		return err
	}
	slice := s.slice(200*time.Millisecond, 100*time.Millisecond)
	figures, err := s.takeTurns(s.pairs(13, 5),
		s.rateOf(w, task{Job: "limit-batches", Dir: s.path("ring"), Bytes: s.kept(), For: slice}),
		s.rateOf(w, task{Job: "append-batches", Dir: log, For: slice}))
	if err != nil {
		return err
	}
	line := report.Paired("batches", "append 64 B in atomic batches of 100", "records/s", "copy and hash", figures[1], figures[0])
	s.add(line.Judged("≥ 30 M/s or ≥ 0.7", line.Mlog >= 30e6 || line.Ratio.Median >= 0.7))
	return nil
}

func (w *worker) limitBatchesJob(t task) (reply, error) {
	const body = batchRecords * batchRecord
	r, err := w.openRing(t.Dir, t.Bytes, body)
	if err != nil {
		return reply{}, err
	}
	return timed(t, func(i int64) (int64, error) {
		seq := int64(shm.Uint64(r.b, ringReserved).Add(1)) - 1
		frame := r.at(seq)
		for k := range int64(batchRecords) {
			copy(frame[frameHeader+k*batchRecord:], w.payload(i+k, batchRecord))
		}
		binary.LittleEndian.PutUint64(frame[24:], xxhash.Sum64(frame[frameHeader:]))
		shm.Uint64(frame, 0).Store(uint64(seq) + 1)
		return batchRecords, nil
	})
}

func (w *worker) batchesJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	ctx := context.Background()
	records := make([]mlog.Record, batchRecords)
	return timed(t, func(i int64) (int64, error) {
		for k := range records {
			records[k].Value = w.payload(i+int64(k), batchRecord)
		}
		_, err := l.visible.AppendBatch(ctx, records)
		return batchRecords, err
	})
}
