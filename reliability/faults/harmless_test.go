package faults_test

import (
	"slices"
	"strings"
	"syscall"
)

const eintr = syscall.EINTR

// Calls whose failure concerns nobody, and why. Every other one must be told of:
// by an error, or, in the background, by the log's Logger.
var harmless = []struct{ call, why string }{
	{"futex *", "a sleep that is refused is a short pause, and then one looks again"},
	{"futex_waitv *", "a sleep that is refused is a short pause, and then one looks again"},
	{"funlock *", "a lock that is not given back at the first try is at the second"},
	{"link *", "the file gets its name when it is made, as where there are no links"},
	{"open meta", "settings that could not be read are read again before a log is made"},
	{"read meta", "settings that could not be read are read again before a log is made"},
	{"open wake", "before it is opened, the wake file is looked at by who would mend it"},
	{"stat wake", "a wake file that cannot be looked at is made anew"},
	{"rename spare", "a segment is made here and now if there is no spare one"},
	{"open spare", "a spare segment that cannot be opened is made anew"},
	{"open unfinished", "a spare segment that cannot be opened is made anew"},
	{"unlink spare", "a file that nobody reads is left behind, for the next one to replace"},
	{"unlink unfinished", "a file that nobody reads is left behind, for the next one to replace"},
	{"open index", "an index is a help: who has none reads further, and the next one makes it"},
	{"read index", "an index is a help: who has none reads further, and the next one makes it"},
	{"mmap index", "an index is a help: who has none reads further, and the next one makes it"},
	{"unlink control.aside", "what a repair left is of an earlier boot then, and is removed later"},
	{"unlink index", "an index is a help: one that is too many is removed later"},
	{"* new index", "an index is a help: who has none reads further, and the next one makes it"},
	{"unlink new *", "a file that nobody reads is left behind, for the next recovery to remove"},
	{"mmap control", "a reader at the log's end looks again later"},
	{"stat control", "a reader that cannot look whether the file was replaced opens it again"},
	{"open control", "a reader at the log's end looks again later"},
	{"read control", "a reader at the log's end looks again later"},
	{"flock segment", "a search by time begins further back; hints on disk are not given"},
	{"open segment", "a search by time begins further back; hints on disk are not given"},
	{"read segment", "a search by time begins further back; hints on disk are not given"},
	{"mmap segment", "a search by time begins further back; hints on disk are not given"},
	{"stat segment", "retention looks again later"},
	{"open directory", "hints on disk are not given; what retention left is removed later"},
	{"open groups", "a file that nobody reads is left behind, for the next recovery to remove"},
	{"getdents groups", "a file that nobody reads is left behind, for the next recovery to remove"},
	{"getdents directory", "hints on disk are not given; what retention left is removed later"},
}

// whyHarmless returns why nobody need be told of what failed, or "".
func (j *judge) whyHarmless() string {
	if j.errno == eintr && (j.op == "fallocate" || j.op == "fdatasync") {
		return "a call that a signal ended is made again"
	}
	reasons := make(map[string]bool)
	for _, call := range j.failed {
		i := slices.IndexFunc(harmless, func(h struct{ call, why string }) bool { return matches(h.call, call) })
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
