package hostile_test

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/mapping"
	"github.com/seed27ccf144/mlog/reliability/hostile/mutate"
)

var _ = addRole("scribble", scribbleRole)

// A scribbler is a producer gone mad: it has the files of a log mapped for
// writing, and stores what it likes where it likes.
type scribbler struct {
	dir    string
	honest mutate.Tree // what it puts back now and then
	rng    *rand.Rand
	maps   map[string]*mapping.Map
	acts   [acts]int
}

// scribbleRole (DIR HONEST SEED) scribbles until its input ends. Told a line, it
// stops, answers with what it has done so far, and goes on at the next one.
func scribbleRole(args []string) error {
	honest, err := mutate.Load(args[1])
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	s := &scribbler{dir: args[0], honest: honest, rng: rand.New(rand.NewPCG(n, 0)), maps: map[string]*mapping.Map{}}
	lines := make(chan struct{})
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- struct{}{}
		}
		close(lines)
	}()
	for {
		select {
		case _, more := <-lines:
			if !more {
				return nil
			}
			fmt.Println("stopped", s.total())
			if _, more := <-lines; !more {
				return nil
			}
		default:
			if err := s.act(); err != nil {
				return err
			}
		}
	}
}

func (s *scribbler) total() (n int) {
	for _, count := range s.acts {
		n += count
	}
	return n
}

// What a scribbler does, by weight.
const (
	scatter  = iota // random bytes anywhere
	words           // a word of a header, the tail for instance
	commit          // a commit word, to and fro
	alter           // part of a batch, with the checksum mended
	forge           // a batch or end marker of its own making
	places          // a group's committed offset, mended
	restore         // a file as it honestly was
	cut             // a file shorter for a moment
	replaced        // another file under the same name
	acts
)

var weights = [acts]int{scatter: 30, words: 30, commit: 20, alter: 40, forge: 25, places: 10, restore: 25, cut: 3, replaced: 3}

func (s *scribbler) act() error {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n, kind := s.rng.IntN(sum), 0
	for n >= weights[kind] {
		n -= weights[kind]
		kind++
	}
	s.acts[kind]++
	name := s.file()
	if kind == alter || kind == forge || kind == commit {
		name = s.segment()
	}
	// Who cuts files meets faults himself.
	err := fault.Run(func() error { return s.do(kind, name) })
	if s.rng.IntN(100) == 0 {
		time.Sleep(time.Duration(s.rng.IntN(int(2 * time.Millisecond)))) // readers get somewhere
	}
	if _, cut := err.(*fault.Error); cut {
		return nil
	}
	return err
}

func (s *scribbler) do(kind int, name string) error {
	switch kind {
	case restore:
		return s.putBack(name)
	case cut:
		return s.truncate(name)
	case replaced:
		return s.replace(name)
	}
	b, err := s.mapped(name)
	if err != nil || len(b) == 0 {
		return err
	}
	switch kind {
	case scatter:
		at := s.rng.IntN(len(b))
		for i := at; i < min(at+1+s.rng.IntN(64), len(b)); i++ {
			b[i] = byte(s.rng.Uint32())
		}
	case words:
		at := s.rng.IntN(min(len(b), 512)/8) * 8
		mapping.Uint64(b, at).Store(s.value(len(b)))
		if s.rng.IntN(2) == 0 {
			mutate.MendHeader(b)
		}
	case commit:
		if at := s.batch(name); at > 0 {
			word := mapping.Uint32(b, int(at))
			was := word.Swap(0)
			if s.rng.IntN(2) == 0 {
				word.Store(uint32(s.value(len(b))))
			}
			word.Store(was)
		}
	case alter:
		if at := s.batch(name); at > 0 {
			to := min(at+int64(s.rng.IntN(120)), int64(len(b))-8)
			mapping.Uint64(b, int(to&^7)).Store(s.value(len(b)))
			mutate.MendBatch(b, at)
		}
	case forge:
		s.forge(name, b)
	case places:
		mutate.MendPlaces(b)
	}
	return nil
}

// forge writes a batch whose every field is made up, with the right checksum.
func (s *scribbler) forge(name string, b []byte) {
	at := s.batch(name)
	if at <= 0 || at+mutate.BatchBytes > int64(len(b)) {
		return
	}
	length := uint32(mutate.BatchBytes + s.rng.IntN(200))
	if s.rng.IntN(8) == 0 {
		length = uint32(s.value(len(b)))
	}
	attrs := []uint32{0, 1, 2, 3, 0x40, 0x80, s.rng.Uint32() & 0xff}[s.rng.IntN(7)]
	count := []uint32{0, 1, 1, 2, length, 1<<24 - 1}[s.rng.IntN(6)]
	if s.rng.IntN(2) == 0 && attrs == 0x80 {
		count, length = 0, mutate.BatchBytes
	}
	mapping.Uint32(b, int(at)).Store(length)
	mapping.Uint32(b, int(at)+4).Store(attrs | count<<8)
	if s.rng.IntN(2) == 0 {
		mapping.Uint64(b, int(at)+8).Store(s.value(len(b)))
	}
	mutate.MendBatch(b, at)
}

// value is a number of the kind that breaks bounds, or any.
func (s *scribbler) value(size int) uint64 {
	special := []uint64{0, 1, math.MaxUint64, math.MaxInt64, 1 << 62, 1 << 63, uint64(size), uint64(size) - 32, mutate.HeaderBytes,
		mutate.HeaderBytes / 8, 32, uint64(s.rng.IntN(size)), uint64(s.rng.IntN(200)), uint64(s.rng.IntN(200))<<28 | uint64(s.rng.IntN(size/8))}
	if i := s.rng.IntN(len(special) + 2); i < len(special) {
		return special[i]
	}
	return s.rng.Uint64()
}

func (s *scribbler) file() string {
	names := slices.DeleteFunc(s.honest.Names(), func(name string) bool { return len(s.honest[name].Data) == 0 || name == "meta" })
	return names[s.rng.IntN(len(names))]
}

func (s *scribbler) segment() string {
	names := slices.DeleteFunc(s.honest.Names(), func(name string) bool { return filepath.Ext(name) != ".seg" })
	return names[s.rng.IntN(len(names))]
}

// batch returns the position of an honest batch, or of what follows the last one.
func (s *scribbler) batch(name string) int64 {
	at := mutate.Positions(s.honest[name].Data)
	if len(at) == 0 {
		return 0
	}
	return at[s.rng.IntN(len(at))]
}
