package powercut

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Where a segment's header ends, and which words in it a recovery may change:
// the hints at 128 and 136, and the words at 256 and 264 that follow syncs.
const headerBytes = 4096

// Where a header has its origin, and the one of a recycled file.
const (
	originAt     = 64
	recycledFile = 2
)

func cutNames(dir string) []string {
	paths, _ := filepath.Glob(filepath.Join(dir, "cut", "*"))
	return paths
}

// checkCut compares the segments of an image with what recovery made of them:
// what it took away must lie in cut/, byte for byte.
func (j *judge) checkCut(im *image) error {
	cuts, err := j.readCuts()
	if err != nil {
		return err
	}
	for path, before := range im.files {
		name, found := strings.CutPrefix(path, logName+"/")
		if !found || strings.Contains(name, "/") || !strings.HasSuffix(name, ".seg") {
			continue
		}
		after, err := os.ReadFile(filepath.Join(j.dir, name))
		if err != nil {
			after = nil
		}
		if movedAside(cuts[name], before) {
			continue // and perhaps made anew
		}
		if len(after) != len(before) {
			return fmt.Errorf("%s had %d bytes, has %d, and is not in cut/", name, len(before), len(after))
		}
		kept := cuts[name]
		if torn := earlierLife(before, after); torn != nil {
			kept = append(slices.Clone(kept), *torn)
		}
		if err := changesAreKept(name, before, after, kept); err != nil {
			return err
		}
	}
	return nil
}

// A cutting is a file in cut/: a part of a segment, or all of one.
type cutting struct {
	from, to int64 // 0, 0: all
	content  []byte
}

func (j *judge) readCuts() (map[string][]cutting, error) {
	cuts := make(map[string][]cutting)
	for _, path := range cutNames(j.dir) {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		base := filepath.Base(path)
		if strings.Contains(base, "~tmp-") {
			continue // of a recovery that was cut short
		}
		segment := base[:strings.Index(base, ".seg")+len(".seg")]
		c := cutting{content: content}
		if last := base[strings.LastIndex(base, ".")+1:]; strings.Contains(last, "-") {
			if _, err := fmt.Sscanf(last, "%d-%d", &c.from, &c.to); err != nil {
				return nil, fmt.Errorf("a file of the name %s in cut/", base)
			}
		}
		cuts[segment] = append(cuts[segment], c)
	}
	return cuts, nil
}

func movedAside(cuts []cutting, before []byte) bool {
	for _, c := range cuts {
		if c.to == 0 && bytes.Equal(c.content, before) {
			return true
		}
	}
	return false
}

// earlierLife is what recovery need not keep of a recycled file: all that stands behind
// the last position to which a header of this life leads, if it was zeroed. Such a
// header begins with an offset that is not below the one at which the log ends.
func earlierLife(before, after []byte) *cutting {
	const frameBytes = 32
	if binary.LittleEndian.Uint32(after[originAt:]) != recycledFile {
		return nil
	}
	end := len(bytes.TrimRight(after, "\x00"))
	end = max(headerBytes, (end+7)/8*8)
	next := binary.LittleEndian.Uint64(after[32:]) + binary.LittleEndian.Uint64(after[128:])>>28
	until := end
	for at := end; at+frameBytes <= len(before); at += 8 {
		length, base := int(binary.LittleEndian.Uint32(before[at:])), binary.LittleEndian.Uint64(before[at+8:])
		if length >= frameBytes && length <= len(before)-at && base >= next && base-next <= uint64(at-end) {
			until = max(until, at+length)
		}
	}
	return &cutting{from: int64(until), to: int64(len(before)), content: before[until:]}
}

// checkZeros asks that nothing stands behind the end of a log that was recovered: what
// is left there of a batch could become one again with parts of another.
func (j *judge) checkZeros() error {
	paths, err := filepath.Glob(filepath.Join(j.dir, "*.seg"))
	if err != nil || len(paths) == 0 {
		return fmt.Errorf("the segments after recovery: %q, %v", paths, err)
	}
	content, err := os.ReadFile(paths[len(paths)-1])
	if err != nil {
		return err
	}
	const tailAt, positionBits, unit = 128, 28, 8
	tail := binary.LittleEndian.Uint64(content[tailAt:]) & (1<<positionBits - 1) * unit
	if rest := bytes.Trim(content[tail:], "\x00"); len(rest) > 0 {
		return fmt.Errorf("%d bytes from the first to the last behind the recovered end of %s are not zero", len(rest), filepath.Base(paths[len(paths)-1]))
	}
	return nil
}

// changesAreKept looks for bytes that recovery changed. From some position on all
// may be zero now if they are in cut/; a new end marker may stand there.
func changesAreKept(name string, before, after []byte, cuts []cutting) error {
	kept := func(i int) bool {
		for _, c := range cuts {
			if at := int64(i) - c.from; at >= 0 && at < int64(len(c.content)) && c.content[at] == before[i] {
				return true
			}
		}
		return false
	}
	lost, from, to := 0, 0, 0
	for i := headerBytes; i < len(before); i++ {
		if before[i] == after[i] || before[i] != 0 && kept(i) {
			continue
		}
		if lost == 0 {
			from = i
		}
		lost, to = lost+1, i+1
	}
	if lost > 0 && to-from > 32 {
		return fmt.Errorf("%s: %d bytes between %d and %d were changed and are not in cut/", name, lost, from, to)
	}
	return nil
}
