package log_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// Append some records and read them back.
func Example() {
	dir, cleanUp := newDir()
	defer cleanUp()
	ctx := context.Background()

	l, err := mlog.Open(dir, mlog.Options{}) // creates the log if need be
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, drink := range []string{"coffee", "tea", "water"} {
		if _, err := w.Append(ctx, mlog.Record{Key: []byte("table 4"), Value: []byte(drink)}); err != nil {
			log.Fatal(err)
		}
	}

	r, err := l.Reader(mlog.ReaderOptions{Until: mlog.End()}) // as far as the log goes now
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for rec, err := range r.Records(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d %s: %s\n", rec.Offset, rec.Key, rec.Value)
	}
	// Output:
	// 0 table 4: coffee
	// 1 table 4: tea
	// 2 table 4: water
}

// A reader without a bound follows the log: it sleeps until somebody appends.
// Here that is a goroutine with a Log of its own; it might as well be another
// process.
func Example_follow() {
	dir, cleanUp := newDir()
	defer cleanUp()
	ctx := context.Background()

	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	r, err := l.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	go func() {
		other, err := mlog.Open(dir, mlog.Options{MustExist: true})
		if err != nil {
			log.Fatal(err)
		}
		defer other.Close()
		w, err := other.Writer(mlog.WriterOptions{})
		if err != nil {
			log.Fatal(err)
		}
		for i := range 3 {
			if _, err := w.Append(ctx, mlog.Record{Value: fmt.Appendf(nil, "order %d", i)}); err != nil {
				log.Fatal(err)
			}
		}
	}()

	for range 3 {
		rec, err := r.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d %s\n", rec.Offset, rec.Value)
	}
	// Output:
	// 0 order 0
	// 1 order 1
	// 2 order 2
}

// A batch is seen whole or not at all, whatever happens to its producer.
func ExampleWriter_AppendBatch() {
	dir, cleanUp := newDir()
	defer cleanUp()
	ctx := context.Background()

	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}

	transfer := []mlog.Record{
		{Key: []byte("alice"), Value: []byte("-20")},
		{Key: []byte("bob"), Value: []byte("+20")},
	}
	base, err := w.AppendBatch(ctx, transfer)
	if err != nil {
		log.Fatal(err)
	}
	end, err := l.EndOffset()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("offsets %d to %d\n", base, end-1)
	// Output:
	// offsets 0 to 1
}

// One Writer serves many goroutines, which take the log's lock together.
func ExampleWriter_Append_goroutines() {
	dir, cleanUp := newDir()
	defer cleanUp()
	ctx := context.Background()

	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}

	var wg sync.WaitGroup
	for id := range 8 {
		wg.Go(func() {
			for i := range 100 {
				rec := mlog.Record{Key: fmt.Appendf(nil, "worker %d", id), Value: fmt.Appendf(nil, "result %d", i)}
				if _, err := w.Append(ctx, rec); err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	wg.Wait()

	end, err := l.EndOffset()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(end, "records")
	// Output:
	// 800 records
}

// An append that is acknowledged as durable has survived the next power cut
// already. A reader may be told to see nothing less.
func ExampleWriterOptions_durable() {
	dir, cleanUp := newDir()
	defer cleanUp()
	ctx := context.Background()

	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{Ack: mlog.Durable})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.Append(ctx, mlog.Record{Value: []byte("paid")}); err != nil {
		log.Fatal(err) // with mlog.ErrSyncFailed the record may be visible nevertheless
	}

	r, err := l.Reader(mlog.ReaderOptions{Durable: true})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	rec, err := r.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", rec.Value)
	// Output:
	// paid
}

// Read what was appended at some time or later.
func ExampleAtTime() {
	dir, cleanUp := newDir()
	defer cleanUp()
	ctx := context.Background()

	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.Append(ctx, mlog.Record{Value: []byte("before")}); err != nil {
		log.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	deployed := time.Now()
	if _, err := w.Append(ctx, mlog.Record{Value: []byte("after")}); err != nil {
		log.Fatal(err)
	}

	r, err := l.Reader(mlog.ReaderOptions{From: mlog.AtTime(deployed), Until: mlog.End()})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for rec, err := range r.Records(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d %s\n", rec.Offset, rec.Value)
	}
	// Output:
	// 1 after
}

// A consumer group remembers how far its consumers came. A consumer that starts
// again, or another that takes over, goes on from there.
func ExampleGroup() {
	dir, cleanUp := newDir()
	defer cleanUp()
	ctx := context.Background()

	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range []string{"a", "b", "c", "d"} {
		if _, err := w.Append(ctx, mlog.Record{Value: []byte(v)}); err != nil {
			log.Fatal(err)
		}
	}

	consume := func(n int) error {
		g, err := l.Group("billing")
		if err != nil {
			return err
		}
		defer g.Close()
		if err := g.Join(ctx); err != nil { // waits while another consumer is active
			return err
		}
		from := mlog.Start()
		if next, ok := g.Committed(); ok {
			from = mlog.At(next)
		}
		r, err := l.Reader(mlog.ReaderOptions{From: from})
		if err != nil {
			return err
		}
		defer r.Close()
		for range n {
			rec, err := r.Next(ctx)
			if err != nil {
				return err
			}
			fmt.Printf("%d %s\n", rec.Offset, rec.Value)
			if err := g.Commit(rec.Offset + 1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := consume(3); err != nil {
		log.Fatal(err)
	}
	fmt.Println("restart")
	if err := consume(1); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 a
	// 1 b
	// 2 c
	// restart
	// 3 d
}

// A reader whose place is not in the log, since retention has dropped it or
// since the offset belongs to another log, is told what there is.
func ExampleRangeError() {
	dir, cleanUp := newDir()
	defer cleanUp()
	ctx := context.Background()

	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.Append(ctx, mlog.Record{Value: []byte("the only one")}); err != nil {
		log.Fatal(err)
	}

	r, err := l.Reader(mlog.ReaderOptions{From: mlog.At(1000)})
	var outside *mlog.RangeError
	if errors.As(err, &outside) {
		fmt.Printf("no offset %d: the log begins at %d and ends before %d\n", outside.Requested, outside.Start, outside.End)
		r, err = l.Reader(mlog.ReaderOptions{From: mlog.At(outside.Start)})
	}
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	rec, err := r.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d %s\n", rec.Offset, rec.Value)
	// Output:
	// no offset 1000: the log begins at 0 and ends before 1
	// 0 the only one
}

// newDir returns the path of a log to be, for an example.
func newDir() (path string, cleanUp func()) {
	tmp, err := os.MkdirTemp("", "mlog-example-")
	if err != nil {
		log.Fatal(err)
	}
	return filepath.Join(tmp, "orders"), func() { os.RemoveAll(tmp) }
}
