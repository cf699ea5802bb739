package powercut

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

var rounds = flag.Int("rounds", 2, "times that each real filesystem is shut down")

// TestShutdown shuts real filesystems down under producers, as a loss of power
// does: what is in memory is lost, and the journal is replayed when they are
// mounted again. The long form:
//
//	go test ./reliability/powercut -run Shutdown -rounds 200 -seed 7 -v -timeout 0
func TestShutdown(t *testing.T) {
	for _, kind := range []struct {
		name string
		size int64
		mkfs []string
	}{
		{"ext4", ext4Megabytes, []string{"mkfs.ext4", "-q", "-F", "-J", journalOption()}},
		{"xfs", xfsMegabytes, []string{"mkfs.xfs", "-q", "-f"}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			v := makeVolume(t, kind.name, kind.size, kind.mkfs...)
			s := &shutdowns{t: t, volume: v, rng: rand.New(rand.NewPCG(*seed, uint64(kind.size)))}
			s.shared.ledger = newLedger(*seed)
			s.shared.ledger.unseen = true
			began := time.Now()
			for n := range *rounds {
				s.round(n)
				if t.Failed() {
					t.Logf("round %d of seed %d failed; the log is in %s", n, *seed, s.keep())
					break
				}
			}
			t.Logf("powercut: shutdowns of %s=%d durable_acknowledged=%d visible_acknowledged=%d acknowledged_meanwhile=%d visible_lost=%d segments=%d seed=%d seconds=%.0f",
				kind.name, *rounds, s.shared.durableAcks, s.shared.visibleAcks, s.shared.late, s.lost, s.segments, *seed, time.Since(began).Seconds())
		})
	}
}

// shutdowns are rounds of one log on one volume.
type shutdowns struct {
	t        *testing.T
	volume   *volume
	rng      *rand.Rand
	shared   shared
	lost     int64 // records that were visible and did not survive
	segments int64 // seen in all rounds
	end      int64
}

func (s *shutdowns) log() string { return filepath.Join(s.volume.point, "log") }

// round has producers append, takes the filesystem away at some moment, and looks
// at what it holds when it is back.
func (s *shutdowns) round(n int) {
	const producers = 3
	options := mlog.Options{SegmentBytes: segmentBytes, FlushEvery: -1, Retention: mlog.Retention{Bytes: 12 * segmentBytes}}
	l, err := mlog.Open(s.log(), options)
	if err != nil {
		s.t.Fatal(err)
	}
	l.Close()
	var children []*child
	for i := range producers {
		from := uint32(n*producers+i) << 16
		children = append(children, startChild(s.t, s.log(), uint64(n*producers+i)+*seed<<32, from, &s.shared))
	}
	time.Sleep(time.Duration(100+s.rng.IntN(600)) * time.Millisecond)
	flags := []uint32{goingDownFlushLog, goingDownNoFlush}
	s.shared.setDown(true)
	err = s.volume.shutDown(flags[s.rng.IntN(len(flags))])
	for _, c := range children {
		c.kill()
	}
	if isRefused(err) {
		s.t.Skipf("%s: %v", shutdownNotAllowed, err)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.volume.again()
	s.judge()
	s.shared.setDown(false)
}

// keep copies the log to where it stays.
func (s *shutdowns) keep() string {
	kept, err := os.MkdirTemp(*keep, "powercut-")
	if err == nil {
		err = os.CopyFS(filepath.Join(kept, logName), os.DirFS(s.log()))
	}
	if err != nil {
		return err.Error()
	}
	return kept
}

// judge recovers the log and compares it with the acknowledgements.
func (s *shutdowns) judge() {
	// The boot is the same, and so may be the numbers of device and inode: the
	// control file cannot tell that power was lost. docs/format.md says what to do.
	if err := os.Remove(filepath.Join(s.log(), "control")); err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	j := &judge{dir: s.log(), ledger: s.shared.ledger}
	before, err := j.readFirst()
	if err != nil {
		s.t.Errorf("a reader before any producer: %v", err)
	}
	r, err := j.recover(s.log())
	if err != nil {
		s.t.Errorf("recovery: %v", err)
		return
	}
	if before > r.end {
		s.t.Errorf("a reader saw offsets up to %d before recovery, which kept only those up to %d", before, r.end)
	}
	found, err := check.Read(s.log(), check.Options{PowerLost: true})
	if err := butIndexes(err); err != nil {
		s.t.Errorf("the checker: %v", err)
		return
	}
	if found.End != r.end || int64(len(found.Records)) != r.end-r.start {
		s.t.Errorf("the checker found %d records up to offset %d, the reader %d up to %d", len(found.Records), found.End, len(r.records), r.end)
	}
	for _, b := range s.shared.ledger.batches {
		if b.offset >= r.end {
			s.lost += int64(len(b.records))
		}
	}
	s.segments += int64(len(found.Segments))
	s.shared.ledger.adopt(r)
	s.shared.ledger.forgetBefore(r.start)
	s.end = r.end
	if testing.Verbose() && *rounds <= 10 {
		s.t.Logf("%s: offsets %d to %d survived", s.volume.kind, r.start, r.end)
	}
}
