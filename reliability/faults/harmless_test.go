package faults_test

import (
	"slices"
	"strings"
	"syscall"
)

const eintr = syscall.EINTR

// A harmlessCall is one whose failure concerns nobody, and why.
type harmlessCall struct {
	call, why string
	in        []string // the scenarios in which that is so; nil: all
}

// Scenarios of harmless calls. What only a search or a hint does without there,
// recovery and a roll need.
var (
	readings = []string{"read", "read without an index", "read before recovery", "read a torn log before recovery", "follow", "wait for several"}
	openings = append([]string{"open", "background flush"}, readings...)
	hinted   = []string{"durable", "sync and close", "retention", "trim"} // where the system is told what need not stay in memory
)

const (
	furtherBack = "a search by time begins further back"
	noHints     = "hints on what need not stay in memory are not given"
	laterLook   = "a reader at the log's end looks again later"
)

// Every other failure must be told of: by an error, or, in the background, by the
// log's Logger.
var harmless = []harmlessCall{
	{"futex *", "a sleep that is refused is a short pause, and then one looks again", nil},
	{"futex_waitv *", "a sleep that is refused is a short pause, and then one looks again", nil},
	{"funlock *", "a lock that is not given back at the first try is at the second", nil},
	{"link *", "the file gets its name when it is made, or is copied, as where there are no links", nil},
	{"fallocate segment", "zeros are written where the filesystem does not make them", nil},
	{"lseek segment", "recovery looks through all that the file has room for", nil},
	{"open meta", "settings that could not be read are read again before a log is made", nil},
	{"read meta", "settings that could not be read are read again before a log is made", nil},
	{"open wake", "before it is opened, the wake file is looked at by who would mend it", nil},
	{"stat wake", "a wake file that cannot be looked at is made anew", nil},
	{"rename spare*", "a segment is made here and now if there is no spare one, and a file that does not become a spare is unlinked", nil},
	{"open spare*", "a spare segment that cannot be opened is made anew", nil},
	{"* new spare", "a file that does not become a spare is unlinked, or replaced by the next one", []string{"retention", "trim"}},
	{"stat spare*", "a spare segment that cannot be found is made anew, or is not mapped before the roll", nil},
	{"fstat spare", "a spare segment that cannot be looked at is not mapped before the roll", nil},
	{"mmap spare*", "a spare segment that is not mapped before the roll is mapped in it", nil},
	{"flock producers/spare", "a dropped file is unlinked and not recycled", []string{"retention", "trim"}},
	{"flock spare*", "a file that cannot be locked is not recycled, or made anew", nil},
	{"read spare*", "a spare segment that cannot be read is made anew", nil},
	{"stat unfinished", "a spare segment that cannot be opened is made anew", nil},
	{"flock unfinished", "a spare segment that cannot be locked is made anew", nil},
	{"read unfinished", "a spare segment that cannot be read is made anew", nil},
	{"open unfinished", "a spare segment that cannot be opened is made anew", nil},
	{"unlink spare*", "a file that nobody reads is left behind, for the next one to replace", nil},
	{"unlink unfinished", "a file that nobody reads is left behind, for the next one to replace", nil},
	{"open index", "an index is a help: who has none reads further, and the next one makes it", nil},
	{"read index", "an index is a help: who has none reads further, and the next one makes it", nil},
	{"mmap index", "an index is a help: who has none reads further, and the next one makes it", nil},
	{"unlink control.aside", "what a repair left is of an earlier boot then, and is removed later", nil},
	{"unlink control.failed", "it is of an earlier boot, or of a recovery that a repair has made up for, and is removed later", nil},
	{"unlink index", "an index is a help: one that is too many is removed later", nil},
	{"* new index", "an index is a help: who has none reads further, and the next one makes it", nil},
	{"unlink new *", "a file that nobody reads is left behind, for the next recovery to remove", nil},
	{"mmap control", laterLook, readings},
	{"stat control", "a reader that cannot look whether the file was replaced opens it again", readings},
	{"open control", laterLook, openings},
	{"read control", laterLook, readings},
	{"flock segment", furtherBack, readings},
	{"open segment", furtherBack, readings},
	{"open segment", noHints, hinted},
	{"flock segment", noHints, hinted},
	{"read segment", furtherBack, readings},
	{"read segment", noHints, hinted},
	{"mmap segment", furtherBack, readings},
	{"mmap segment", noHints, hinted},
	{"stat segment", "retention looks again later", nil},
	{"open directory", "hints on disk are not given; what retention left is removed later", nil},
	{"open groups", "a file that nobody reads is left behind, for the next recovery to remove", nil},
	{"getdents groups", "a file that nobody reads is left behind, for the next recovery to remove", nil},
	{"getdents directory", "hints on disk are not given; what retention left is removed later", nil},
}

// whyHarmless returns why nobody need be told of what failed, or "".
func (j *judge) whyHarmless() string {
	if j.errno == eintr && (j.op == "fallocate" || j.op == "fdatasync" || j.op == "msync") {
		return "a call that a signal ended is made again"
	}
	reasons := make(map[string]bool)
	for _, call := range j.failed {
		i := slices.IndexFunc(harmless, func(h harmlessCall) bool {
			return matches(h.call, call) && (h.in == nil || slices.Contains(h.in, j.scenario))
		})
		if i < 0 {
			return ""
		}
		reasons[harmless[i].why] = true
	}
	for why := range reasons {
		return why
	}
	return ""
}

// matches reports whether a call is of a pattern: "*" stands for any name of a
// call, or for the rest of what names a file.
func matches(pattern, call string) bool {
	op, file, _ := strings.Cut(pattern, " ")
	calledOp, calledFile, _ := strings.Cut(call, " ")
	stem, any := strings.CutSuffix(file, "*")
	return (op == "*" || op == calledOp) && (file == calledFile || any && strings.HasPrefix(calledFile, stem))
}
