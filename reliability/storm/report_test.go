//go:build unix

package storm

import (
	"bytes"
	"encoding/binary"
	"os"
	"sync"
	"time"
)

// A kind says what an entry of a report is.
type kind uint16

const (
	acknowledged kind = iota + 1 // an append returned
	seen                         // a consumer was given a record
	jumped                       // retention was quicker than a consumer; it goes on at Offset
	opened                       // a consumer stands before Offset, and was given nothing yet
	joined                       // a group's new member begins at Offset; -1: nothing was committed
	committing                   // Commit(Offset) is about to be called
	committed                    // it returned
	beat                         // the bare process had the machine
)

// An entry is one line of what a process was told. Its fields are those of an
// identity, with Seq and Count of a whole batch if it is an acknowledgement.
type entry struct {
	Kind         kind
	Stream       uint16
	Index, Count uint16
	Producer     uint32
	Durable      uint32 // 1: the acknowledgement is a durable one
	Offset       int64
	Seq          uint64
	Begin, End   int64 // of the call, nanoseconds since 1970
}

var entryBytes = binary.Size(entry{})

func (e entry) identity() identity {
	return identity{Producer: e.Producer, Stream: e.Stream, Index: e.Index, Count: e.Count, Seq: e.Seq}
}

// A report is the file in which a process keeps its entries. What was written to
// it outlives the process, as it is in the page cache, and it is no part of the log.
type report struct {
	mu   sync.Mutex
	file *os.File
	held []byte
}

func openReport(path string) (*report, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &report{file: f}, err
}

// add notes an entry at once.
func (r *report) add(e entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hold(e)
	return r.flush()
}

// hold notes an entry with the next flush: a consumer that is killed before that
// has seen less than it was given, which proves less, but nothing wrong.
func (r *report) hold(e entry) {
	b, err := binary.Append(r.held, binary.LittleEndian, e)
	if err != nil {
		panic(err) // an entry has fields of fixed size only
	}
	r.held = b
}

func (r *report) flush() error {
	if len(r.held) == 0 {
		return nil
	}
	_, err := r.file.Write(r.held)
	r.held = r.held[:0]
	return err
}

// readReport returns the entries of a process that has ended. The last one may be
// cut short by its death.
func readReport(path string) ([]entry, error) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil // it was killed before it began
	}
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(b)/entryBytes)
	err = binary.Read(bytes.NewReader(b), binary.LittleEndian, entries)
	return entries, err
}

// now is a time that processes can compare.
func now() int64 { return time.Now().UnixNano() }
