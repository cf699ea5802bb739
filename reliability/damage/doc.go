// Package damage harms the files of a small log, each byte and each sector of each
// of them, and judges what becomes of it.
//
// A mutation is one of
//
//	flip   one bit of a byte
//	zero   a sector of 512 bytes becomes zeros
//	trash  a sector becomes random bytes
//	swap   two sectors of one file change places
//	cross  a sector changes places with one of another segment
//	write  an empty lock file gets a byte
//
// and happens either within a boot of the machine, when the control file is valid
// and what is visible has been promised, or after one, when only what is durable
// has been. Nobody uses the log meanwhile.
//
// Found or harmless: log.Verify and a reader must agree on what is lost, which is
// no more than the batches that the mutation touched; the reader hands out nothing
// but what was appended, skips nothing without an error that names it, and comes to
// the log's end. A producer either refuses, with an error that a program can tell,
// or appends behind everything, at an offset that nobody was ever told. log.Repair
// changes nothing unless it is told to, and then leaves a log that is sound by
// log.Verify, by the parser of package check, and by use.
package damage
