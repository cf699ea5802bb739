package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/bench/internal/shm"
)

// The bare log is what is left of a log like mlog, for one record between two processes, when it
// has one segment without an end and nobody ever dies: a lock that keeps producers apart, the
// time, a copy, a checksum by who writes and one by who reads, one store that publishes. Beside the
// bare exchange of a line, which carries eight bytes and promises nothing, it shows
// what a lock, a checksum and a time for each record cost. It is no bound: who does without one
// of them may be quicker.
const (
	bareFrame  = frameHeader + messageBytes // as in mlog: so most frames are in two lines
	bareFrames = lines
	bareWords  = (bareFrame*bareFrames + messageBytes - 1) / messageBytes * messageBytes
)

func bareEndpoint(t task, sleeps bool) (*endpoint, error) {
	b, err := shm.Create(t.Dir, bareWords+3*messageBytes)
	if err != nil {
		return nil, err
	}
	for at := 0; at < len(b); at += 4096 {
		shm.Uint64(b, at).Add(0) // present, and writable
	}
	lock, word, flag := shm.Uint32(b, bareWords), shm.Uint32(b, bareWords+messageBytes), shm.Uint32(b, bareWords+2*messageBytes)
	frame := func(seq uint64) []byte {
		at := int(seq % bareFrames * bareFrame)
		return b[at : at+bareFrame]
	}
	sent, received := uint64(0), uint64(0)
	message := make([]byte, messageBytes)
	return &endpoint{
		send: func(due int64) error {
			binary.LittleEndian.PutUint64(message, uint64(due))
			for !lock.CompareAndSwap(0, 1) {
			}
			f := frame(sent)
			sent++
			copy(f[frameHeader:], message)
			binary.LittleEndian.PutUint64(f[8:], sent)
			binary.LittleEndian.PutUint64(f[16:], uint64(time.Now().UnixNano()))
			binary.LittleEndian.PutUint64(f[24:], xxhash.Sum64(message))
			shm.Release(f, 0, sent)
			lock.Store(0)
			if sleeps {
				wakeIfAsleep(word, flag)
			}
			return nil
		},
		receive: func() (int64, error) {
			f := frame(received)
			received++
			commit, second := shm.Uint64(f, 0), shm.Uint64(f, messageBytes)
			if sleeps {
				sleepUntil(commit, received, word, flag)
			}
			for commit.Load() != received {
				second.Load() // so that both lines are on their way at once
			}
			if xxhash.Sum64(f[frameHeader:]) != binary.LittleEndian.Uint64(f[24:]) {
				return 0, fmt.Errorf("record %d of the bare log has a wrong checksum", received)
			}
			return int64(binary.LittleEndian.Uint64(f[frameHeader:])), nil
		},
	}, nil
}
