package damage

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// A row is the counts of one kind of harm to one kind of file.
type row struct {
	cases, found, harmless, lost int // of those looked at
	used, refused                int // of those appended to: cases, and producers that refused
	mended, repaired             int // of those repaired: cases, and those in which there was something to do
	violations                   int
}

// A tally counts what was done.
type tally struct {
	mu       sync.Mutex
	rows     map[string]*row
	refusals map[string]map[string]int // by message without its figures, by row
	failures []string
	shown    int // of the failures
	done     int
	began    time.Time
	told     time.Time
}

func newTally() *tally {
	return &tally{rows: make(map[string]*row), refusals: make(map[string]map[string]int), began: time.Now(), told: time.Now()}
}

// An outcome is all that was learned of one mutation.
type outcome struct {
	mutation mutation
	class    string
	looked   verdict
	used     *verdict // nil: not tried
	refused  error
	mended   *verdict
	repaired bool
	unmended error
}

func (y *tally) add(o outcome) {
	y.mu.Lock()
	defer y.mu.Unlock()
	r := y.rows[o.class]
	if r == nil {
		r = new(row)
		y.rows[o.class] = r
	}
	y.done++
	r.cases++
	r.lost += o.looked.lost
	if o.looked.found {
		r.found++
	} else {
		r.harmless++
	}
	violations := prefixed("reading: ", o.looked.violations)
	y.refuse(o.class, "reading: ", o.looked.refusal)
	if o.used != nil {
		r.used++
		violations = append(violations, prefixed("appending: ", o.used.violations)...)
		if o.refused != nil {
			r.refused++
			y.refuse(o.class, "appending: ", o.refused.Error())
		}
	}
	if o.mended != nil {
		r.mended++
		if o.repaired {
			r.repaired++
		}
		violations = append(violations, prefixed("repair: ", o.mended.violations)...)
		if o.unmended != nil {
			y.refuse(o.class, "repair: ", o.unmended.Error())
		}
	}
	if len(violations) > 0 {
		r.violations++
		y.failures = append(y.failures, fmt.Sprintf("%v: %s", o.mutation, strings.Join(violations, "; ")))
	}
}

func prefixed(prefix string, lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, prefix+line)
	}
	return all
}

// refuse notes a message, so that the long form can show each kind of them once.
func (y *tally) refuse(class, what, message string) {
	if message == "" {
		return
	}
	message = what + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, message)
	for strings.Contains(message, "##") {
		message = strings.ReplaceAll(message, "##", "#")
	}
	if y.refusals[message] == nil {
		y.refusals[message] = make(map[string]int)
	}
	y.refusals[message][class]++
}

// progress says what failed, and now and then how far it is.
func (y *tally) progress(t *testing.T, all int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for ; y.shown < len(y.failures); y.shown++ {
		t.Log(y.failures[y.shown])
	}
	if time.Since(y.told) > 10*time.Second {
		y.told = time.Now()
		t.Logf("%d of %d mutations, %d with violations, %v", y.done, all, len(y.failures), time.Since(y.began).Round(time.Second))
	}
}

// demandFound asks that harm was found and repaired where it cannot all be
// harmless, and that producers were let in and refused: a log that finds nothing
// breaks no promise to a judge that asks for none.
func (y *tally) demandFound(t *testing.T) {
	var sum row
	for _, class := range sortedKeys(y.rows) {
		r := y.rows[class]
		sum.add(r)
		kind, _, _ := strings.Cut(class, ",")
		const few = 6 // so many are never all harmless
		switch kind {
		case "meta", "retention":
			if r.found != r.cases {
				t.Errorf("%s: %d of %d were found, of a file with a checksum", class, r.found, r.cases)
			}
		case "sealed segment", "active segment", "index", "several at once":
			if r.cases >= few && r.found == 0 {
				t.Errorf("%s: none of %d was found", class, r.cases)
			}
		}
	}
	if sum.repaired == 0 || sum.used == sum.refused || sum.lost == 0 {
		t.Errorf("%d logs were repaired, %d of %d producers refused, %d batches lost; none of it may be all or nothing", sum.repaired, sum.refused, sum.used, sum.lost)
	}
}

// report prints the table.
func (y *tally) report(t *testing.T) {
	var b strings.Builder
	tab := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "file, harm\tcases\tfound\tharmless\tbatches lost\tappended to\trefused\trepair run\trepaired\tviolations\t")
	var sum row
	for _, class := range sortedKeys(y.rows) {
		r := y.rows[class]
		r.print(tab, class)
		sum.add(r)
	}
	sum.print(tab, "all")
	tab.Flush()
	t.Logf("\n%s", b.String())
	for _, message := range sortedKeys(y.refusals) {
		t.Logf("refusal: %s %v", message, y.refusals[message])
	}
}

func (r *row) print(tab *tabwriter.Writer, class string) {
	fmt.Fprintf(tab, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
		class, r.cases, r.found, r.harmless, r.lost, r.used, r.refused, r.mended, r.repaired, r.violations)
}

func (r *row) add(o *row) {
	r.cases += o.cases
	r.found += o.found
	r.harmless += o.harmless
	r.lost += o.lost
	r.used += o.used
	r.refused += o.refused
	r.mended += o.mended
	r.repaired += o.repaired
	r.violations += o.violations
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
