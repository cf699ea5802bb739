package damage

import (
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/files"
)

// A world is a copy of the template's directory. The harm is done to it in place
// and undone again, or it is used once.
type world struct {
	*template
	dir      string
	rebooted bool
	control  []byte // as it is here: it names its own inode
}

// newWorld copies the template to a new directory below parent. A copy's control
// file is stale, as after a reboot; within a boot it is made valid again.
func newWorld(m *template, parent string, rebooted bool) (*world, error) {
	dir, err := os.MkdirTemp(parent, "log-")
	if err != nil {
		return nil, err
	}
	w := &world{template: m, dir: dir, rebooted: rebooted, control: clone(m.files["control"])}
	for _, sub := range []string{"producers", "groups"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	for name, data := range m.files {
		if err := os.WriteFile(w.path(name), data, 0o600); err != nil {
			return nil, err
		}
	}
	if !rebooted {
		err = w.adoptControl()
	}
	return w, err
}

func (w *world) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// adoptControl makes the control file one of this place, by docs/format.md.
func (w *world) adoptControl() error {
	f, err := os.Open(w.path("control"))
	if err != nil {
		return err
	}
	defer f.Close()
	dev, ino, err := files.Identity(f)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(w.control[48:], dev)
	binary.LittleEndian.PutUint64(w.control[56:], ino)
	binary.LittleEndian.PutUint64(w.control[64:], xxhash.Sum64(w.control[:64]))
	return os.WriteFile(w.path("control"), w.control, 0o600)
}

func (w *world) content(name string) []byte {
	if name == "control" {
		return w.control
	}
	return w.files[name]
}

// harm does the mutation, and returns what it did and what that may cost.
func (w *world) harm(m mutation) ([]edit, loss, error) {
	var edits []edit
	content := make(map[string][]byte) // as it is after the harms so far
	read := func(name string) []byte {
		if b, ok := content[name]; ok {
			return b
		}
		return w.content(name)
	}
	for _, h := range m.harms {
		for _, e := range h.edits(read) {
			now := clone(read(e.file))
			if need := int(e.at) + len(e.data); need > len(now) {
				now = append(now, make([]byte, need-len(now))...)
			}
			copy(now[e.at:], e.data)
			content[e.file] = now
			edits = append(edits, e)
			if err := w.put(e); err != nil {
				return nil, loss{}, err
			}
		}
	}
	return edits, w.loss(edits, w.content), nil
}

func (w *world) put(e edit) error {
	f, err := os.OpenFile(w.path(e.file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(e.data, e.at)
	return err
}

// undo takes the harm back. Indexes may have been made anew by readers.
func (w *world) undo(edits []edit) error {
	for name, data := range w.files {
		if w.kindOf(name) == "index" {
			if err := os.WriteFile(w.path(name), data, 0o600); err != nil {
				return err
			}
		}
	}
	for _, e := range edits {
		old := w.content(e.file)
		if len(old) == 0 {
			if err := os.Truncate(w.path(e.file), 0); err != nil {
				return err
			}
			continue
		}
		if err := w.put(edit{e.file, e.at, old[e.at : e.at+int64(len(e.data))]}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) remove() { os.RemoveAll(w.dir) }
