package main

import (
	"fmt"
	"testing"
)

// honest returns the evidence of a demo in which all went well: p1 and p2 wrote
// ten records, the last of which p2 never heard about; the group's first
// consumer died after offset 5 and the second went on at 4.
func honest() evidence {
	e := evidence{
		acks: []*sheet{newSheet(), newSheet()}, victim: 2,
		replay: newSheet(), follower: newSheet(), group: [2]*sheet{newSheet(), newSheet()},
	}
	for offset := range 10 {
		line := fmt.Appendf(nil, "%d p%d %d", offset, offset%2+1, offset/2+1)
		e.replay.line(line)
		e.follower.line(line)
		if offset < 9 {
			e.acks[offset%2].line(line)
		}
		if offset <= 5 {
			e.group[0].line(line)
		}
		if offset >= 4 {
			e.group[1].line(line)
		}
	}
	return e
}

func TestJudgeHonest(t *testing.T) {
	v := judge(honest())
	if !v.good() || v.acknowledged != 9 || v.kept != 1 || v.received != 10 || v.again != 2 || len(v.problems) != 0 {
		t.Fatalf("%+v", v)
	}
}

// Whatever can go wrong with a log must show in the demo's account, or the
// demo proves nothing.
func TestJudgeDishonest(t *testing.T) {
	tests := []struct {
		name                   string
		spoil                  func(*evidence)
		lost, doubled, strange int64
	}{
		{"follower missed one", func(e *evidence) { e.follower.messages[3] = message{} }, 1, 0, 0},
		{"replay has a hole", func(e *evidence) { e.replay.messages[3] = message{} }, 2, 0, 0},
		{"replay ends early", func(e *evidence) { e.replay.messages = e.replay.messages[:8] }, 1, 0, 0},
		{"neither of the group saw it", func(e *evidence) { e.group[1].messages[7] = message{} }, 1, 0, 0},
		{"one of the group saw it", func(e *evidence) { e.group[0].messages[5] = message{} }, 0, 0, 0},
		{"another record at the offset", func(e *evidence) { e.follower.messages[3] = message{1, 99} }, 1, 0, 0},
		{"a message in the log twice", func(e *evidence) {
			for _, s := range []*sheet{e.replay, e.follower, e.group[1]} {
				s.line([]byte("10 p2 2"))
			}
			e.acks[1].line([]byte("10 p2 2"))
		}, 0, 1, 0},
		{"a line printed twice", func(e *evidence) { e.follower.line([]byte("9 p2 5")) }, 0, 1, 0},
		{"lines out of order", func(e *evidence) {
			e.follower.messages[3] = message{}
			e.follower.line([]byte("3 p2 2"))
		}, 0, 1, 0},
		{"one offset for two records", func(e *evidence) { e.acks[0].line([]byte("8 p1 6")) }, 0, 1, 0},
		{"unacknowledged, of a producer that lived", func(e *evidence) {
			e.replay.line([]byte("10 p1 6"))
		}, 0, 0, 1},
		{"nonsense", func(e *evidence) { e.follower.line([]byte("10 p1")) }, 0, 0, 1},
		{"more nonsense", func(e *evidence) { e.follower.line([]byte("x p1 7")) }, 0, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := honest()
			tt.spoil(&e)
			v := judge(e)
			if v.lost != tt.lost || v.doubled != tt.doubled || v.strange != tt.strange {
				t.Errorf("lost %d doubled %d strange %d, want %d %d %d; %q",
					v.lost, v.doubled, v.strange, tt.lost, tt.doubled, tt.strange, v.problems)
			}
			if v.good() != (tt.lost+tt.doubled+tt.strange == 0) {
				t.Errorf("good() = %v", v.good())
			}
		})
	}
}

func TestWholeLines(t *testing.T) {
	advance, token, err := wholeLines([]byte("12 p1 4\n13 p1"), true)
	if advance != 8 || string(token) != "12 p1 4" || err != nil {
		t.Fatalf("%d %q %v", advance, token, err)
	}
	if advance, token, err = wholeLines([]byte("13 p1 45"), true); advance != 0 || token != nil || err != nil {
		t.Fatalf("half a line came out: %d %q %v", advance, token, err)
	}
}
