//go:build !linux || race

package writer

// direct says that goroutines may take the log's lock without the lead (see lone.go).
// The race detector does not know that a lock in a mapped file is one.
const direct = false
