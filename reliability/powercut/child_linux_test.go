package powercut

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// The test binary is also the program that its producers run: what it finds in
// this variable is the directory of the log.
const producerRole = "POWERCUT_PRODUCER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(producerRole); dir != "" {
		produce(dir, os.Args[len(os.Args)-2], os.Args[len(os.Args)-1])
	}
	os.Exit(m.Run())
}

// produce appends until it is killed or an append fails. It writes a line to its
// output before each append and one after: the acknowledgement.
func produce(dir, who, from string) {
	seed, _ := strconv.ParseUint(who, 10, 64)
	id, _ := strconv.ParseUint(from, 10, 32)
	rng := rand.New(rand.NewPCG(seed, id))
	p, err := openProducer(dir, mlog.Options{FlushEvery: 50 * time.Millisecond})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l := newLedger(seed)
	for l.lastID = uint32(id); ; {
		b := l.begin(rng, mixed)
		durable := rng.IntN(4) == 0
		w := p.visible
		if durable {
			w = p.durable
		}
		fmt.Printf("begin %d\n", l.lastID)
		offset, err := w.AppendBatch(context.Background(), b.records)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("acknowledged %d %d %t\n", l.lastID, offset, durable)
	}
}

// A child is a producer process, and what is known of what it appended: its
// batches are made up again here, from the same seed.
type child struct {
	cmd    *exec.Cmd
	rng    *rand.Rand
	mirror *ledger
	lines  sync.WaitGroup
	shared *shared
}

// A shared ledger is fed by several children.
type shared struct {
	mu     sync.Mutex
	ledger *ledger
	// down says that the filesystem is about to be taken away. What is acknowledged
	// from here on is no promise: the machine lives, other than in a loss of power,
	// and a sync under way may return as if nothing were amiss.
	down                           bool
	durableAcks, visibleAcks, late int
}

func startChild(t *testing.T, dir string, who uint64, from uint32, s *shared) *child {
	t.Helper()
	c := &child{rng: rand.New(rand.NewPCG(who, uint64(from))), mirror: newLedger(who), shared: s}
	c.mirror.lastID = from
	c.cmd = exec.Command(os.Args[0], strconv.FormatUint(who, 10), strconv.FormatUint(uint64(from), 10))
	c.cmd.Env = append(os.Environ(), producerRole+"="+dir)
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.lines.Go(func() { c.listen(t, out) })
	return c
}

// listen reads until the child is dead and all that it wrote has come.
func (c *child) listen(t *testing.T, out io.Reader) {
	var b *batch
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var id uint32
		var offset int64
		var durable bool
		if n, _ := fmt.Sscanf(lines.Text(), "begin %d", &id); n == 1 {
			b = c.mirror.begin(c.rng, mixed)
			c.rng.IntN(4) // as the child does
			c.shared.mu.Lock()
			c.shared.ledger.batches[id] = b
			c.shared.mu.Unlock()
			continue
		}
		if n, _ := fmt.Sscanf(lines.Text(), "acknowledged %d %d %t", &id, &offset, &durable); n != 3 || b == nil {
			t.Errorf("a producer says %q", lines.Text())
			return
		}
		c.shared.acknowledge(b, offset, durable)
	}
}

func (s *shared) acknowledge(b *batch, offset int64, durable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.offset = offset
	switch {
	case durable && s.down:
		s.late++
	case durable:
		s.durableAcks++
		s.ledger.durable = max(s.ledger.durable, b.end())
	default:
		s.visibleAcks++
	}
}

// setDown says whether the filesystem is being taken away.
func (s *shared) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	c.lines.Wait()
	_ = c.cmd.Wait()
}
