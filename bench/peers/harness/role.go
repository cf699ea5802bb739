package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// A role is one producer or consumer, in a process of its own or as a thread.
type role struct {
	ctl   *control
	ready func() error // tells the parent, and returns at the common start
}

// A report is what a role tells at its end.
type report struct {
	Ready   bool         `json:"ready,omitempty"` // sent before, and alone
	Span    Span         `json:"span"`
	Latency *Percentiles `json:"latency,omitempty"`
	Error   string       `json:"error,omitempty"`
	Skip    bool         `json:"skip,omitempty"` // Error is a reason to skip
}

// A part names a role: "producer" or "consumer", and its number.
type part struct {
	kind  string
	index int
}

const (
	producerKind = "producer"
	consumerKind = "consumer"
)

func (p part) String() string { return p.kind + " " + strconv.Itoa(p.index) }

// play runs a role to its end.
func play(peer Peer, env *Env, which part, r *role) report {
	if !peer.Goroutines {
		runtime.LockOSThread()
	}
	sharpTimers()
	hash := env.Verify && !peer.Checksums
	var rep report
	var err error
	if which.kind == producerKind {
		p := &Producer{Env: env, Index: which.index, role: r, make: newMaker(env.Size, hash)}
		err = peer.Produce(p)
		rep = p.report()
	} else {
		c := &Consumer{Env: env, Index: which.index, role: r, check: newChecker(env.Size, env.Producers, hash)}
		if env.Work == Latency {
			c.hist = newLatencies()
		}
		err = peer.Consume(c)
		rep = c.report()
	}
	if err != nil {
		rep.Error = err.Error()
		var skip *skipError
		rep.Skip = errors.As(err, &skip)
	}
	return rep
}

// Descriptors of a role's process, after the standard three.
const (
	controlFD = 3 + iota
	statusFD
	firstFile
)

const (
	roleVar  = "MLOG_BENCH_ROLE"
	filesVar = "MLOG_BENCH_FILES"
)

// child plays the role that the environment names, and writes its reports to the parent.
func child(peer Peer, s Settings, which part) error {
	ctl, err := mapControl(os.NewFile(controlFD, "control"))
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // peers that allocate pay for it, but not by a heap of a few MB
	status := json.NewEncoder(os.NewFile(statusFD, "status"))
	env := &Env{Settings: s}
	n, _ := strconv.Atoi(os.Getenv(filesVar))
	for i := range n {
		env.Files = append(env.Files, os.NewFile(uintptr(firstFile+i), "inherited"))
	}
	r := &role{ctl: ctl, ready: func() error {
		if err := status.Encode(report{Ready: true}); err != nil {
			return err
		}
		ctl.await()
		return nil
	}}
	if peer.InProcess && peer.Setup != nil {
		if err := peer.Setup(env); err != nil {
			return errors.Join(status.Encode(report{Error: err.Error()}), env.clean())
		}
	}
	rep := playAside(peer, env, which, r)
	if err := env.clean(); err != nil && rep.Error == "" {
		rep.Error = err.Error()
	}
	return status.Encode(rep)
}

// playAside plays a role on a goroutine of its own, for the main one is locked to its thread.
func playAside(peer Peer, env *Env, which part, r *role) report {
	done := make(chan report)
	go func() { done <- play(peer, env, which, r) }()
	return <-done
}

// roleFromEnvironment returns the role of this process, and false in the parent.
func roleFromEnvironment() (part, bool, error) {
	text := os.Getenv(roleVar)
	if text == "" {
		return part{}, false, nil
	}
	kind, number, _ := strings.Cut(text, " ")
	index, err := strconv.Atoi(number)
	if err != nil || (kind != producerKind && kind != consumerKind) {
		return part{}, false, fmt.Errorf("%s=%q is no role", roleVar, text)
	}
	return part{kind, index}, true, nil
}
