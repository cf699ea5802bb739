package powercut

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A moment numbers the points at which the disk was looked at.
type moment int

// A disk knows of each file below root what a loss of power may leave of it. Only
// one goroutine uses it at a time.
type disk struct {
	root string
	now  moment
	// journaled is the newest operation on names that a sync has made durable.
	journaled moment
	files     []*file
	named     map[string]*file // by path below root, as the names are now
	scratch   []byte
}

// A file is an inode. Its lists begin with the oldest state that may be on disk
// and end with the present one.
type file struct {
	info   fs.FileInfo
	open   *os.File // nil for a directory; kept, so that its inode is not reused
	places []place
	sizes  []size
	pages  [][]version
}

// A place is where a file is found from a moment on; the path is empty if
// nowhere.
type place struct {
	since moment
	path  string
}

// A size is what a file has from a moment on. Journaled ones are part of the
// journal of names, others reach the disk when they like.
type size struct {
	since     moment
	bytes     int64
	journaled bool
}

// A version is the content of a page from a moment on; nil is all zeros. Whole
// ones came by a system call, others by stores.
type version struct {
	since moment
	data  []byte
	whole bool
}

const (
	pageBytes   = 4096
	sectorBytes = 512
	wordBytes   = 8
	// mostVersions bounds what is kept of a page that is never synced.
	mostVersions = 12
)

// newDisk takes what is below root for durable.
func newDisk(t testing.TB, root string) *disk {
	t.Helper()
	d := &disk{root: root, named: make(map[string]*file)}
	if err := d.scan(); err != nil {
		t.Fatal(err)
	}
	d.look(false)
	d.journaled = d.now
	for _, f := range d.files {
		f.settleNames(d.now, func(place) bool { return true })
		f.settle(d.now)
	}
	return d
}

func (d *disk) close() {
	for _, f := range d.files {
		if f.open != nil {
			f.open.Close()
		}
	}
	d.files = nil
}

// scan finds out what became of the names. It is called after each operation on
// names, so what has changed since the last time is one operation.
func (d *disk) scan() error {
	infos := make(map[string]fs.FileInfo)
	var paths []string // a map's order would make a seed worthless
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == d.root {
			return err
		}
		info, err := e.Info()
		path = strings.TrimPrefix(path, d.root+string(filepath.Separator))
		infos[path], paths = info, append(paths, path)
		return err
	})
	if err != nil {
		return err
	}
	d.now++
	gone := make(map[*file]bool)
	for path, f := range d.named {
		if info := infos[path]; info == nil || !os.SameFile(info, f.info) {
			gone[f] = true
			delete(d.named, path)
		}
	}
	for _, path := range paths {
		if d.named[path] != nil {
			continue
		}
		info := infos[path]
		f := takeSame(gone, info)
		if f == nil {
			if f, err = d.discover(path, info); err != nil {
				return err
			}
		}
		f.places = append(f.places, place{d.now, path})
		d.named[path] = f
	}
	for f := range gone {
		f.places = append(f.places, place{d.now, ""})
	}
	return nil
}

// takeSame returns the file of which info is the new name, if it lost its old one.
func takeSame(gone map[*file]bool, info fs.FileInfo) *file {
	for f := range gone {
		if os.SameFile(f.info, info) {
			delete(gone, f)
			return f
		}
	}
	return nil
}

// discover adds a file that was just made. A second link counts as a file of its
// own, with the same history: an image may hold two states of it, which is more than
// a disk can do.
func (d *disk) discover(path string, info fs.FileInfo) (*file, error) {
	f := &file{info: info, places: []place{{}}, sizes: []size{{}}}
	for _, first := range d.files {
		if first.open != nil && os.SameFile(first.info, info) {
			f.sizes = slices.Clone(first.sizes)
			for _, versions := range first.pages {
				f.pages = append(f.pages, slices.Clone(versions))
			}
			break
		}
	}
	d.files = append(d.files, f)
	if info.IsDir() {
		return f, nil
	}
	var err error
	f.open, err = os.Open(filepath.Join(d.root, path))
	return f, err
}

// look notes the present contents. written says that a system call made the
// difference to the look before.
func (d *disk) look(written bool) {
	d.now++
	for _, f := range d.files {
		if f.open != nil {
			d.lookAt(f, written)
		}
	}
}

