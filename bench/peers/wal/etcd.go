package main

import (
	"errors"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

func etcdPeer() harness.Peer {
	return harness.Peer{
		Name: "etcd-wal", Version: version("go.etcd.io/etcd/server/v3"),
		Notes: "threads of one process",
		Keeps: true, Durable: true, InProcess: true, Goroutines: true, Checksums: true,
		Has: func(s harness.Settings) string {
			if s.Work == harness.Stream || s.Work == harness.Latency {
				return "it is either in read mode or in append mode, never both"
			}
			return ""
		},
		Setup: setupEtcd, Produce: produce, Consume: consumeEtcd,
	}
}

func etcdDir(e *harness.Env) string { return filepath.Join(e.Dir, "etcd") }

// setupEtcd creates the log; a process that comes later leaves it as it is, to read it.
func setupEtcd(e *harness.Env) error {
	if wal.Exist(etcdDir(e)) {
		return nil
	}
	return open(createEtcd)(e)
}

func createEtcd(e *harness.Env) (book, error) {
	w, err := wal.Create(zap.NewNop(), etcdDir(e), nil)
	if err != nil {
		return nil, err
	}
	if !e.Durable {
		w.SetUnsafeNoFsync()
	}
	return &etcd{wal: w}, nil
}

type etcd struct {
	wal     *wal.WAL
	entries []*raftpb.Entry
}

var etcdTerm = uint64(1)

func (w *etcd) append(last uint64, records [][]byte) error {
	for len(w.entries) < len(records) {
		w.entries = append(w.entries, &raftpb.Entry{Term: &etcdTerm, Index: new(uint64)})
	}
	for i, data := range records {
		*w.entries[i].Index = last + uint64(i) + 1
		w.entries[i].Data = data
	}
	return w.wal.Save(nil, w.entries[:len(records)])
}

func (w *etcd) read(uint64) ([]byte, error) {
	return nil, errors.New("etcd's log cannot be read while it is appended to")
}

func (w *etcd) close() error { return w.wal.Close() }

// consumeEtcd reads all entries at once: the package has no other way.
func consumeEtcd(c *harness.Consumer) error {
	w, err := wal.OpenForRead(zap.NewNop(), etcdDir(c.Env), &walpb.Snapshot{})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := c.Ready(); err != nil {
		return err
	}
	_, _, entries, err := w.ReadAll()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if done, err := c.Take(e.Data); done || err != nil {
			return err
		}
	}
	return nil
}
