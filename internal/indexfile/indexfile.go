// Package indexfile opens, makes and maps index files.
package indexfile

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// A File is a mapped index file. Its table may be used under package fault.
type File struct {
	*index.Table
	m *mapping.Map
}

// Open maps the index of the segment that want describes. An index of another
// segment, or of another life of its file, is an error like a missing one: the
// caller makes a new one.
func Open(path string, want index.Header, writable bool) (*File, error) {
	size := index.FileBytes(want.SegmentBytes)
	f, err := files.OpenSized(path, size, writable)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var head [index.HeaderBytes]byte
	if _, err := files.ReadAt(f, head[:], 0); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	h, err := index.Decode(head[:])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if h != want {
		return nil, fmt.Errorf("%s: index of another segment", path)
	}
	m, err := mapping.File(f, size, writable)
	if err != nil {
		return nil, err
	}
	return &File{Table: table(m, want.SegmentBytes), m: m}, nil
}

// OpenOrCreate is Open for writing; what is missing or unusable is replaced by
// an empty index.
func OpenOrCreate(path string, want index.Header, mode fs.FileMode) (*File, error) {
	if f, err := Open(path, want, true); err == nil || errors.Is(err, fs.ErrPermission) {
		return f, err
	}
	if err := Write(path, want, nil, mode); err != nil {
		return nil, err
	}
	return Open(path, want, true)
}

// Write makes an index file with the entries of t, or with none if t is nil. The
// file gets its name only when it is whole. Two processes may do so at once: the
// later one wins, and the entries that the earlier one loses are noted again by
// the next scan.
func Write(path string, want index.Header, t *index.Table, mode fs.FileMode) error {
	tmp := files.TempName(path)
	f, err := files.CreateAllocated(tmp, index.FileBytes(want.SegmentBytes), mode)
	if err != nil {
		return err
	}
	err = files.WriteAt(f, t.AppendTo(want.Encode()), 0)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = files.Rename(tmp, path)
	}
	if err != nil {
		files.Remove(tmp)
	}
	return err
}

// Close unmaps the index.
func (f *File) Close() error { return f.m.Close() }

func table(m *mapping.Map, segmentBytes int64) *index.Table {
	words := mapping.Words(m.Bytes(), index.HeaderBytes, 2*index.Entries(segmentBytes))
	return index.NewTable(words, segmentBytes)
}
