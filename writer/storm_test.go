//go:build unix

package writer_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/segment"
)

var _ = addRole("storm", stormRole)

// stormRole (DIR NAME) appends batches of 1 to 5 records as fast as it can and
// says of each that was acknowledged. Record i of the process has the value
// "NAME i filler".
func stormRole(args []string) error {
	w, err := openInChild(args[0])
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, uint64(len(args[1]))))
	for i := 0; ; {
		batch := make([]segment.Record, 1+random.IntN(5))
		for j := range batch {
			batch[j].Value = fmt.Appendf(nil, "%s %d %s", args[1], i+j, strings.Repeat("x", random.IntN(3000)))
		}
		base, err := w.Append(context.Background(), batch)
		if err != nil {
			return err
		}
		fmt.Println("ok", base, i, len(batch))
		i += len(batch)
	}
}

// Producers are killed at random while they append, and others are started.
// Afterwards every acknowledged record is in the log once, at the offset that was
// acknowledged, in its producer's order, and each batch is whole.
func TestKillStorm(t *testing.T) {
	const lives, atOnce = 24, 3
	dir := newLog(t)
	var mu sync.Mutex
	acknowledged := make(map[int64]string) // offset to "NAME i"

	var wait sync.WaitGroup
	turns := make(chan int, lives)
	for life := range lives {
		turns <- life
	}
	close(turns)
	for range atOnce {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for life := range turns {
				name := fmt.Sprintf("p%d", life)
				c := startChild(t, nil, "storm", string(dir), name)
				timer := time.AfterFunc(time.Duration(20+rand.IntN(60))*time.Millisecond, func() { _ = c.cmd.Process.Kill() })
				collect(t, c.out, name, &mu, acknowledged)
				timer.Stop()
				c.kill()
			}
		}()
	}
	wait.Wait()
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged, so nothing was tested")
	}
	t.Logf("%d producers killed, %d records acknowledged", lives, len(acknowledged))
	w := openWriter(t, dir)
	mustAppend(t, w, "last 0 ")
	checkStorm(t, readAll(t, dir), acknowledged)
}

func collect(t *testing.T, out *bufio.Scanner, name string, mu *sync.Mutex, acknowledged map[int64]string) {
	for out.Scan() {
		var base int64
		var first, n int
		if _, err := fmt.Sscanf(out.Text(), "ok %d %d %d", &base, &first, &n); err != nil {
			// The last line of a killed process may be cut; any other is a failure.
			if strings.HasPrefix(out.Text(), "error") {
				t.Errorf("%s: %s", name, out.Text())
			}
			continue
		}
		mu.Lock()
		for j := range n {
			acknowledged[base+int64(j)] = fmt.Sprintf("%s %d", name, first+j)
		}
		mu.Unlock()
	}
}

func checkStorm(t *testing.T, texts []string, acknowledged map[int64]string) {
	t.Helper()
	next := make(map[string]int) // producer to the number its next record must have
	for offset, text := range texts {
		var name string
		var i int
		if _, err := fmt.Sscanf(text, "%s %d ", &name, &i); err != nil {
			t.Fatalf("offset %d holds %.40q, which nobody sent", offset, text)
		}
		if i != next[name] {
			t.Fatalf("offset %d holds record %d of %s where its record %d belongs", offset, i, name, next[name])
		}
		next[name]++
		if want, ok := acknowledged[int64(offset)]; ok && want != fmt.Sprintf("%s %d", name, i) {
			t.Fatalf("offset %d holds %s %d, but was acknowledged for %s", offset, name, i, want)
		}
		delete(acknowledged, int64(offset))
	}
	if len(acknowledged) != 0 {
		t.Fatalf("%d acknowledged records are not in the log", len(acknowledged))
	}
}
