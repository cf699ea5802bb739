package main

import (
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

func raftPeer() harness.Peer {
	return harness.Peer{
		Name: "raft-wal", Version: version("github.com/hashicorp/raft-wal"),
		Notes: "always waits for fsync, also when not asked to (so latency grows when records come faster than that); " +
			"threads of one process; waking readers is the driver's",
		Keeps: true, Durable: true, Spins: true, InProcess: true, Goroutines: true,
		Setup: open(openRaft), Produce: produce, Consume: consume,
	}
}

func openRaft(e *harness.Env) (book, error) {
	dir := filepath.Join(e.Dir, "raft-wal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	w, err := wal.Open(dir, wal.WithLogger(hclog.NewNullLogger()))
	if err != nil {
		return nil, err
	}
	return &raftLog{wal: w}, nil
}

type raftLog struct {
	wal     *wal.WAL
	entries []raft.Log
	args    []*raft.Log
}

func (r *raftLog) append(last uint64, records [][]byte) error {
	for len(r.entries) < len(records) {
		r.entries = append(r.entries, raft.Log{})
	}
	r.args = r.args[:0]
	for i, data := range records {
		r.entries[i] = raft.Log{Index: last + uint64(i) + 1, Term: 1, Data: data}
		r.args = append(r.args, &r.entries[i])
	}
	return r.wal.StoreLogs(r.args)
}

func (r *raftLog) read(index uint64) ([]byte, error) {
	var entry raft.Log
	err := r.wal.GetLog(index, &entry)
	return entry.Data, err
}

func (r *raftLog) close() error { return r.wal.Close() }
