package check

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// A Group is the state of a consumer group.
type Group struct {
	Sequence  uint64 // of the last commit; 0: none yet
	Committed int64  // the next offset to read; -1: nothing committed yet
}

var groupName = regexp.MustCompile(`^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,127}$`)

// groups parses all files of groups. A file that vanishes meanwhile was a
// temporary one.
func (c *checker) groups() {
	entries, err := os.ReadDir(filepath.Join(c.dir, "groups"))
	if errors.Is(err, fs.ErrNotExist) {
		c.breach("groups", -1, "is missing")
		return
	}
	if err != nil {
		c.fail(err)
	}
	for _, e := range entries {
		name, suffix, marked := strings.Cut(e.Name(), "~")
		switch {
		case !groupName.MatchString(name):
			c.note("groups/%s: not the name of a group", e.Name())
		case marked && suffix != "lock" && !strings.HasPrefix(suffix, "tmp-") && !strings.HasPrefix(suffix, "lock~tmp-"):
			c.note("groups/%s: an unknown kind of file", e.Name())
		case !marked:
			c.group(name)
		}
	}
}

func (c *checker) group(name string) {
	const size = 128
	file := path.Join("groups", name)
	b := c.read(file)
	if len(b) != size {
		c.breach(file, -1, "has %d bytes and not %d", len(b), size)
		return
	}
	if string(b[:8]) != "mloggrup" {
		c.breach(file, 0, "wrong magic %q", b[:8])
	}
	if v := u32(b, 8); v != 1 {
		c.breach(file, 8, "version %d", v)
	}
	if [16]byte(b[16:32]) != c.log.Meta.ID {
		c.breach(file, 16, "the id of another log")
	}
	for _, field := range [][2]int{{12, 16}, {32, 56}, {112, 128}} {
		if at := firstNonzero(b, field[0], field[1]); at >= 0 {
			c.breach(file, at, "a reserved byte is not zero")
		}
	}
	if xxh64(b[:56]) != u64(b, 56) {
		c.breach(file, 56, "wrong checksum")
	}
	c.log.Groups[name] = c.places(file, b)
}

// places returns the newer of the two commits. One of them may be torn: whoever
// wrote it died.
func (c *checker) places(file string, b []byte) Group {
	g := Group{Committed: -1}
	var valid []uint64
	for i, at := range [2]int{64, 88} {
		sequence, offset := u64(b, at), i64(b, at+8)
		hashed := append(append([]byte(nil), b[at:at+16]...), b[16:32]...)
		if sequence == 0 || sequence%2 != uint64(i) || offset < 0 || xxh64(hashed) != u64(b, at+16) {
			if sequence != 0 && sequence%2 != uint64(i) {
				c.breach(file, int64(at), "sequence %d in place %d", sequence, i)
			}
			continue
		}
		valid = append(valid, sequence)
		if sequence > g.Sequence {
			g = Group{Sequence: sequence, Committed: offset}
		}
	}
	if len(valid) == 2 && !c.InUse && valid[0] != valid[1]+1 && valid[1] != valid[0]+1 {
		c.breach(file, 64, "sequences %d and %d do not follow each other", valid[0], valid[1])
	}
	return g
}
