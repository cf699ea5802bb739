// Package check reads the directory of a log by docs/format.md alone and judges
// whether it is as that page says.
//
// It is the second opinion of the reliability tests, so it shares no code with
// the engine: it imports nothing of this module and no library that the engine
// uses, has its own parser and its own hash, maps nothing, and reads whole files.
// Where the page and the engine disagree, the checker fails, and one of the two
// has to be mended.
//
// Read [Read] first, then row.go (the segments as one log), segment.go (one
// segment), batch.go and body.go (what stands in it). The other files are one
// kind of file each.
//
// What it leaves out: modes and owners of files, which are lost in copies, and
// what a log looks like between a loss of power and its recovery.
package check
