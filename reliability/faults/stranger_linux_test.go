package faults_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// strangers is how many cuts the short form makes.
const strangers = 12

// A cut is a file that a stranger makes shorter.
type cut struct {
	file  string // of the log's directory
	to    string // "nothing", "half" or "its header"
	whose string // who has it mapped: "own" process or "other"
	back  bool   // whether its content is put back while they run; else all are started anew
}

func (c cut) String() string {
	return fmt.Sprintf("%s/%s/%s/%s", c.file, c.to, c.whose, map[bool]string{true: "put back", false: "left so"}[c.back])
}

// What stays broken when a cut file is left so and all are started anew, and what
// is said of it then.
var leftSo = map[string]string{
	"meta":           "meta has",
	"active segment": "file has",
	"sealed segment": "", // a reader is told, and steps over it; producers go on
	"group":          "group file of|is foreign|expected",
}

// A stranger cuts each kind of file under living producers and readers: nobody
// dies, and all get errors. When the content is put back, they go on; when it is
// not, they say what is wrong, or mend it.
func TestStranger(t *testing.T) {
	filter, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	var all []cut
	for _, file := range []string{"active segment", "sealed segment", "index", "control", "wake", "group", "meta", "retention"} {
		for _, to := range []string{"nothing", "half", "its header"} {
			for _, whose := range []string{"own", "other"} {
				for _, back := range []bool{true, false} {
					if c := (cut{file, to, whose, back}); filter.MatchString(c.String()) {
						all = append(all, c)
					}
				}
			}
		}
	}
	found := len(all)
	if !*every {
		r := rand.New(rand.NewPCG(*seed, 2))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:min(len(all), strangers)]
	}
	root := workRoot(t)
	var sum summary
	for i, c := range all {
		dir, remove := workDir(t, root, fmt.Sprint(i))
		o := playCut(t, dir, c)
		sum.add(t, c.String(), o)
		remove(len(o.breaches) > 0)
	}
	t.Logf("stranger: seed=%d cuts=%d of %d, %v", *seed, len(all), found, &sum)
}

func playCut(t *testing.T, root string, c cut) (o outcome) {
	w := newWorld(t, filepath.Join(root, "world"))
	defer func() { o.breaches = w.breaches }()
	w.open()
	w.fill(5)
	w.note(w.log.SetRetention(mlog.Retention{Bytes: 1 << 30}))
	w.close()
	var user life
	if c.whose == "own" {
		own, err := newLife(w.dir, "user")
		if err != nil {
			t.Fatal(err)
		}
		user = own
	} else {
		user = newOtherLife(t, w.dir, "user")
	}
	w.accept("before the cut", user.step(), false)
	path := filepath.Join(w.dir, fileOf(w, c.file))
	whole, err := os.ReadFile(path)
	if err == nil {
		err = os.Truncate(path, lengthOf(c.to, int64(len(whole))))
	}
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]string)
	for range 3 {
		r := user.step()
		w.remember(r)
		maps.Copy(seen, r.Errors)
		if r.Damaged {
			seen["damage"] = "as such"
		}
	}
	if len(seen) == 0 && (c.file == "active segment" || c.file == "sealed segment" || c.file == "control" && c.to == "nothing") {
		w.breach("the file was cut, and nobody has noticed")
	}
	if testing.Verbose() && *every {
		t.Logf("%v: %v", c, seen)
	}
	if c.back {
		w.putBack(path, whole)
		user.step() // tells of the past, too
		w.records = nil
		w.accept("with the content put back", user.step(), true)
		user.end()
		w.endsSound(c)
		return o
	}
	user.end()
	w.startedAnew(c)
	return o
}

// fileOf returns the name of a file of each kind.
func fileOf(w *world, kind string) string {
	paths := segments(w)
	switch kind {
	case "active segment":
		return filepath.Base(paths[len(paths)-1])
	case "sealed segment":
		return filepath.Base(paths[0])
	case "index":
		return strings.TrimSuffix(filepath.Base(paths[len(paths)-1]), "seg") + "idx"
	case "group":
		return "groups/readers-user"
	}
	return kind
}

func lengthOf(to string, size int64) int64 {
	switch to {
	case "half":
		return size / 2
	case "its header":
		return min(4096, size-1)
	}
	return 0
}

// accept asks that everything went well in a step.
func (w *world) accept(when string, r stepResult, all bool) {
	for what, text := range r.Errors {
		w.breach("%s: %s: %s", when, what, text)
	}
	if r.Damaged {
		w.breach("%s: the replay met damage", when)
	}
	if !all {
		w.remember(r)
	}
}

// remember keeps what was acknowledged, and asks of the errors that they say
// something.
func (w *world) remember(r stepResult) {
	for _, text := range r.Appended {
		w.records[w.end] = text
		w.end++
	}
	for what, text := range r.Errors {
		if text == "" || strings.Contains(text, "\n") || strings.Contains(text, "panic") || strings.Contains(text, "fault at 0x") {
			w.breach("%s: %q", what, text)
		}
	}
}

// putBack gives a file its content again, in place.
func (w *world) putBack(path string, content []byte) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(content, 0)
		f.Close()
	}
	if err != nil {
		w.breach("put back: %v", err)
	}
}

// endsSound asks that the files are sound in the end, and the old records there.
func (w *world) endsSound(c cut) {
	l, err := check.Read(w.dir, check.Options{})
	if err != nil {
		w.breach("the checker finds: %s", oneLine(err))
	}
	if l == nil {
		return
	}
	for i := range min(5, len(l.Records)) {
		if want := big(fmt.Sprintf("record %d ", i)); string(l.Records[i].Value) != want {
			w.breach("offset %d is %q", i, brief(string(l.Records[i].Value)))
		}
	}
	if len(l.Records) < 5 {
		w.breach("%d records", len(l.Records))
	}
}

// startedAnew asks that, with the file as it is, a new process mends it or says
// what is wrong with it, and does all that is not concerned.
func (w *world) startedAnew(c cut) {
	says, broken := leftSo[c.file]
	user, err := newLife(w.dir, "user")
	if err != nil {
		if !broken || says == "" || !regexp.MustCompile(says).MatchString(err.Error()) {
			w.breach("started anew: %v", err)
		}
		return
	}
	defer user.end()
	user.step()
	r := user.step()
	for what, text := range r.Errors {
		if !broken || says == "" || !regexp.MustCompile(says).MatchString(text) {
			w.breach("started anew: %s: %s", what, text)
		}
	}
	if c.file == "sealed segment" && !r.Damaged {
		w.breach("started anew: a sealed segment was cut, and the replay met no damage")
	}
	if r.Damaged && !strings.HasSuffix(c.file, "segment") {
		w.breach("started anew: damage, though no segment was cut")
	}
}
