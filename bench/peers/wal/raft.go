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
		Notes: "always waits for fsync, also when not asked to; threads of one process; waking readers is the driver's",
		Keeps: true, Durable: true, Spins: true, InProcess: true, Goroutines: true,
		Has: func(s harness.Settings) string {
			if s.Spin {
				return "its appends wait for the disk, not for readers"
			}
			return ""
		},
		Setup: open(openRaft), Consume: consume,
		Produce: func(p *harness.Producer) error {
			if p.Work == harness.Latency {
				return produceGathered(p)
			}
			return produce(p)
		},
	}
}

// gathered is the most records that wait for an append.
const gathered = 1000

// produceGathered appends at once what has become due since the last append began, as Raft's leader does: one by one,
// records would come faster than the disk syncs, and only the length of the queue would be measured.
func produceGathered(p *harness.Producer) error {
	s := p.Shared.(*sharedBook)
	due, free := make(chan []byte, gathered), make(chan []byte, gathered)
	for range gathered {
		free <- make([]byte, p.Size)
	}
	if err := p.Ready(); err != nil {
		return err
	}
	appended := make(chan error, 1)
	go func() { appended <- s.appendDue(due, free) }()
	for {
		select {
		case record := <-free:
			if p.Fill(record) {
				due <- record
				continue
			}
			close(due)
			return <-appended
		case err := <-appended:
			return err
		}
	}
}

// appendDue appends what comes from due until that is closed, and gives the buffers back.
func (s *sharedBook) appendDue(due <-chan []byte, free chan<- []byte) error {
	for record := range due {
		records := [][]byte{record}
		for len(due) > 0 {
			records = append(records, <-due)
		}
		if err := s.add(records); err != nil {
			return err
		}
		for _, r := range records {
			free <- r
		}
	}
	return nil
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
