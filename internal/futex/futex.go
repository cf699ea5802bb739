// Package futex lets processes sleep on a word that they share through a mapped
// file, and wake one another.
//
// The words live in files, so the futexes are shared ones (never the PRIVATE
// variant, which would compare addresses of one process only). A wait needs
// only read permission on the mapping.
//
// Every wait has a bound: a process may die between changing a word and waking
// its sleepers, and the bound is what gets over that.
//
// Linux has the call. Elsewhere a wait is a short sleep and a wake does
// nothing: correct, slower, and it costs wake-ups while idle.
package futex

// A Result says why a wait ended. Whatever it is, the caller looks at its
// condition again: wakes may be spurious.
type Result int

// The ends of a wait.
const (
	Woken    Result = iota // somebody woke us, or a signal did
	Changed                // the word no longer had the expected value
	TimedOut               // the bound passed
)

// All asks Wake to wake every sleeper.
const All = 1<<31 - 1

// AnyBits waits for whatever wakes the word.
const AnyBits = 1<<32 - 1

// MaxWords is how many words WaitAny can wait for.
const MaxWords = 128
