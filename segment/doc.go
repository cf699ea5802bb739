// Package segment is the on-disk form of a log's data: segment files, the
// batches in them, and the records in those. docs/format.md shows the same
// layout byte by byte, and a test holds the two together with golden files.
//
// A segment file is named by the offset of its first record and has its full
// size from the moment it gets that name:
//
//	┌──────────────┬─────────┬─────────┬─────┬──────────┬──────────────────┐
//	│ header       │ batch   │ batch   │  …  │ 0 (word) │ anything         │
//	│ 4096 bytes   │         │         │     │          │ (not yet used)   │
//	└──────────────┴─────────┴─────────┴─────┴──────────┴──────────────────┘
//
// A batch is a 32-byte header and a body, padded to a multiple of 8:
//
//	 0        4        8                16               24               32
//	┌────────┬────────┬────────────────┬────────────────┬────────────────┬──────┐
//	│ length │ attrs, │ base offset    │ append time    │ checksum       │ body │
//	│        │ count  │                │ ns since 1970  │ xxhash64       │      │
//	└────────┴────────┴────────────────┴────────────────┴────────────────┴──────┘
//
// The length is the commit word. It is stored last, in one piece, and until
// then it is zero: a batch is there whole or not at all, whatever happens to
// its producer. Three rules carry the rest.
//
// Invariant Z: the word after the last committed batch is zero, always. The
// producer zeroes the next commit word before it stores its own, so bytes of an
// earlier life of the file are never taken for a batch.
//
// The checksum is salted with the segment's random epoch and the batch's
// position, so bytes from another file, another log or another place do not
// verify even if they were a batch once.
//
// Nothing read from a file sizes an allocation or an access before it was
// compared with the bounds of the mapping.
//
// The functions here touch mapped memory without protection; callers run them
// under package fault, once per operation and not once per word.
package segment
