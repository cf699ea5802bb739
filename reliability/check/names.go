package check

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// known are the names that the page explains, by directory. Groups have a
// function of their own.
var known = []struct {
	directory string
	names     *regexp.Regexp
	empty     bool // files there have no content
	optional  bool
}{
	{".", regexp.MustCompile(`^(meta|retention|control|wake|spare(\.[1-3])?|unfinished|control\.(new|aside)|spare~tmp-` +
		`|producers|groups|cut|(meta|retention|wake|[0-9]{20}\.idx)~tmp-.*|[0-9]{20}\.(seg|idx))$`), false, false},
	{"producers", regexp.MustCompile(`^(open|spare|[0-9]{5}|(open|spare|[0-9]{5})~tmp-.*)$`), true, false},
	{"cut", regexp.MustCompile(`^([0-9]{20}\.seg|meta|retention|groups~.+)\..+$`), false, true},
}

// names notes what is of no name that the page knows.
func (c *checker) names() {
	for _, k := range known {
		entries, err := os.ReadDir(filepath.Join(c.dir, k.directory))
		if errors.Is(err, fs.ErrNotExist) && k.optional {
			continue
		}
		if err != nil {
			c.fail(err)
		}
		for _, e := range entries {
			path := filepath.Join(k.directory, e.Name())
			if !k.names.MatchString(e.Name()) {
				c.note("%s: a file of unknown name", path)
				continue
			}
			if info, err := e.Info(); k.empty && err == nil && info.Size() != 0 {
				c.breach(path, -1, "a lock file of %d bytes", info.Size())
			}
		}
	}
	c.spare()
}

// spare has no content that matters, but whoever renames it relies on its size.
func (c *checker) spare() {
	for _, name := range []string{"spare", "spare.1", "spare.2", "spare.3"} {
		info, err := os.Lstat(filepath.Join(c.dir, name))
		if err == nil && info.Size() != c.log.Meta.SegmentBytes {
			c.breach(name, -1, "has %d bytes and not %d", info.Size(), c.log.Meta.SegmentBytes)
		}
	}
	if len(c.log.Segments) > 0 {
		return
	}
	if _, err := os.Lstat(filepath.Join(c.dir, "producers", "00001")); err == nil {
		c.breach("producers/00001", -1, "is there, and no segment is")
	}
}
