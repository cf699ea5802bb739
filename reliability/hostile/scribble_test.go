package hostile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/hostile/mutate"
)

// TestScribble: one process scribbles on a log's files while another reads it in
// every way, and reads a good log beside it that a third appends to.
//
// No call panics, hangs or costs memory without bounds; offsets never go back; the
// good log's records all arrive in order. Whenever the scribbler is stopped, the
// log is read here, and each record that is handed out must be one that a batch
// holds which verifies.
func TestScribble(t *testing.T) {
	temp := newTemp(t)
	if *keep {
		var err error
		if temp, err = os.MkdirTemp("", "mlog-scribble-"); err != nil {
			t.Fatal(err)
		}
		t.Logf("the log stays in %s", temp)
	}
	dir, copyDir, good := filepath.Join(temp, "log"), filepath.Join(temp, "honest"), filepath.Join(temp, "good")
	if err := makeHonest(t, dir).Write(copyDir); err != nil {
		t.Fatal(err)
	}
	p := startGood(t, good)
	n := strconv.FormatUint(*seed, 10)
	readers := startChild(t, "consume", dir, good, n)
	readers.expect("ready")
	mad := startChild(t, "scribble", dir, copyDir, n)

	judged, acts, frozen := 0, 0, 0
	said := time.Now()
	for began := time.Now(); time.Since(began) < scribbleFor(); frozen++ {
		time.Sleep(300 * time.Millisecond)
		mad.tell("")
		fmt.Sscan(mad.expect("stopped"), &acts)
		judged += judgeFrozen(t, dir)
		mad.tell("")
		if t.Failed() {
			t.Fatalf("scribble: violations=1, see above: seed=%d acts=%d, at stop %d", *seed, acts, frozen)
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			t.Logf("%v: %d acts, %d stops, %d records judged", time.Since(began).Round(time.Second), acts, frozen, judged)
		}
	}
	mad.end()
	appended := p.stop()
	readers.tell(strconv.FormatInt(appended, 10))
	var r report
	if err := json.Unmarshal([]byte(readers.line()), &r); err != nil {
		t.Fatal(err)
	}
	resident := readers.end()
	var wrong []string
	if r.Violation != "" {
		wrong = append(wrong, r.Violation)
	}
	if r.Good != appended {
		wrong = append(wrong, fmt.Sprintf("%d of %d records of the good log", r.Good, appended))
	}
	if resident > mostResident {
		wrong = append(wrong, fmt.Sprintf("the readers had %d bytes of memory at most", resident))
	}
	if judged == 0 || acts == 0 || r.Good == 0 || r.Records == 0 || r.Errors == 0 || r.Skips == 0 {
		wrong = append(wrong, "this tested little, as one of the counts that follow is 0")
	}
	for _, what := range wrong {
		t.Error(what)
	}
	t.Logf("scribble: seed=%d acts=%d stops=%d judged=%d calls=%d records=%d errors=%d skips=%d faults=%d good=%d slowest=%dms resident=%dMiB violations=%d",
		*seed, acts, frozen, judged, r.Calls, r.Records, r.Errors, r.Skips, r.Faults, r.Good, r.SlowestMs, resident>>20, len(wrong))
}

// judgeFrozen reads a hostile log that nobody writes to, and returns how many
// records it gave.
func judgeFrozen(t *testing.T, dir string) int {
	t.Helper()
	tree, err := mutate.Load(dir)
	if err != nil {
		t.Logf("the log was not judged: %v", err) // a reader replaces an index meanwhile
		return 0
	}
	j := &judge{t: t, holders: mutate.FindHolders(tree.Segments())}
	var l *mlog.Log
	if j.call("Open", func() (err error) {
		l, err = mlog.Open(dir, mlog.Options{MustExist: true, FlushEvery: -1})
		return err
	}) != nil {
		return 0
	}
	defer l.Close()
	verify(j, dir)
	j.readAll(l, mlog.ReaderOptions{}, mostSteps+1)
	j.readAll(l, mlog.ReaderOptions{From: mlog.At(50)}, 100)
	j.readAll(l, mlog.ReaderOptions{From: mlog.AtTime(time.Now().Add(-time.Minute))}, 100)
	look(j, l)
	return j.records
}
