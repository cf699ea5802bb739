// Command wal measures write-ahead logs of the Go world that a program embeds.
//
// Only one process may open such a log, so producers and consumers are threads of one process, and a driver has to
// do what the libraries leave to the program: number the records, keep producers apart, and wake the readers.
package main

import (
	"runtime/debug"
	"sync"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

func main() {
	harness.Main(tidwallPeer(), raftPeer(), etcdPeer())
}

// A book is a log that a process has open. Records are numbered from 1.
type book interface {
	// append writes records after the last one, whose number is last. It returns when they are acknowledged. The
	// records may be changed afterwards.
	append(last uint64, records [][]byte) error
	// read returns a record that was appended; it is valid until the next call.
	read(index uint64) ([]byte, error)
	close() error
}

// A shared book is what the threads have in common.
type sharedBook struct {
	book
	mu   sync.Mutex // one producer at a time
	last uint64     // under mu
	end  *horizon   // what readers may read
}

// replayBatch is the number of records that are handed over at once when a log is made ready for Replay, which is
// not measured.
const replayBatch = 1000

// open returns a Setup that opens a book. For Replay producer and consumer are processes that run in turn.
func open(f func(e *harness.Env) (book, error)) func(e *harness.Env) error {
	return func(e *harness.Env) error {
		debug.SetGCPercent(400) // as in the processes of the other peers
		b, err := f(e)
		if err != nil {
			return err
		}
		e.Shared = &sharedBook{book: b, end: newHorizon(e.Spin)}
		e.Cleanup(b.close)
		return nil
	}
}

func produce(p *harness.Producer) error {
	s := p.Shared.(*sharedBook)
	n := p.Batch
	if p.Work == harness.Replay {
		n = replayBatch
	}
	buffers := make([][]byte, n)
	for i := range buffers {
		buffers[i] = make([]byte, p.Size)
	}
	if err := p.Ready(); err != nil {
		return err
	}
	for {
		records := buffers[:0]
		for len(records) < n && p.Fill(buffers[len(records)]) {
			records = buffers[:len(records)+1]
		}
		if len(records) == 0 {
			return nil
		}
		if err := s.add(records); err != nil {
			return err
		}
	}
}

func (s *sharedBook) add(records [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(s.last, records); err != nil {
		return err
	}
	s.last += uint64(len(records))
	s.end.move(s.last)
	return nil
}

func consume(c *harness.Consumer) error {
	s := c.Shared.(*sharedBook)
	if err := c.Ready(); err != nil {
		return err
	}
	end := ^uint64(0) // Replay: everything is there, and the mark in the last record says that it is the last
	if c.Work != harness.Replay {
		end = 0
	}
	for i := uint64(1); ; i++ {
		if i > end {
			end = s.end.wait(i)
		}
		record, err := s.read(i)
		if err != nil {
			return err
		}
		if done, err := c.Take(record); done || err != nil {
			return err
		}
	}
}

// version returns a function that returns the version of a module that this program was built with.
func version(path string) func() string {
	return func() string {
		info, _ := debug.ReadBuildInfo()
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
		return ""
	}
}
