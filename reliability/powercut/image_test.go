package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An image is what a loss of power left: paths below the disk's root.
type image struct {
	order string // how its names were chosen
	dirs  []string
	files map[string][]byte
	how   map[string]string // how the content of a file was chosen
}

// reboot makes the control file that of another boot, as it is when a machine has
// lost power. (In one that came back within a boot it is for whoever brings the
// log back to remove it, says docs/format.md.)
func (im *image) reboot() {
	const bootID, bootIDBytes = 16, 16
	if control := im.files[logName+"/control"]; len(control) >= bootID+bootIDBytes {
		for i := range bootIDBytes {
			control[bootID+i] ^= 0xff
		}
	}
}

// A choice takes one of n states, 0 the oldest, n-1 the present.
type choice func(n int) int

// drawChoice leaves the draw to chance, mostly.
func drawChoice(rng *rand.Rand) (choice, string) {
	switch rng.IntN(6) {
	case 0:
		return func(int) int { return 0 }, "oldest"
	case 1:
		return func(n int) int { return n - 1 }, "newest"
	case 2:
		return func(n int) int { return (n - 1) * rng.IntN(2) }, "oldest or newest"
	}
	return rng.IntN, "any"
}

// cut draws one of the images that a loss of power may leave now.
func (d *disk) cut(rng *rand.Rand, ordered bool) *image {
	im := &image{order: "any", files: make(map[string][]byte), how: make(map[string]string)}
	upTo := d.now
	var at map[*file]int
	if ordered {
		upTo = d.drawMoment(rng)
		im.order = fmt.Sprintf("up to moment %d of %d", upTo, d.now)
		at = d.namesUpTo(upTo)
	} else {
		choose, how := drawChoice(rng)
		im.order += ", " + how
		at = d.anyNames(choose)
	}
	found := d.reachable(at)
	paths := make([]string, 0, len(found))
	for path := range found {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		f := found[path]
		if f.open == nil {
			im.dirs = append(im.dirs, path)
			continue
		}
		content := make([]byte, f.drawSize(rng, ordered, upTo))
		im.how[path] = f.fill(rng, content)
		im.files[path] = content
	}
	im.reboot()
	return im
}

// drawMoment returns a moment up to which operations on names are on disk.
func (d *disk) drawMoment(rng *rand.Rand) moment {
	moments := []moment{d.journaled}
	for _, f := range d.files {
		for _, p := range f.places {
			moments = append(moments, p.since)
		}
		for _, s := range f.sizes {
			if s.journaled {
				moments = append(moments, s.since)
			}
		}
	}
	slices.Sort(moments)
	moments = slices.Compact(moments)
	from, _ := slices.BinarySearch(moments, d.journaled)
	choose, _ := drawChoice(rng)
	return moments[from+choose(len(moments)-from)]
}

func (d *disk) namesUpTo(upTo moment) map[*file]int {
	at := make(map[*file]int)
	for _, f := range d.files {
		for i, p := range f.places {
			if p.since <= upTo {
				at[f] = i
			}
		}
	}
	return at
}

// anyNames draws for each file by itself, and then moves on those that must: an
// operation is one for all the files that it concerns, and a name that is taken
// was given up before.
func (d *disk) anyNames(choose choice) map[*file]int {
	at := make(map[*file]int)
	for _, f := range d.files {
		at[f] = choose(len(f.places))
	}
	for moved := true; moved; {
		moved = false
		done := make(map[moment]bool)
		holder := make(map[string]*file)
		for _, f := range d.files {
			for _, p := range f.places[1 : at[f]+1] {
				done[p.since] = true
			}
		}
		for _, f := range d.files {
			for last := len(f.places) - 1; last > at[f]; last-- {
				if done[f.places[last].since] {
					at[f], moved = last, true
				}
			}
			path := f.places[at[f]].path
			other := holder[path]
			if path == "" || other == nil {
				holder[path] = f
				continue
			}
			elder := f
			if other.places[at[other]].since < f.places[at[f]].since {
				elder = other
			}
			at[elder]++
			moved = true
			break
		}
	}
	return at
}

