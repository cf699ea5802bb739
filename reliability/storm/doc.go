// Package storm kills and stops processes that share a log, at random and often,
// and proves afterwards that nothing was lost, doubled, torn, reordered or made up.
// There is nothing to import here.
//
//	go test ./reliability/storm                                             some seconds, some fifty kills
//	go test ./reliability/storm -run Storm -kills 5000 -seed 7 -v -timeout 0
//	go test ./reliability/storm -run Storm -kills 500 -keep /var/tmp/storm  logs on another filesystem, kept
//
// # What happens
//
// A fleet of real processes works on one log: producers of single records, of
// batches, with durable acknowledgement, with deadlines; some that roll all the
// time; one that opens and closes; consumers from the start, from the end, of
// durable records, in a group, one that lags until its place is gone; one that
// changes retention and trims; one that verifies. A script, drawn from the seed, kills (SIGKILL) and stops (SIGSTOP) them
// and starts others in their place, in rounds. A round ends with all of them being
// asked to leave, or with all of them killed at once. Then the log is judged; some
// rounds later a new log begins, with other settings.
//
// # How it is judged
//
// Each process keeps a report of its own, outside the log, of what it was told: a
// producer writes down each append after it returned, a consumer each record that
// it was given. A value says which producer made it, as which of its records, and
// how long it is, and the rest of it follows from that, so a torn, forged or
// foreign one is seen. The log itself is read by reliability/check, which shares no
// code with the engine. See judge_test.go.
//
// How soon the survivors of a death append again is measured, and judged beside what
// the machine gave a process that has nothing to do with the log. See bare_test.go.
package storm
