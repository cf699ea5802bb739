// Package log is a persistent message log that unrelated processes of one host
// share through memory-mapped files. Import it as mlog:
//
//	import mlog "github.com/seed27ccf144/mlog/log"
//
// A log is a directory. Any process that opens it may append records to it and
// read them, at the same time as others do, with no daemon in between. A record
// has an offset (0, 1, 2, … without holes), an append time, a value, and
// optionally a key and headers.
//
//	l, err := mlog.Open("orders", mlog.Options{})   // creates it if need be
//	w, err := l.Writer(mlog.WriterOptions{})
//	offset, err := w.Append(ctx, mlog.Record{Value: []byte("hello")})
//
//	r, err := l.Reader(mlog.ReaderOptions{})        // from the start, following
//	rec, err := r.Next(ctx)                         // sleeps until there is one
//
// # What is promised
//
// A record that Append has returned for is there for every reader, once, in
// order, byte for byte, or the reader gets an error that names the offsets it
// cannot have. Any process may be killed at any instruction: what it had not
// finished was never visible, and the others go on within 50 ms.
//
// There are two levels of acknowledgement. A Visible record survives the death
// of every process. A Durable one survives power loss as well. A visible record
// becomes durable within Options.FlushEvery, one second by default, as long as
// the process that appended it lives that long; if that is killed earlier, the
// system's own write-back (some 30 s) is what remains, unless another process
// appends or syncs.
//
// # What it is not
//
// Not a server and not a cluster: one host only, and no network filesystem. Not
// a queue that deletes what was read: records stay until retention drops whole
// segments. Processes that append to a log trust each other, as users of one
// file do; readers need trust nobody.
//
// # Memory
//
// What a Reader returns are views into the mapped log: read-only, valid until
// the next call on that reader, and gone with it. Record.Clone makes a copy that
// lasts. Should somebody truncate a file of the log while it is in use, calls of
// this package return an error; but a program that reads a view at that moment
// faults, unless it has set debug.SetPanicOnFault.
package log
