//go:build race

package hostile_test

// mostResident leaves room for the race detector's shadow of the memory.
const mostResident = 512 << 20

// The race detector makes atomic accesses itself, in code that is not Go's, and a
// fault there ends the process whatever debug.SetPanicOnFault says. So nobody cuts
// files here.
func init() { weights[cut] = 0 }
