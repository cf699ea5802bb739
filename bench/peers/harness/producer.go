package harness

import "time"

// A Producer makes the records of one producer. It is for one goroutine.
type Producer struct {
	*Env
	Index int // from 0

	role   *role
	make   *maker
	plan   plan
	seq    uint64
	ended  bool
	window int64
	span   span
}

// progressEvery is how many records pass between two notes of the progress, for Window.
const progressEvery = 64

// Ready says that the producer is set up, and returns at the common start.
func (p *Producer) Ready() error {
	err := p.role.ready()
	p.plan = newPlan(p.Settings, p.role.ctl.start.Load())
	p.span.begin(0)
	return err
}

// Window keeps the producers from running ahead of the slowest consumer by more than about this many records (at
// least 1024), for peers that would drop them. It changes nothing for Append and Replay.
func (p *Producer) Window(records int64) {
	if p.Work == Stream || p.Work == Latency {
		p.window = max(records, 1024)
	}
}

// Fill writes the next record into dst, which has Size bytes, and returns true; or false when no more are to be
// sent. For Latency it waits until the record is due.
func (p *Producer) Fill(dst []byte) bool {
	if p.ended {
		return false
	}
	phase := p.role.ctl.phase.Load()
	p.span.look(phase, int64(p.seq))
	var due int64
	switch {
	case p.Work == Latency:
		due = p.plan.due(p.seq)
		p.ended = p.seq+1 >= p.plan.count || phase == phaseStop
	case p.Count > 0:
		p.ended = p.seq+1 >= uint64(p.Count) || phase == phaseStop
	default:
		p.ended = phase == phaseStop
	}
	p.make.put(dst, p.Index, p.seq, due, p.ended)
	if p.Work == Latency { // the record is made before it is due: to make it is not the peer's time
		p.plan.wait(p.seq)
	}
	p.seq++
	if p.window > 0 && p.seq%progressEvery == 0 {
		p.yield()
	}
	return true
}

// Done says that everything is acknowledged, for producers that have something to close after it: what they do from
// now on is not measured.
func (p *Producer) Done() { p.span.finish(int64(p.seq)) }

// Sent returns how many records Fill has made.
func (p *Producer) Sent() int64 { return int64(p.seq) }

func (p *Producer) yield() {
	p.role.ctl.sent[p.Index].Store(p.seq)
	for p.role.ctl.ahead(p.Producers, p.Consumers) > p.window && p.role.ctl.phase.Load() != phaseStop {
		time.Sleep(50 * time.Microsecond)
	}
}

func (p *Producer) report() report {
	p.span.finish(int64(p.seq))
	return report{Span: p.span.measured()}
}
