package powercut

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// The model is judged by what it lets happen, and what not: each test draws many
// images and looks for what must occur, and what must never.

const draws = 400

type modelTest struct {
	t   *testing.T
	dir string
	d   *disk
	rng *rand.Rand
}

func newModelTest(t *testing.T) *modelTest {
	m := &modelTest{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(1, 1))}
	m.d = newDisk(t, m.dir)
	t.Cleanup(m.d.close)
	return m
}

func (m *modelTest) do(err error) {
	m.t.Helper()
	if err == nil {
		err = m.d.scan()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.d.look(false)
}

func (m *modelTest) path(name string) string { return filepath.Join(m.dir, name) }

func (m *modelTest) make(name string, size int64) {
	m.t.Helper()
	m.do(os.WriteFile(m.path(name), nil, 0o600))
	m.do(os.Truncate(m.path(name), size))
}

func (m *modelTest) store(name string, at int64, data []byte) {
	m.t.Helper()
	f, err := os.OpenFile(m.path(name), os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(data, at)
		f.Close()
	}
	m.do(err)
}

func (m *modelTest) syncRange(name string, from, to int64) {
	m.t.Helper()
	info, err := os.Stat(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	m.d.syncedRange(info, m.d.now, from, to)
}

func (m *modelTest) sync(name string) {
	m.t.Helper()
	info, err := os.Stat(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	if info.IsDir() {
		m.d.syncedDir(m.path(name), m.d.now)
	} else {
		m.d.syncedFile(info, m.d.now)
	}
}

// seen counts the images, of both orders, for which a condition holds.
func (m *modelTest) seen(condition func(im *image) bool) (n int) {
	for i := range draws {
		if condition(m.d.cut(m.rng, i%2 == 0)) {
			n++
		}
	}
	return n
}

func (m *modelTest) want(what string, some bool, condition func(im *image) bool) {
	m.t.Helper()
	if n := m.seen(condition); some && (n == 0 || n == draws) || !some && n != 0 {
		m.t.Errorf("%s: %d of %d images", what, n, draws)
	}
}

func has(im *image, name string) bool { _, ok := im.files[name]; return ok }

func TestModelOfNames(t *testing.T) {
	m := newModelTest(t)
	m.make("a", 0)
	m.sync("a")
	m.want("a name that was never synced, though the file was", true, func(im *image) bool { return has(im, "a") })
	m.sync("")
	m.want("a synced name that is lost", false, func(im *image) bool { return !has(im, "a") })
	m.do(os.Rename(m.path("a"), m.path("b")))
	m.want("the new name", true, func(im *image) bool { return has(im, "b") })
	m.want("both names, or none", false, func(im *image) bool { return has(im, "a") == has(im, "b") })
	m.make("c", 0)
	m.store("c", 0, []byte("new"))
	m.sync("c")
	m.do(os.Rename(m.path("c"), m.path("b")))
	m.want("neither the file that was replaced, nor the one in its place", false, func(im *image) bool { return !has(im, "a") && !has(im, "b") })
	m.sync("")
	m.want("what was replaced, after the sync", false, func(im *image) bool { return string(im.files["b"]) != "new" || len(im.files) != 1 })
	m.do(os.Remove(m.path("b")))
	m.want("a name that was removed", true, func(im *image) bool { return has(im, "b") })
}

func TestModelOfOrder(t *testing.T) {
	m := newModelTest(t)
	m.make("first", 0)
	m.make("second", 0)
	m.want("the second name without the first, in some order", true, func(im *image) bool { return has(im, "second") && !has(im, "first") })
	for range draws {
		if im := m.d.cut(m.rng, true); has(im, "second") && !has(im, "first") {
			t.Fatal("the journal's order was not kept")
		}
	}
}

func TestModelOfRangeSync(t *testing.T) {
	m := newModelTest(t)
	m.make("f", 4*pageBytes)
	m.sync("f")
	m.sync("")
	m.store("f", 0, bytes.Repeat([]byte{1}, 4*pageBytes))
	m.syncRange("f", pageBytes, 2*pageBytes+1)
	old := func(page int) func(im *image) bool {
		return func(im *image) bool { return im.files["f"][page*pageBytes] == 0 }
	}
	for page, synced := range []bool{false, true, true, false} {
		m.want("a page as it was before the sync of others", !synced, old(page))
	}
}

func TestModelOfContents(t *testing.T) {
	const size = 4 * pageBytes
	m := newModelTest(t)
	m.make("f", size)
	m.sync("f")
	m.sync("")
	one, two := bytes.Repeat([]byte{1}, size), bytes.Repeat([]byte{2}, size)
	m.store("f", 0, one)
	m.sync("f")
	m.want("a size other than the synced one", false, func(im *image) bool { return len(im.files["f"]) != size })
	m.want("bytes from before the sync", false, func(im *image) bool { return bytes.IndexByte(im.files["f"], 0) >= 0 })
	m.store("f", 0, two)
	page := func(im *image, i int) []byte { return im.files["f"][i*pageBytes:][:pageBytes] }
	m.want("a page that is new before one that is old", true, func(im *image) bool {
		return bytes.Equal(page(im, 1), two[:pageBytes]) && bytes.Equal(page(im, 0), one[:pageBytes])
	})
	m.want("a page torn between sectors", true, func(im *image) bool {
		return page(im, 0)[0] != page(im, 0)[sectorBytes]
	})
	m.want("a sector torn between words", true, func(im *image) bool {
		return page(im, 0)[0] != page(im, 0)[wordBytes]
	})
	m.want("a word that is torn", false, func(im *image) bool {
		for at := 0; at < size; at += wordBytes {
			if word := im.files["f"][at:][:wordBytes]; !bytes.Equal(word, one[:wordBytes]) && !bytes.Equal(word, two[:wordBytes]) {
				return true
			}
		}
		return false
	})
}

// A sync makes durable what was there when it began, not what came while it ran.
func TestModelOfSyncsUnderWay(t *testing.T) {
	m := newModelTest(t)
	m.make("f", pageBytes)
	m.sync("")
	m.store("f", 0, bytes.Repeat([]byte{1}, pageBytes))
	began := m.d.now
	m.store("f", 0, bytes.Repeat([]byte{2}, pageBytes))
	info, err := os.Stat(m.path("f"))
	if err != nil {
		t.Fatal(err)
	}
	m.d.syncedFile(info, began)
	m.want("what came during the sync", true, func(im *image) bool { return im.files["f"][0] == 2 })
	m.want("what was there before it", true, func(im *image) bool { return im.files["f"][0] == 1 })
	m.want("what was there long before it", false, func(im *image) bool { return im.files["f"][0] == 0 })
}

func TestModelOfDirectories(t *testing.T) {
	m := newModelTest(t)
	m.do(os.Mkdir(m.path("d"), 0o700))
	m.make("d/f", 0)
	m.sync("d")
	m.want("a file in a directory whose own name is not synced", true, func(im *image) bool { return has(im, "d/f") })
	m.sync("")
	m.want("the loss of a file, with both directories synced", false, func(im *image) bool { return !has(im, "d/f") })
}