func (d *disk) lookAt(f *file, written bool) {
	fi, err := f.open.Stat()
	if err != nil {
		panic(err)
	}
	n := fi.Size()
	if n != f.sizes[len(f.sizes)-1].bytes {
		f.sizes = append(f.sizes, size{d.now, n, !written})
	}
	if int64(len(d.scratch)) < n+pageBytes {
		d.scratch = make([]byte, n+pageBytes)
	}
	got, _ := f.open.ReadAt(d.scratch[:n], 0)
	clear(d.scratch[got : (got+pageBytes-1)/pageBytes*pageBytes])
	for i := 0; i*pageBytes < got; i++ {
		if i == len(f.pages) {
			f.pages = append(f.pages, []version{{}})
		}
		page := d.scratch[i*pageBytes:][:pageBytes]
		versions := f.pages[i]
		if last := versions[len(versions)-1].data; string(last) == string(page) || last == nil && isZero(page) {
			continue
		}
		if len(versions) == mostVersions { // not the oldest, which may be all that is sure
			k := 1 + int(d.now)%(mostVersions-2)
			// What comes next now differs by all that was done in between.
			versions[k+1].whole = versions[k+1].whole || versions[k].whole
			versions = slices.Delete(versions, k, k+1)
		}
		f.pages[i] = append(versions, version{d.now, slices.Clone(page), written})
	}
}

var zeroPage [pageBytes]byte

func isZero(page []byte) bool { return string(page) == string(zeroPage[:len(page)]) }

// syncedFile makes durable what the file held at a moment: a sync of it that began
// then has returned.
func (d *disk) syncedFile(like fs.FileInfo, began moment) {
	for _, f := range d.files {
		if os.SameFile(f.info, like) {
			f.settle(began)
		}
	}
}

// syncedRange is syncedFile for the pages between two positions. Sizes count as
// not synced, which is less than a sync of a range does.
func (d *disk) syncedRange(like fs.FileInfo, began moment, from, to int64) {
	for _, f := range d.files {
		if os.SameFile(f.info, like) {
			f.settlePages(began, int(from/pageBytes), int((to+pageBytes-1)/pageBytes))
		}
	}
}

func (f *file) settle(began moment) {
	f.sizes = since(f.sizes, began, func(s size) moment { return s.since })
	f.settlePages(began, 0, len(f.pages))
}

func (f *file) settlePages(began moment, from, to int) {
	for i := from; i < min(to, len(f.pages)); i++ {
		f.pages[i] = since(f.pages[i], began, func(v version) moment { return v.since })
	}
}

// since drops the states that were over at a moment.
func since[S any](states []S, at moment, begin func(S) moment) []S {
	last := 0
	for i, s := range states {
		if begin(s) <= at {
			last = i
		}
	}
	return states[last:]
}

// syncedDir makes the operations on names durable that concern a directory and
// were over at a moment.
func (d *disk) syncedDir(dir string, began moment) {
	dir = strings.TrimPrefix(strings.TrimPrefix(dir, d.root), string(filepath.Separator))
	for _, f := range d.files {
		if at := f.settleNames(began, func(p place) bool { return p.path != "" && parent(p.path) == dir }); at > d.journaled {
			d.journaled = at
		}
	}
	d.files = slices.DeleteFunc(d.files, func(f *file) bool {
		lost := len(f.places) == 1 && f.places[0].path == ""
		if lost && f.open != nil {
			f.open.Close()
		}
		return lost
	})
}

// settleNames drops what comes before the newest operation, up to a moment, that
// concerns a place; it returns the moment of that operation.
func (f *file) settleNames(began moment, concerns func(place) bool) moment {
	for i := len(f.places) - 1; i > 0; i-- {
		if f.places[i].since <= began && (concerns(f.places[i]) || concerns(f.places[i-1])) {
			f.places = f.places[i:]
			return f.places[0].since
		}
	}
	return 0
}

// parent is the directory of a path below root; that of the topmost is "".
func parent(path string) string {
	dir := filepath.Dir(path)
	if dir == "." {
		return ""
	}
	return dir
}
