package mutate

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Node is one thing in a log's directory.
type Node struct {
	Data   []byte      // of a file
	Grown  int64       // zeros that follow the data, as a hole
	Type   fs.FileMode // 0, fs.ModeDir, fs.ModeSymlink or fs.ModeNamedPipe
	Target string      // of a symbolic link
	owned  bool        // Data is no other tree's
}

// A Tree is a log's directory in memory: what its slash-separated paths name.
type Tree map[string]Node

// Load reads a directory. It is not for trees with links and pipes in them.
func Load(dir string) (Tree, error) {
	t := Tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		n := Node{Type: d.Type()}
		if d.Type().IsRegular() {
			if n.Data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		t[filepath.ToSlash(rel)] = n
		return nil
	})
	return t, err
}

// Clone returns a tree that may be edited without changing t.
func (t Tree) Clone() Tree {
	c := make(Tree, len(t))
	for name, n := range t {
		n.owned = false
		c[name] = n
	}
	return c
}

// Names returns the paths in order.
func (t Tree) Names() []string {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Segments returns the contents of the files that a log would take for segments
// by their names.
func (t Tree) Segments() [][]byte {
	var all [][]byte
	for name, n := range t {
		if strings.HasSuffix(name, ".seg") && !strings.Contains(name, "/") && n.Type == 0 {
			all = append(all, n.Data)
		}
	}
	return all
}

// edit stores a changed node; f may write to the data.
func (t Tree) edit(name string, f func(n *Node)) {
	n, ok := t[name]
	if !ok {
		return
	}
	if !n.owned {
		n.Data, n.owned = slices.Clone(n.Data), true
	}
	f(&n)
	t[name] = n
}

// Write makes dir, which is emptied first, hold the tree. Names whose parent is
// no directory any more are left out.
func (t Tree) Write(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, name := range t.Names() {
		if name == "" { // a script picked a file of an empty tree
			continue
		}
		if parent, _, deep := strings.Cut(name, "/"); deep && t[parent].Type != fs.ModeDir {
			continue
		}
		if err := t[name].write(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	return nil
}

func (n Node) write(path string) error {
	switch n.Type {
	case fs.ModeDir:
		return os.Mkdir(path, 0o700)
	case fs.ModeSymlink:
		return os.Symlink(n.Target, path)
	case fs.ModeNamedPipe:
		return makePipe(path)
	}
	if err := os.WriteFile(path, n.Data, 0o600); err != nil || n.Grown == 0 {
		return err
	}
	return os.Truncate(path, int64(len(n.Data))+n.Grown)
}
