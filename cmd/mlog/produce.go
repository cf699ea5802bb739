package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed27ccf144/mlog/internal/bytesize"
	"github.com/seed27ccf144/mlog/internal/humanduration"
	"github.com/seed27ccf144/mlog/internal/layout"
	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/segment"
)

type produceOptions struct {
	format     string
	key        []byte // nil: none
	headers    []mlog.Header
	output     string // "": nothing
	ack        mlog.Ack
	flushEvery time.Duration // as in mlog.Options: negative is never
	batch      int           // 0: what is at hand
	file       string        // "": stdin

	segmentBytes int64
	retain       retainFlags
	mode         fs.FileMode
}

// retainFlags are the limits that were given; a nil one stays as it is.
type retainFlags struct {
	bytes *int64
	age   *time.Duration
}

func newProduce() *command {
	c := &command{
		name: "produce", args: "DIR", argKind: argDir, minArgs: 1, maxArgs: 1,
		summary: "append records from stdin or a file; creates the log",
		examples: []string{
			`seq 3 | mlog produce orders                              # three records, one a line`,
			`tail -F app.log | mlog produce orders -H host=web1       # as they come`,
			`mlog produce orders -f '%k\t%v\n' < table.tsv            # key, tab, value`,
			`echo paid | mlog produce orders --ack durable -o '%o\n'  # on disk before its offset is printed`,
			`mlog produce orders --retain-bytes 1GiB --retain-age 7d < /dev/null`,
		},
		details: `Input formats (-f) are %v, %k and %h with the text between them, as in '%k\t%v\n',
or lengths instead: '%V{big32}%v' reads four bytes of length and then the value,
'%V{4}%v' always four bytes of value; or 'json', as consume prints it.

On a clean end of input everything is durable before exit 0. SIGINT and SIGTERM
end it the same way, after the records already read. A record that is too large
for a segment is an error; the records before it are kept.`,
		flags: newFlags("produce"),
	}
	var o produceOptions
	var raw rawProduceOptions
	raw.register(c.flags, &o)
	c.run = func(std *streams, args []string) error {
		if err := raw.check(c.flags, &o); err != nil {
			return err
		}
		return produce(std, args[0], o)
	}
	return c
}

// rawProduceOptions are the flags that need a second look.
type rawProduceOptions struct {
	key, ack, mode string
	headers        []string
	flushEvery     time.Duration
	retainBytes    int64
	retainAge      time.Duration
}

func (raw *rawProduceOptions) register(f *pflag.FlagSet, o *produceOptions) {
	raw.flushEvery = mlog.DefaultFlushEvery
	f.StringVarP(&o.format, "format", "f", `%v\n`, "`FORMAT` of the input")
	f.StringVarP(&raw.key, "key", "k", "", "`KEY` of each record that has none by the format")
	f.StringArrayVarP(&raw.headers, "header", "H", nil, "header `K=V` of each record; may be repeated")
	f.StringVarP(&o.output, "output", "o", "", "print `FORMAT` for each record once it is acknowledged")
	f.StringVar(&raw.ack, "ack", "visible", "`LEVEL` of acknowledgement: visible, or durable\n(visible survives the death of every process, durable power loss)")
	f.Var((*humanduration.Flag)(&raw.flushEvery), "flush-every", "flush each record within `DURATION`, 0 = never")
	f.IntVar(&o.batch, "batch", 0, "at most `N` records in an atomic batch\n(default what is at hand)")
	f.StringVar(&o.file, "file", "", "read `PATH` instead of stdin")
	f.Var((*bytesize.Flag)(&o.segmentBytes), "segment-bytes", "`SIZE` of a segment, when the log is created (default 64MiB)")
	f.Var((*bytesize.Flag)(&raw.retainBytes), "retain-bytes", "keep about `SIZE` of records, 0 = all; stored with the log")
	f.Var((*humanduration.Flag)(&raw.retainAge), "retain-age", "drop segments older than `DURATION`, 0 = never; stored with the log")
	f.StringVar(&raw.mode, "mode", "0600", "`MODE` of the files, when the log is created")
	hideDefaults(f, "batch", "segment-bytes", "retain-bytes", "retain-age")
	completeValues(f, "ack", "visible", "durable")
	completePath(f, "file")
}

