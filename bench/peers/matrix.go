package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// A Case is one measurement that every peer is asked for.
type Case struct {
	Work      string `json:"work"`
	Size      int    `json:"size"`
	Producers int    `json:"producers"`
	Consumers int    `json:"consumers"`
	Durable   bool   `json:"durable,omitempty"`
	Spin      bool   `json:"spin,omitempty"`
}

const latencyRate = 10_000 // records a second

// matrix returns all cases, in the order of the tables.
func matrix() []Case {
	var cases []Case
	sizes := []int{64, 256, 1024, 16384}
	for _, size := range sizes {
		cases = append(cases, Case{Work: harness.Append, Size: size, Producers: 1, Consumers: 1})
	}
	cases = append(cases,
		Case{Work: harness.Append, Size: 256, Producers: 4, Consumers: 1},
		Case{Work: harness.Append, Size: 256, Producers: 1, Consumers: 1, Durable: true},
		Case{Work: harness.Append, Size: 256, Producers: 4, Consumers: 1, Durable: true})
	for _, size := range sizes {
		cases = append(cases, Case{Work: harness.Stream, Size: size, Producers: 1, Consumers: 1})
	}
	return append(cases,
		Case{Work: harness.Stream, Size: 256, Producers: 4, Consumers: 1},
		Case{Work: harness.Stream, Size: 256, Producers: 1, Consumers: 4},
		Case{Work: harness.Stream, Size: 256, Producers: 4, Consumers: 4},
		Case{Work: harness.Replay, Size: 256, Producers: 1, Consumers: 1},
		Case{Work: harness.Latency, Size: 256, Producers: 1, Consumers: 1},
		Case{Work: harness.Latency, Size: 256, Producers: 1, Consumers: 1, Spin: true})
}

// String names the case, for people and for -cases.
func (c Case) String() string {
	text := fmt.Sprintf("%s %d B", c.Work, c.Size)
	switch {
	case c.Work == harness.Append:
		text += fmt.Sprintf(" %d", c.Producers)
	case c.Work == harness.Stream:
		text += fmt.Sprintf(" %d-%d", c.Producers, c.Consumers)
	}
	if c.Durable {
		text += " durable"
	}
	if c.Spin {
		text += " spin"
	}
	return text
}

// flags are what `run bench NAME` is given.
func (c Case) flags(seconds float64, dir string) []string {
	args := []string{
		"-work", c.Work, "-size", strconv.Itoa(c.Size),
		"-producers", strconv.Itoa(c.Producers), "-consumers", strconv.Itoa(c.Consumers),
		"-seconds", strconv.FormatFloat(seconds, 'f', -1, 64), "-dir", dir,
	}
	if c.Durable {
		args = append(args, "-durable")
	}
	if c.Work == harness.Latency {
		args = append(args, "-rate", strconv.Itoa(latencyRate))
	}
	if c.Spin {
		args = append(args, "-spin")
	}
	return args
}

// onlyCases keeps the cases in whose name the pattern is found.
func onlyCases(cases []Case, pattern string) ([]Case, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	var kept []Case
	for _, c := range cases {
		if re.MatchString(c.String()) {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("no case is called %s", pattern)
	}
	return kept, nil
}
