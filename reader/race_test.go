//go:build race

package reader_test

import "testing"

// skipCuts skips a test that cuts files while others look at them. The race
// detector makes atomic accesses itself, in code that is not Go's, and a fault
// there ends the process whatever debug.SetPanicOnFault says.
func skipCuts(t *testing.T) {
	t.Helper()
	t.Skip("a file cut during an atomic access is the end of a process with the race detector in it")
}