func (raw *rawProduceOptions) check(f *pflag.FlagSet, o *produceOptions) (err error) {
	if f.Changed("key") {
		o.key = []byte(raw.key)
	}
	if f.Changed("retain-bytes") {
		o.retain.bytes = &raw.retainBytes
	}
	if f.Changed("retain-age") {
		o.retain.age = &raw.retainAge
	}
	if f.Changed("file") && o.file == "" {
		return usagef("--file is empty: name a file, or - for stdin")
	}
	if f.Changed("batch") && o.batch < 1 {
		return usagef("--batch %d: must be at least 1", o.batch)
	}
	if f.Changed("segment-bytes") {
		if err := segment.CheckSize(o.segmentBytes); err != nil {
			return usagef("--segment-bytes: %v", err)
		}
	}
	if o.flushEvery = raw.flushEvery; o.flushEvery == 0 {
		o.flushEvery = -1
	}
	if o.headers, err = parseHeaders(raw.headers); err != nil {
		return err
	}
	if o.ack, err = parseAck(raw.ack); err != nil {
		return err
	}
	o.mode, err = parseMode(raw.mode)
	return err
}

func parseHeaders(list []string) ([]mlog.Header, error) {
	var headers []mlog.Header
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, usagef("--header %q: must be NAME=VALUE", s)
		}
		headers = append(headers, mlog.Header{Key: k, Value: []byte(v)})
	}
	return headers, nil
}

func parseAck(s string) (mlog.Ack, error) {
	switch s {
	case "visible":
		return mlog.Visible, nil
	case "durable":
		return mlog.Durable, nil
	}
	return 0, usagef("--ack %q: one of visible, durable", s)
}

func parseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil {
		return 0, usagef("--mode %q: must be an octal number such as 0600 or 0660", s)
	}
	mode := fs.FileMode(n)
	if err := layout.CheckMode(mode); err != nil {
		return 0, usagef("--%v", err)
	}
	return mode, nil
}

func produce(std *streams, dir string, o produceOptions) error {
	p := &producer{produceOptions: o, std: std, out: newOutput(std.out)}
	if err := p.compile(); err != nil {
		return err
	}
	ctx, cancel := untilSignal()
	defer cancel()
	in, err := openInput(ctx, std, o.file)
	if stopped(ctx, err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	l, err := mlog.Open(dir, mlog.Options{
		Logger:       newLogger(p.std, "produce"),
		SegmentBytes: o.segmentBytes, Retention: o.retain.apply(mlog.Retention{}),
		Mode: o.mode, FlushEvery: o.flushEvery,
	})
	if err != nil {
		return produceError(dir, err)
	}
	defer l.Close()
	if err := o.retain.store(l); err != nil {
		return err
	}
	if p.writer, err = l.Writer(mlog.WriterOptions{Ack: o.ack}); err != nil {
		return produceError(dir, err)
	}
	defer p.writer.Close()
	if o.output != "" {
		ctx = untilReaderGone(ctx, std.out)
	}
	p.log = l
	shows := o.output != "" && isTerminal(std.out) || in == std.in && isTerminal(in)
	p.progress = newProgress(std, "appended", shows)
	return p.run(ctx, in)
}

// openInput opens what is read, before a log is made for it. Opening a FIFO
// waits for its writer, and a signal must end that too.
func openInput(ctx context.Context, std *streams, path string) (*os.File, error) {
	if path == "" || path == "-" {
		if fi, err := std.in.Stat(); err == nil && fi.IsDir() {
			return nil, errors.New("stdin is a directory, not a file of records")
		}
		if isTerminal(std.in) && isTerminal(std.err) {
			std.notef("produce", "reading records from the terminal; Ctrl-D ends")
		}
		return std.in, nil
	}
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.Open(path)
		done <- opened{f, err}
	}()
	var f *os.File
	select {
	case o := <-done:
		if o.err != nil {
			return nil, fmt.Errorf("--file: %w", o.err)
		}
		f = o.f
	case <-ctx.Done(): // the process ends, and with it the goroutine
		return nil, ctx.Err()
	}
	if fi, err := f.Stat(); err == nil && fi.IsDir() {
		f.Close()
		return nil, fmt.Errorf("--file: %s is a directory, not a file of records", path)
	}
	return f, nil
}

func (r retainFlags) apply(to mlog.Retention) mlog.Retention {
	if r.bytes != nil {
		to.Bytes = *r.bytes
	}
	if r.age != nil {
		to.Age = *r.age
	}
	return to
}

// store changes the retention of a log that was there already. Without a limit
// to store it does not even look: what is stored may be damaged.
func (r retainFlags) store(l *mlog.Log) error {
	if r == (retainFlags{}) {
		return nil
	}
	old, err := l.Retention()
	if err != nil {
		return err
	}
	if changed := r.apply(old); changed != old {
		return l.SetRetention(changed)
	}
	return nil
}
