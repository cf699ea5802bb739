//go:build amd64 || arm64

package step

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// words are those of the shared words, read from the files, that an append
// changes. The segment is the log's last.
type words struct {
	dir              string
	control, segment *os.File
	began            int64 // last time of the segment at first
}

// Places by docs/format.md.
const (
	lockAt     = 128
	tailAt     = 128
	lastTimeAt = 136
	wordsAt    = 128 // where, in both files, the words begin that change
	wordsBytes = 288
)

// openWords returns nil where there is no log yet.
func openWords(dir string) *words {
	names, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	control, err := os.Open(filepath.Join(dir, "control"))
	if err != nil || len(names) == 0 {
		return nil
	}
	segment, err := os.Open(names[len(names)-1])
	if err != nil {
		control.Close()
		return nil
	}
	w := &words{dir: dir, control: control, segment: segment}
	w.began = int64(number(segment, lastTimeAt))
	return w
}

func (w *words) close() {
	if w != nil {
		w.control.Close()
		w.segment.Close()
	}
}

func number(f *os.File, at int64) uint64 {
	var b [8]byte
	_, _ = f.ReadAt(b[:], at)
	return binary.LittleEndian.Uint64(b[:])
}

func (w *words) locked() bool { return number(w.control, lockAt)&0xffff != 0 }

// tail returns where the next batch goes by the tail word, and how many records
// are before it.
func (w *words) tail() (position, count int64) {
	tail := int64(number(w.segment, tailAt))
	const positionBits, unit = 28, 8
	return tail & (1<<positionBits - 1) * unit, tail >> positionBits
}

// next returns the commit word and the attributes of what stands at the tail.
func (w *words) next() (length uint32, attributes byte) {
	position, _ := w.tail()
	n := number(w.segment, position)
	return uint32(n), byte(n >> 32)
}

const endAttribute = 0x80

func (w *words) staged() bool {
	length, _ := w.next()
	return w.locked() && length == 0 && int64(number(w.segment, lastTimeAt)) != w.began
}

func (w *words) committed() bool {
	length, attributes := w.next()
	return w.locked() && length != 0 && attributes&endAttribute == 0
}

func (w *words) named() bool {
	length, _ := w.next()
	_, count := w.tail()
	return w.locked() && length == 0 && exists(segmentPath(w.dir, count))
}

func (w *words) sealed() bool {
	length, attributes := w.next()
	return w.locked() && length != 0 && attributes&endAttribute != 0
}

// A watch tells when something has changed that other processes may see.
type watch struct {
	words *words // nil: there were none at first
	files bool   // look at the names in the log's directory too
	dir   string
	last  string
	at    []int // when it had
}

// look looks whether something has changed since the last time.
func (w *watch) look(now int) {
	var s strings.Builder
	if w.words != nil {
		w.words.write(&s)
	}
	if w.files {
		_ = filepath.WalkDir(w.dir, func(path string, _ fs.DirEntry, _ error) error {
			s.WriteString(path)
			return nil
		})
	}
	if s.String() != w.last && now > 0 {
		w.at = append(w.at, now)
	}
	w.last = s.String()
}

// write writes all of the words, to be compared.
func (w *words) write(s *strings.Builder) {
	var b [2 * wordsBytes]byte
	_, _ = w.control.ReadAt(b[:wordsBytes], wordsAt)
	_, _ = w.segment.ReadAt(b[wordsBytes:], wordsAt)
	length, attributes := w.next()
	s.Write(b[:])
	fmt.Fprint(s, length, attributes)
}
