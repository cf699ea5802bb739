package harness

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// A session is the parent's side of one measurement.
type session struct {
	peer Peer
	env  *Env
	args []string // of the command line, for the roles
	ctl  *control
	file *os.File // by which roles map ctl

	serverCPU float64 // seconds that servers used
}

// run makes the measurement and returns what the roles report.
func (m *session) run() (producers, consumers []report, err error) {
	if m.ctl, m.file, err = newControl(); err != nil {
		return nil, nil, err
	}
	defer m.file.Close()
	s := m.env.Settings
	if m.peer.Setup != nil && !m.setupByRoles() {
		defer func() { err = errors.Join(err, m.env.clean()) }()
		if err := m.peer.Setup(m.env); err != nil {
			return nil, nil, err
		}
	}
	if s.Work == Append || s.Work == Replay {
		if producers, err = m.group(s.Producers, 0); err != nil || s.Work == Append {
			return producers, nil, err
		}
		if consumers, err = m.group(0, s.Consumers); err != nil {
			return nil, nil, err
		}
		return nil, consumers, nil
	}
	all, err := m.group(s.Producers, s.Consumers)
	if err != nil {
		return nil, nil, err
	}
	return all[:s.Producers], all[s.Producers:], nil
}

// threads reports whether the roles run in this process.
func (m *session) threads() bool { return m.peer.InProcess && m.env.Work != Replay }

// setupByRoles reports whether Setup is left to the processes of the roles.
func (m *session) setupByRoles() bool { return m.peer.InProcess && m.env.Work == Replay }

// An event is a report of a role, or the error that ended it.
type event struct {
	index int // in the group
	report
	err error
}

// group runs producers and consumers that are at work together, and returns their reports in that order.
func (m *session) group(producers, consumers int) ([]report, error) {
	m.ctl.phase.Store(phaseWait)
	var parts []part
	for i := range producers {
		parts = append(parts, part{producerKind, i})
	}
	for i := range consumers {
		parts = append(parts, part{consumerKind, i})
	}
	events := make(chan event, 2*len(parts))
	if m.threads() {
		m.startThreads(parts, events)
	} else {
		stop, err := m.startProcesses(parts, events)
		defer stop()
		if err != nil {
			return nil, err
		}
	}
	limit := time.After(m.env.Limit)
	if err := awaitReady(parts, events, limit); err != nil {
		return nil, err
	}
	before := m.serverTime()
	go m.conduct()
	reports := make([]report, len(parts))
	for range parts {
		select {
		case e := <-events:
			if err := e.failure(parts); err != nil {
				return nil, err
			}
			reports[e.index] = e.report
		case <-limit:
			return nil, fmt.Errorf("not done after %v: %s", m.env.Limit, m.progress(producers, consumers))
		}
	}
	m.serverCPU += m.serverTime() - before
	if m.threads() {
		for i := range reports[1:] { // each has the time of the whole process
			reports[0].Span.CPU = max(reports[0].Span.CPU, reports[i+1].Span.CPU)
			reports[i+1].Span.CPU = 0
		}
	}
	return reports, nil
}

// awaitReady waits until every role is set up.
func awaitReady(parts []part, events <-chan event, limit <-chan time.Time) error {
	for n := range parts {
		select {
		case e := <-events:
			if err := e.failure(parts); err != nil {
				return err
			}
			if !e.Ready {
				return fmt.Errorf("%v ended before the start", parts[e.index])
			}
		case <-limit:
			return fmt.Errorf("only %d of %d producers and consumers came to the start", n, len(parts))
		}
	}
	return nil
}

func (e event) failure(parts []part) error {
	switch {
	case e.err != nil:
		return fmt.Errorf("%v: %w", parts[e.index], e.err)
	case e.Skip:
		return &skipError{reason: e.Error}
	case e.Error != "":
		return fmt.Errorf("%v: %s", parts[e.index], e.Error)
	}
	return nil
}

// conduct sets the phases.
func (m *session) conduct() {
	s := m.env.Settings
	m.ctl.start.Store(Now() + int64(5*time.Millisecond))
	seconds := func(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
	switch {
	case s.Work == Latency:
		m.ctl.phase.Store(phaseMeasure)
	case s.Count > 0:
		m.ctl.phase.Store(phaseMeasure)
		if s.Work == Replay { // a slow peer gets a shorter log
			time.Sleep(seconds(4 * s.Seconds))
			m.ctl.phase.CompareAndSwap(phaseMeasure, phaseStop)
		}
	default:
		m.ctl.phase.Store(phaseWarm)
		time.Sleep(seconds(s.Warm))
		m.ctl.phase.Store(phaseMeasure)
		time.Sleep(seconds(s.Seconds))
		m.ctl.phase.Store(phaseStop)
	}
}

func (m *session) progress(producers, consumers int) string {
	var b strings.Builder
	for i := range consumers {
		fmt.Fprintf(&b, "consumer %d had about %d records; ", i, m.ctl.received[i].Load())
	}
	fmt.Fprintf(&b, "%d producers", producers)
	return b.String()
}

// startThreads runs the roles in this process.
func (m *session) startThreads(parts []part, events chan<- event) {
	for i, which := range parts {
		r := &role{ctl: m.ctl, ready: func() error {
			events <- event{index: i, report: report{Ready: true}}
			m.ctl.await()
			return nil
		}}
		go func() {
			if m.env.Pin != PinNone {
				runtime.LockOSThread()
			}
			if err := pinThread(m.env.Pin, which.kind); err != nil {
				events <- event{index: i, err: err}
				return
			}
			events <- event{index: i, report: play(m.peer, m.env, which, r)}
		}()
	}
}
