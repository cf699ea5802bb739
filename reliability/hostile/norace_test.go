//go:build !race

package hostile_test

// mostResident bounds the memory of a process that reads a hostile log of some
// 300 KiB: its own code and heap, and what it has mapped. It takes some 12 MiB.
const mostResident = 64 << 20
