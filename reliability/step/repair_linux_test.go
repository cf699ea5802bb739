//go:build amd64 || arm64

package step

import (
	"errors"
	"fmt"
	"sync"
)

// Operations after the death of a process that held the log's lock.

// A death is where another process died: at the first instruction at which the
// files show this state.
type death struct {
	name    string
	in      string            // operation
	near    func(*words) bool // holds behind a system call shortly before; nil: there is none
	state   func(*words) bool
	visible bool // its batch is in the log
	late    bool // it died when the child had opened the log
}

// repairOperations crosses what the dead process can have left undone with the two
// ways in which another one meets that: it is given the dead one's slot when it
// opens the log, or it waits for the lock.
func repairOperations() []*operation {
	var all []*operation
	for _, d := range []struct {
		name, in string
		near     func(*words) bool
		state    func(*words) bool
		visible  bool
	}{
		{"staged", "append", nil, (*words).staged, false},
		{"committed", "append", nil, (*words).committed, true},
		{"named", "roll", (*words).named, (*words).named, false},
		{"sealed", "roll", (*words).named, (*words).sealed, false},
	} {
		all = append(all, &operation{
			name:    "open-after-" + d.name,
			options: noFlush,
			first:   []batch{{"a", 2, 0}},
			cold:    true,
			long:    true,
			dead:    &death{name: d.name, in: d.in, near: d.near, state: d.state, visible: d.visible},
			batch:   batch{"y", 3, 100},
			run:     openAndAppend,
		}, &operation{
			name:    "take-over-after-" + d.name,
			options: noFlush,
			first:   []batch{{"a", 2, 0}},
			warm:    []batch{{"v", 3, 100}},
			long:    true,
			dead:    &death{name: d.name, in: d.in, near: d.near, state: d.state, visible: d.visible, late: true},
			batch:   batch{"y", 3, 100},
			run:     appendBatch,
		})
	}
	return all
}

// knownDeaths are the paths that led to deaths, by their names.
type knownDeaths struct {
	mu    sync.Mutex
	paths map[string]*path
}

// errPassed says that the state did not come where it was looked for. It may come
// some instructions earlier or later than it did the last time.
var errPassed = errors.New("the state that was looked for did not come")

// die kills a process at the instruction that the death is about.
func (s *scene) die(d *death, known *knownDeaths) error {
	known.mu.Lock()
	defer known.mu.Unlock()
	in := operationNamed(d.in)
	t, err := startTracee(d.in, s.dir)
	if err != nil {
		return err
	}
	defer t.reap()
	defer t.kill()
	s.story.tell(in.warm...)
	w := openWords(s.dir)
	defer w.close()
	if err := d.approach(t, w, known.paths[d.name]); err != nil {
		return err
	}
	found := false
	p, err := t.follow(func(int) bool {
		found = d.state(w)
		return found
	})
	switch {
	case err != nil:
		return err
	case !found:
		delete(known.paths, d.name)
		return fmt.Errorf("death %s: %w", d.name, errPassed)
	case d.near == nil && known.paths[d.name] == nil:
		known.paths[d.name] = p
	}
	if d.visible {
		s.story.tell(in.batch)
	}
	return nil
}

// approach brings a child to shortly before the death.
func (d *death) approach(t *tracee, w *words, known *path) error {
	if d.near == nil && known == nil {
		return nil
	}
	if d.near == nil {
		const before = 50 // instructions
		return t.run(known.route(known.moment(max(0, known.length()-before))))
	}
	for !d.near(w) {
		for range 2 {
			if on, err := t.toSyscall(); !on || err != nil {
				return errors.Join(err, errPassed)
			}
		}
	}
	return nil
}
