package main

import (
	"path/filepath"

	"github.com/tidwall/wal"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

func tidwallPeer() harness.Peer {
	return harness.Peer{
		Name: "tidwall-wal", Version: version("github.com/tidwall/wal"),
		Notes: "threads of one process; waking readers is the driver's",
		Keeps: true, Durable: true, Spins: true, InProcess: true, Goroutines: true,
		Setup: open(openTidwall), Produce: produce, Consume: consume,
	}
}

// cachedSegments is more than a measurement fills. Segments that leave the cache are freed and loaded by readers
// without a lock against each other, so readers at different places must not make it overflow.
const cachedSegments = 1024

func openTidwall(e *harness.Env) (book, error) {
	options := *wal.DefaultOptions
	options.NoSync = !e.Durable
	options.NoCopy = true
	if e.Work == harness.Stream || e.Work == harness.Latency {
		options.SegmentCacheSize = cachedSegments
	}
	l, err := wal.Open(filepath.Join(e.Dir, "tidwall"), &options)
	if err != nil {
		return nil, err
	}
	return &tidwall{log: l}, nil
}

type tidwall struct {
	log   *wal.Log
	batch wal.Batch
}

func (t *tidwall) append(last uint64, records [][]byte) error {
	if len(records) == 1 {
		return t.log.Write(last+1, records[0])
	}
	t.batch.Clear()
	for i, r := range records {
		t.batch.Write(last+uint64(i)+1, r)
	}
	return t.log.WriteBatch(&t.batch)
}

func (t *tidwall) read(index uint64) ([]byte, error) { return t.log.Read(index) }

func (t *tidwall) close() error { return t.log.Close() }
