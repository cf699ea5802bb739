package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"

	mlog "github.com/seed27ccf144/mlog/log"
)

// measureReplay reads a log that is in the page cache from start to end, every
// checksum verified. The limit loop maps the very same files, afresh as every
// reader must, and hashes as many bytes in pieces as long as a record with its
// header: to verify means to read and hash each byte.
func measureReplay(s *session) error {
	w, err := s.start()
	if err != nil {
		return err
	}
	records := int64(1_500_000)
	if s.options.quick {
		records = 500_000
	}
	log := s.path("log")
	if _, err := s.ask(w, task{Job: "append", Dir: log, N: records, Size: record}); err != nil {
		return err
	}
	figures, err := s.takeTurns(s.pairs(11, 5),
		s.rateOf(w, task{Job: "limit-replay", Dir: log, N: records, Size: record}),
		s.rateOf(w, task{Job: "replay", Dir: log, N: records}))
	if err != nil {
		return err
	}
	s.add(report.Paired("replay", "replay 256 B, warm, every checksum verified", "records/s", "read and hash", figures[1], figures[0]).
		AtLeast(0.70, "≥ 0.70").Noted("of %v MiB", records*(record+frameHeader)>>20))
	return nil
}

func (w *worker) replayJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	began := shm.Now()
	r, err := l.log.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		return reply{}, err
	}
	defer r.Close()
	ctx := context.Background()
	for i := int64(0); ; i++ {
		rec, err := r.Next(ctx)
		if err == io.EOF && i == t.N {
			return reply{Records: i, Began: began, Ended: shm.Now()}, nil
		}
		if err != nil {
			return reply{}, fmt.Errorf("record %d of %d: %w", i, t.N, err)
		}
		if rec.Offset != i {
			return reply{}, fmt.Errorf("offset %d, want %d", rec.Offset, i)
		}
	}
}

// limitReplayJob takes N pieces from the segments, in their order. Where in the
// files records begin is nothing to it: bytes cost the same anywhere.
func (w *worker) limitReplayJob(t task) (reply, error) {
	files, err := filepath.Glob(filepath.Join(t.Dir, "*.seg"))
	if err != nil {
		return reply{}, err
	}
	slices.Sort(files)
	began, left, sum := shm.Now(), t.N, uint64(0)
	piece := t.Size + frameHeader
	for _, name := range files {
		b, err := shm.OpenPresent(name)
		if err != nil {
			return reply{}, err
		}
		for at := 0; at+piece <= len(b) && left > 0; at += piece {
			sum += xxhash.Sum64(b[at+8 : at+piece]) // a checksum does not cover itself
			left--
		}
		if err := shm.Close(b); err != nil {
			return reply{}, err
		}
	}
	if left > 0 {
		return reply{}, fmt.Errorf("the log's files have no room for %d of the %d records", left, t.N)
	}
	w.block[0] ^= byte(sum) // it is used
	return reply{Records: t.N, Began: began, Ended: shm.Now()}, nil
}
