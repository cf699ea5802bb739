// Package soak lets processes share logs for a long life and proves that nothing
// adds up: no threads, descriptors, mappings, goroutines, memory or files, however
// many segments, producers and readers have come and gone. There is nothing to
// import here. It counts by /proc, so it runs on Linux only.
//
//	go test ./reliability/soak                                              some seconds, some hundred rolls
//	go test ./reliability/soak -run Soak -rolls 20000 -seed 7 -v -timeout 0
//	go test ./reliability/soak -run Soak -rolls 20000 -keep /var/tmp/soak   logs on another filesystem, kept
//
// # What happens
//
// Three logs, of the smallest segments.
//
// One is used by two processes that stay for its whole life, by producers of their
// own that open, append and close, and by processes that are killed, most times
// with the lock in their hands. Readers open at random places, follow, sleep, are
// cancelled, wait for several readers or for an event, and close; members of groups
// join, commit and leave; the log is trimmed and verified (resident_test.go and what
// it starts). The word that consumers sleep on begins near 2^32, so that it wraps.
//
// One is for that wrap alone: its word is set to just below 2^32 again and again,
// and consumers of each kind sleep on it when it becomes 0 (wrap_test.go).
//
// One has a clock that is stepped forward by days and back by hours, and retention
// by age (clock_test.go).
//
// # How it is judged
//
// Now and then all stop, and are counted. The first of these checkpoints is warm-up.
// From the middle of the run on, nothing may be above the highest of the first half
// by more than its slack (counts_test.go says why it has one). At each checkpoint
// the log is read by reliability/check, which shares no code with the engine, and
// compared with what was acknowledged (ledger_test.go).
package soak
