package harness

import (
	"flag"
	"fmt"
	"io"
	"time"
)

// What a measurement does.
const (
	Append  = "append"  // producers append, nobody reads
	Stream  = "stream"  // producers and consumers at once
	Latency = "latency" // one to one, at a fixed rate
	Replay  = "replay"  // a log that was written before is read
)

// Where producers and consumers run.
const (
	PinNone  = "none"
	PinSame  = "same"  // all on one core
	PinApart = "apart" // producers on one core, consumers on another
)

// Settings are the flags of one measurement.
type Settings struct {
	Work                 string
	Size                 int // bytes of payload
	Producers, Consumers int
	Durable              bool    // each append is on disk when it is acknowledged
	Seconds              float64 // that are measured, after the warm-up
	Warm                 float64 // seconds before, not counted
	Count                int64   // records of each producer, instead of Seconds; 0 for by time
	Rate                 float64 // records a second, for Latency
	Batch                int     // records handed over at once
	Verify               bool    // hash each record, on both sides
	Spin                 bool    // both sides poll, for Latency
	Pin                  string
	Dir                  string // for what is kept; made and removed by the harness if empty
	Limit                time.Duration
}

// replayCount is the length of the log that Replay reads, in records of 256 bytes.
const replayCount = 1_000_000

// parse reads the flags of one measurement.
func parse(name string, args []string) (Settings, error) {
	var s Settings
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&s.Work, "work", Stream, "append, stream, latency or replay")
	f.IntVar(&s.Size, "size", 256, "bytes of a record")
	f.IntVar(&s.Producers, "producers", 1, "producers")
	f.IntVar(&s.Consumers, "consumers", 1, "consumers")
	f.BoolVar(&s.Durable, "durable", false, "acknowledge each append when it is on disk")
	f.Float64Var(&s.Seconds, "seconds", 1, "time measured")
	f.Float64Var(&s.Warm, "warm", 0.2, "seconds before that, not counted")
	f.Int64Var(&s.Count, "count", 0, "records of each producer, instead of -seconds")
	f.Float64Var(&s.Rate, "rate", 10000, "records a second (latency)")
	f.IntVar(&s.Batch, "batch", 1, "records handed over at once")
	f.BoolVar(&s.Verify, "verify", true, "hash every record on both sides")
	f.BoolVar(&s.Spin, "spin", false, "poll instead of sleeping (latency)")
	f.StringVar(&s.Pin, "pin", PinNone, "none, same or apart")
	f.StringVar(&s.Dir, "dir", "", "directory for what is kept")
	f.DurationVar(&s.Limit, "limit", 30*time.Second, "give up after this time")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return s, s.complete()
}

// complete checks the settings and fills in what follows from others.
func (s *Settings) complete() error {
	switch s.Work {
	case Append, Stream:
	case Latency, Replay:
		if s.Producers != 1 || s.Consumers != 1 {
			return fmt.Errorf("-work %s has one producer and one consumer", s.Work)
		}
	default:
		return fmt.Errorf("-work %q: not append, stream, latency or replay", s.Work)
	}
	switch {
	case s.Size < HeaderBytes || s.Size > maxSize:
		return fmt.Errorf("-size %d: not from %d to %d", s.Size, HeaderBytes, maxSize)
	case s.Producers < 1 || s.Producers > maxRoles || s.Consumers < 1 || s.Consumers > maxRoles:
		return fmt.Errorf("from 1 to %d producers and consumers", maxRoles)
	case s.Pin != PinNone && s.Pin != PinSame && s.Pin != PinApart:
		return fmt.Errorf("-pin %q: not none, same or apart", s.Pin)
	case s.Batch < 1 || s.Rate <= 0 || s.Count < 0 || s.Warm < 0 || s.Seconds <= 0 || s.Limit <= 0:
		return fmt.Errorf("-batch, -rate, -seconds and -limit must be above 0, -warm and -count not below")
	case s.Spin && s.Work != Latency:
		return fmt.Errorf("-spin is for -work latency")
	}
	if s.Work == Replay && s.Count == 0 {
		s.Count = min(replayCount, replayCount*256/int64(s.Size))
	}
	return nil
}
