package harness

import "golang.org/x/sys/unix"

// A Span is what a role did while it was measured.
type Span struct {
	Start, End int64 // of CLOCK_MONOTONIC, ns
	Records    int64
	CPU        int64 // ns that the role's process used
}

// A span notes when the measured time began and ended for a role, and how many records it had then.
type span struct {
	Span
	counted  bool // the warm-up is over
	finished bool
	first    int64 // records at the start
	used     int64 // CPU time at the start
}

// begin has the time count from now.
func (s *span) begin(records int64) { s.Start, s.first, s.used = Now(), records, cpuTime() }

// look begins anew when the warm-up is over. It is called with each record.
func (s *span) look(phase uint32, records int64) {
	if phase >= phaseMeasure && !s.counted {
		s.counted = true
		if records > 0 && phase == phaseMeasure { // else all of it is counted
			s.begin(records)
		}
	}
}

// finish has the time count until now. Only the first call does.
func (s *span) finish(records int64) {
	if !s.finished {
		s.finished = true
		s.End, s.Records, s.CPU = Now(), records-s.first, cpuTime()-s.used
	}
}

func (s *span) measured() Span { return s.Span }

// cpuTime returns the CPU time that this process has used, in ns.
func cpuTime() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
