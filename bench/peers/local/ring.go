package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const (
	ringBytes = 1 << 20 // of records in a ring: it fits a core's L2 cache
	maxSides  = 4       // producers, and consumers
	line      = 64      // bytes of a cache line
)

// A word is shared, and alone in its cache line.
type word struct {
	atomic.Uint64
	_ [line - 8]byte
}

// A flag is a word to sleep on: 1 while somebody sleeps, or is about to.
type flag struct {
	atomic.Uint32
	_ [line - 4]byte
}

// A ringHeader is the shared state of the ring of one producer, which all consumers read.
type ringHeader struct {
	head  word           // records published, by the producer
	tails [maxSides]word // records consumed, by each consumer
}

// An arena is the memory that all processes share: a ring for each producer, so that none waits for another.
type arena struct {
	rings     [maxSides]ringHeader
	producers [maxSides]flag // asleep until there is room
	consumers [maxSides]flag // asleep until there are records
}

const arenaBytes = (unsafe.Sizeof(arena{}) + 4095) &^ 4095

// slotBytes is what a record takes in a ring: whole cache lines.
func slotBytes(size int) int { return (size + line - 1) &^ (line - 1) }

// slots is how many records a ring has: a power of 2.
func slots(size int) uint64 {
	n := uint64(1)
	for n*2*uint64(slotBytes(size)) <= ringBytes {
		n *= 2
	}
	return n
}

// A waiter is how a side waits for the other.
type waiter interface {
	// wait returns when flag is not 1 any more, or earlier. turn counts the calls since there was something.
	wait(f *flag, side int, turn int)
	// wake ends the wait of a side.
	wake(f *flag, side int)
	// parks says whether wait needs the flag, and wake.
	parks() bool
}

// ringPeer makes a peer of rings in shared memory.
func ringPeer(name string, newWaiter func(e *harness.Env) (producers, consumers waiter)) harness.Peer {
	parks := name != "ring"
	return harness.Peer{
		Name: name, Version: harness.Kernel, Spins: !parks,
		Has: func(s harness.Settings) string {
			switch {
			case s.Producers > maxSides || s.Consumers > maxSides:
				return fmt.Sprintf("the ring is made for %d producers and consumers", maxSides)
			case !parks && s.Work == harness.Latency && !s.Spin:
				return "it has no way to sleep"
			}
			return ""
		},
		Setup: func(e *harness.Env) error {
			fd, err := unix.MemfdCreate("ring", unix.MFD_CLOEXEC)
			if err != nil {
				return err
			}
			f := os.NewFile(uintptr(fd), "ring")
			e.Files = append(e.Files, f)
			if name == "eventfd" {
				if err := addEventfds(e); err != nil {
					return err
				}
			}
			return f.Truncate(int64(arenaBytes) + int64(e.Producers)*ringBytes)
		},
		Produce: func(p *harness.Producer) error {
			r, err := openRings(p.Env)
			if err != nil {
				return err
			}
			r.own, r.other = newWaiter(p.Env)
			return r.produce(p)
		},
		Consume: func(c *harness.Consumer) error {
			r, err := openRings(c.Env)
			if err != nil {
				return err
			}
			r.other, r.own = newWaiter(c.Env)
			return r.consume(c)
		},
	}
}

// rings are one role's view of the arena.
type rings struct {
	*arena
	data       []byte
	slot       int
	mask       uint64
	own, other waiter
}

func openRings(e *harness.Env) (*rings, error) {
	size := int(arenaBytes) + e.Producers*ringBytes
	mem, err := unix.Mmap(int(e.File(0).Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map the ring: %w", err)
	}
	return &rings{
		arena: (*arena)(unsafe.Pointer(&mem[0])), data: mem[arenaBytes:],
		slot: slotBytes(e.Size), mask: slots(e.Size) - 1,
	}, nil
}

// at returns the place of a record in a producer's ring.
func (r *rings) at(producer int, index uint64, size int) []byte {
	from := producer*ringBytes + int(index&r.mask)*r.slot
	return r.data[from : from+size : from+size]
}

// behind returns how far the slowest consumer is.
func (h *ringHeader) behind(consumers int) uint64 {
	tail := h.tails[0].Load()
	for i := 1; i < consumers; i++ {
		tail = min(tail, h.tails[i].Load())
	}
	return tail
}

// produce makes each record in its place and publishes it.
func (r *rings) produce(p *harness.Producer) error {
	if err := p.Ready(); err != nil {
		return err
	}
	ring := &r.rings[p.Index]
	parks := r.own.parks()
	var head, tail uint64
	for {
		if head-tail > r.mask {
			tail = r.awaitRoom(p, head)
		}
		if !p.Fill(r.at(p.Index, head, p.Size)) {
			return nil
		}
		head++
		ring.head.Store(head)
		if !parks {
			continue
		}
		for c := range p.Consumers {
			if f := &r.consumers[c]; f.Load() == 1 {
				r.other.wake(f, c)
			}
		}
	}
}

// awaitRoom returns the tail when the ring is not full.
func (r *rings) awaitRoom(p *harness.Producer, head uint64) (tail uint64) {
	ring, f := &r.rings[p.Index], &r.producers[p.Index]
	for turn := 0; ; turn++ {
		if tail = ring.behind(p.Consumers); head-tail <= r.mask {
			return tail
		}
		if r.own.parks() && turn >= spinTurns {
			f.Store(1)
			if tail = ring.behind(p.Consumers); head-tail <= r.mask {
				f.Store(0)
				return tail
			}
		}
		r.own.wait(f, p.Index, turn)
	}
}

// spinTurns is how often a side looks again before it sleeps: about a microsecond.
const spinTurns = 300

// consume goes round the rings, and takes from each all that is there.
func (r *rings) consume(c *harness.Consumer) error {
	if err := c.Ready(); err != nil {
		return err
	}
	f := &r.consumers[c.Index]
	tails := make([]uint64, c.Producers)
	for turn := 0; ; turn++ {
		found := false
		for p := range tails {
			n, done, err := r.drain(c, p, tails[p])
			if done || err != nil {
				return err
			}
			tails[p] += n
			found = found || n > 0
		}
		switch {
		case found:
			turn = -1
		case r.own.parks() && turn >= spinTurns:
			f.Store(1)
			if r.anything(tails) {
				f.Store(0)
				continue
			}
			r.own.wait(f, c.Index, turn)
		default:
			r.own.wait(f, c.Index, turn)
		}
	}
}

func (r *rings) anything(tails []uint64) bool {
	for p, tail := range tails {
		if r.rings[p].head.Load() != tail {
			return true
		}
	}
	return false
}

// drain takes what is in a ring, at most a quarter of it at once so that the producer has room soon.
func (r *rings) drain(c *harness.Consumer, producer int, tail uint64) (n uint64, done bool, err error) {
	ring := &r.rings[producer]
	n = min(ring.head.Load()-tail, r.mask/4+1)
	if n == 0 {
		return 0, false, nil
	}
	for i := range n {
		if done, err = c.Take(r.at(producer, tail+i, c.Size)); err != nil {
			return 0, false, err
		}
	}
	ring.tails[c.Index].Store(tail + n)
	// Half of it free is worth a wake-up; less would have the two take turns for each few records.
	if f := &r.producers[producer]; r.own.parks() && f.Load() == 1 && ring.head.Load()-ring.behind(c.Consumers) <= r.mask/2+1 {
		r.other.wake(f, producer)
	}
	return n, done, nil
}