// reachable returns the files by the paths under which they are found: what is in
// a directory that is lost is lost with it.
func (d *disk) reachable(at map[*file]int) map[string]*file {
	dirs := map[string]bool{"": true}
	paths := make(map[string]*file)
	for _, f := range d.files {
		if path := f.places[at[f]].path; path != "" {
			paths[path] = f
			if f.open == nil {
				dirs[path] = true
			}
		}
	}
	for path := range paths {
		for dir := parent(path); dir != ""; dir = parent(dir) {
			if !dirs[dir] {
				delete(paths, path)
			}
		}
	}
	return paths
}

// drawSize returns a size that the file may have.
func (f *file) drawSize(rng *rand.Rand, ordered bool, upTo moment) int64 {
	first := 0
	if ordered {
		for i, s := range f.sizes {
			if s.journaled && s.since <= upTo {
				first = i
			}
		}
		if first+1 < len(f.sizes) && f.sizes[first+1].journaled {
			return f.sizes[first].bytes // what comes next is an operation that is not on disk
		}
	}
	sizes := f.sizes[first:]
	choose, _ := drawChoice(rng)
	n := sizes[choose(len(sizes))].bytes
	if low, high := sizes[0].bytes, sizes[len(sizes)-1].bytes; len(sizes) > 1 && high > low && rng.IntN(4) == 0 {
		n = low + (high-low)*rng.Int64N(8)/8
	}
	return n
}

// fill draws the content of a file, and says how.
func (f *file) fill(rng *rand.Rand, content []byte) string {
	choose, how := drawChoice(rng)
	grain := []int{pageBytes, sectorBytes, wordBytes}[rng.IntN(3)]
	for i := 0; i < len(f.pages) && i*pageBytes < len(content); i++ {
		page := content[i*pageBytes : min((i+1)*pageBytes, len(content))]
		versions := f.pages[i]
		if len(versions) == 1 || grain == pageBytes {
			copy(page, versions[choose(len(versions))].data)
			continue
		}
		for s := 0; s < len(page); s += sectorBytes {
			fillSector(rng, page[s:min(s+sectorBytes, len(page))], s, versions, choose(len(versions)), grain)
		}
	}
	return fmt.Sprintf("%s, by %d bytes", how, grain)
}

// fillSector takes a sector, which begins at from in its page, of one version;
// or, with a grain of words, of that and the next one mixed, if the next one came
// by stores.
func fillSector(rng *rand.Rand, sector []byte, from int, versions []version, i, grain int) {
	take := func(v version, at, n int) {
		if v.data == nil {
			clear(sector[at : at+n])
			return
		}
		copy(sector[at:at+n], v.data[from+at:])
	}
	take(versions[i], 0, len(sector))
	if grain != wordBytes || i+1 == len(versions) || versions[i+1].whole {
		return
	}
	for w := 0; w+wordBytes <= len(sector); w += wordBytes {
		if rng.IntN(2) == 0 {
			take(versions[i+1], w, wordBytes)
		}
	}
}

// write puts the image below a directory.
func (im *image) write(root string) error {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	for _, dir := range im.dirs { // parents come first, as they are sorted
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			return err
		}
	}
	for path, content := range im.files {
		if err := os.WriteFile(filepath.Join(root, path), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// String lists the image, for a report.
func (im *image) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "names: %s\n", im.order)
	paths := slices.Clone(im.dirs)
	for path := range im.files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if content, ok := im.files[path]; ok {
			fmt.Fprintf(&b, "  %s: %d bytes, %s\n", path, len(content), im.how[path])
		} else {
			fmt.Fprintf(&b, "  %s/\n", path)
		}
	}
	return b.String()
}
