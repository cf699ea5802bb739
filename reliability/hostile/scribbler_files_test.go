package hostile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/mapping"
	"github.com/seed27ccf144/mlog/reliability/hostile/mutate"
)

func (s *scribbler) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// mapped returns the bytes of a file, mapped for writing.
func (s *scribbler) mapped(name string) ([]byte, error) {
	if m, ok := s.maps[name]; ok {
		return m.Bytes(), nil
	}
	f, err := os.OpenFile(s.path(name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) { // an index, which readers remove
		return nil, s.putBack(name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := len(s.honest[name].Data)
	if fi, err := f.Stat(); err != nil || fi.Size() < int64(size) {
		return nil, err
	}
	m, err := mapping.File(f, int64(size), true)
	if err != nil {
		return nil, err
	}
	s.maps[name] = m
	return m.Bytes(), nil
}

func (s *scribbler) forget(name string) {
	if m, ok := s.maps[name]; ok {
		m.Close()
		delete(s.maps, name)
	}
}

// putBack writes what a file held at first, over what it holds now.
func (s *scribbler) putBack(name string) error {
	f, err := os.OpenFile(s.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := s.content(name, f)
	if err == nil {
		_, err = f.WriteAt(data, 0)
	}
	if s.rng.IntN(4) == 0 { // a reader may have put another file there, an index
		s.forget(name)
	}
	return err
}

// content is what f, of this name, held at first. A control file is to stay one
// of its place.
func (s *scribbler) content(name string, f *os.File) ([]byte, error) {
	data := s.honest[name].Data
	if name != "control" {
		return data, nil
	}
	dev, ino, err := files.Identity(f)
	data = bytes.Clone(data)
	mutate.Enliven(data, dev, ino)
	return data, err
}

// truncate cuts a file under all who have it mapped, and gives it its length back.
func (s *scribbler) truncate(name string) error {
	size := int64(len(s.honest[name].Data))
	if err := os.Truncate(s.path(name), s.rng.Int64N(size)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	time.Sleep(time.Duration(s.rng.IntN(int(time.Millisecond))))
	return s.putBack(name)
}

// replace gives the file's name to another file of the same content. The one
// before lives on in the mappings of those who have it.
func (s *scribbler) replace(name string) error {
	s.forget(name)
	other := s.path(name) + "~tmp-other"
	f, err := os.Create(other)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := s.content(name, f)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if s.rng.IntN(2) == 0 { // for a moment there is none
		if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		time.Sleep(time.Duration(s.rng.IntN(int(time.Millisecond))))
	}
	return os.Rename(other, s.path(name))
}
