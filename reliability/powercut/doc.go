// Package powercut takes the power away from logs, and judges what is left.
//
// TestSimulated does so by a model of a disk. The engine runs for real, over real
// files, but each of its system calls that changes a file passes through a
// scheduler, which lets one goroutine at a time go on, in an order drawn from the
// seed. From these calls the model knows what must be on disk, and from looking
// at the files between them what may be. At any point the scheduler can stop,
// make an image of a disk that lost power just then, and have the log on it
// recovered, read, appended to, and compared with what was acknowledged. Some
// images are lived in on, and lose power again, during their recovery above all.
//
// TestShutdown does so to real filesystems: ext4 and XFS on loop devices, shut
// down under load.
//
// # What an image may hold
//
// Contents. A page of a file is as it was when the last sync of that file that
// has returned began, or as at any moment since: each page, each sector of 512
// bytes in it, for itself. Moments are those at which the scheduler looked, before
// and after each call and each append. A store to a mapping is not seen by the
// disk as one thing: a sector that is written back while it is stored to may have
// any of its 8-byte words old or new, between two neighbouring moments. A write by
// a system call is one thing for a sector: the kernel keeps a page locked
// meanwhile, and does not begin to write it back.
//
// Sizes. A file that was never synced may be empty, short, or have its full size,
// with zeros, never with what the disk held before, where nothing was written
// back: filesystems that do otherwise leak the files of others.
//
// Names. Creating, renaming, linking and removing are operations of one journal.
// A sync of a directory makes those durable that concern it; a sync of a file makes
// its contents and its size durable, not its name. In half of the images the
// others are on disk up to one of them (as in ext4, XFS, Btrfs: the journal is
// written in order, and the size that a file was allocated is part of it); in the
// other half any of them may be, those of one name in their order, and a size
// may be older than the name. A rename is one operation: the old name is there or
// the new one, and what it replaces goes just then. mlog is held to both, and so
// promises what it promises without relying on the order of the journal.
package powercut
