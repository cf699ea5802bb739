package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seed27ccf144/mlog/internal/humanduration"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/offsetspec"
	"github.com/seed27ccf144/mlog/internal/recordfmt"
	mlog "github.com/seed27ccf144/mlog/log"
)

type consumeOptions struct {
	offset      string
	offsetGiven bool
	num         int64 // -1: all
	format      string
	exitEOF     bool
	groupName   string // "": no group
	durable     bool
	spin        bool
	skipDamage  bool
	timeout     time.Duration // 0: wait for ever
}

func newConsume() *command {
	c := &command{
		name: "consume", args: "DIR", argKind: argDir, minArgs: 1, maxArgs: 1,
		summary: "print records, and wait for more unless told where to end",
		examples: []string{
			`mlog consume orders                         # all from the start, then what comes`,
			`mlog consume orders -o end                  # only what comes from now on`,
			`mlog consume orders -o -10 -e               # the last ten`,
			`mlog consume orders -o @-1h:end -f json     # the last hour, one JSON object a line`,
			`mlog consume orders -g billing -f '%o %v\n' # where billing stopped; its place is kept`,
		},
		details: `Offsets (-o):
  start, end        all there is; only what comes
  N, +N, -N         from offset N on (an error if it is not there); N after the
                    start; N before the end
  N:M, N:, :M       from N up to and without M; from N; from the start up to M
  :end              from the start, up to the end as it is now
  @TIME, @T1:T2     by append time: milliseconds, seconds, a date, RFC 3339, or -5m
  s@TIME, e@TIME    as in kcat, one -o each or as s@T1,e@T2; digits are milliseconds
An exact offset before the start of the log or past its end is an error (exit 4);
before the start, --on-damage skip begins at the start instead.

Formats (-f): %v value, %k key, %o offset, %d time, %h{%k=%v,} headers, %V %K %H
lengths and count, %v{hex} %v{base64} %v{json}, %d{go[2006-01-02]} %d{strftime[%F]},
%%, \n, \t, \xNN; or 'json'.

With -g one consumer of a group is active, others stand by. A record is committed
after it was written to stdout: after a crash some may be printed again, none is
missed. -o together with -g starts there instead of at the committed offset.`,
		flags: newFlags("consume"),
	}
	var o consumeOptions
	f := c.flags
	o.offset = "start"
	f.VarP(&offsetFlag{text: &o.offset}, "offset", "o", "`OFFSET` to start at, or a range")
	f.Int64VarP(&o.num, "num", "n", -1, "end after `N` records; 0 prints none")
	f.StringVarP(&o.format, "format", "f", `%v\n`, "`FORMAT` of a record, or json")
	f.BoolVarP(&o.exitEOF, "exit-eof", "e", false, "end at the log's end as it is now; the same as -o ...:end")
	f.StringVarP(&o.groupName, "group", "g", "", "read as the consumer group `NAME`")
	f.BoolVar(&o.durable, "durable", false, "only records that survive power loss")
	f.BoolVar(&o.spin, "spin", false, "never sleep: a core for the lowest latency")
	onDamage := f.String("on-damage", "stop", "`ACTION` at damage: stop (exit 3), or skip it and say what is missing")
	f.Var((*humanduration.Flag)(&o.timeout), "timeout", "end with exit 5 when no record came for `DURATION`")
	hideDefaults(f, "num", "timeout")
	completeValues(f, "offset", "start", "end")
	completeValues(f, "on-damage", "stop", "skip")
	c.run = func(std *streams, args []string) error {
		o.offsetGiven = f.Changed("offset")
		switch {
		case *onDamage != "stop" && *onDamage != "skip":
			return usagef("--on-damage %q: one of stop, skip", *onDamage)
		case f.Changed("num") && o.num < 0:
			return usagef("--num %d: must not be negative", o.num)
		case f.Changed("timeout") && o.timeout <= 0:
			return usagef("--timeout %v: must be more than 0; -e ends without waiting", o.timeout)
		case f.Changed("group") && o.groupName == "":
			return usagef("--group: the name is empty")
		}
		if err := layout.CheckGroupName(o.groupName); f.Changed("group") && err != nil {
			return usagef("--group %s", strings.TrimPrefix(err.Error(), "group name "))
		}
		o.skipDamage = *onDamage == "skip"
		return consume(std, args[0], o)
	}
	return c
}

// A consumer is one run of the command.
type consumer struct {
	consumeOptions
	std    *streams
	out    *output
	format *recordfmt.Formatter
	log    *mlog.Log
	group  *mlog.Group // nil without -g
	reader *mlog.Reader

	progress   progress
	printed    int64 // records so far
	fromGroup  bool  // it began at the committed offset
	fromMoving bool  // it began at a place that moves as the log does, such as its start
	endHidden  bool  // damage hides where the log ends
	next       int64 // the offset after the last record in out
	committed  int64 // what the group's file has
}

func consume(std *streams, dir string, o consumeOptions) error {
	format, err := recordfmt.Compile(o.format)
	if err != nil {
		return usagef("--format: %v", err)
	}
	span, err := o.parseRange(time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := untilSignal()
	defer cancel()
	ctx = untilReaderGone(ctx, std.out)
	c := &consumer{
		consumeOptions: o, std: std, out: newOutput(std.out), format: format,
		progress: newProgress(std, "printed", isTerminal(std.out)),
	}
	// A pipe that is full and not read lets no write finish. What is not
	// written is not committed either, so nothing is lost by leaving.
	whenStuck(ctx, c.out, func() { os.Exit(exitDone) })
	if c.log, err = mlog.Open(dir, mlog.Options{MustExist: true}); err != nil {
		return openError(dir, err)
	}
	defer c.log.Close()
	err = c.run(ctx, span)
	c.progress.done()
	if errors.Is(err, errReaderGone) || stopped(ctx, err) {
		return nil
	}
	return err
}

func (c *consumer) run(ctx context.Context, span offsetspec.Range) error {
	until, err := c.resolveUntil(span) // before standing by: the end "as it is now"
	if err != nil {
		return err
	}
	if c.num == 0 {
		return nil
	}
	if c.group, err = c.join(ctx); err != nil {
		return err
	}
	if c.group != nil {
		defer c.group.Close()
	}
	from, err := c.resolveFrom(span)
	if err != nil {
		return err
	}
	if until != noEnd && from >= until {
		return nil
	}
	if c.reader, err = c.openReader(from, until); err != nil {
		return err
	}
	defer c.reader.Close()
	c.next = c.reader.Offset()
	c.committed = c.next
	return c.loop(ctx)
}

// join makes this process the group's active consumer, and says so when that
// takes waiting for another one.
func (c *consumer) join(ctx context.Context) (*mlog.Group, error) {
	if c.groupName == "" {
		return nil, nil
	}
	g, err := c.log.Group(c.groupName)
	if err != nil {
		return nil, c.groupError(err)
	}
	note := time.AfterFunc(200*time.Millisecond, func() {
		c.std.notef("consume", "group %s has an active consumer; standing by", c.groupName)
	})
	defer note.Stop()
	wait, cancel := c.patience(ctx)
	defer cancel()
	if err := g.Join(wait); err != nil {
		g.Close()
		if wait.Err() != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("%w: group %s had another active consumer for %v", errTimeout, c.groupName, c.timeout)
		}
		return nil, c.groupError(err)
	}
	return g, nil
}

// patience returns a context that ends when the user would wait no longer.
func (c *consumer) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}
