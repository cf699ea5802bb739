// Package hostile_test feeds a log bytes that no honest producer writes: as
// files that were edited while nobody used them (FuzzDirectory), and as a live
// mapping that another process scribbles on while consumers read (TestScribble).
//
// Bytes whose checksum is wrong are turned away early, so whoever edits here can
// also make the checksums right again; package mutate does both. What parses
// single files has fuzz targets beside its own code.
package hostile_test
