package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const stream = "RECORDS"

var ctx = context.Background() // nothing is cancelled: the harness ends processes that take too long

func setupJetStream(e *harness.Env) error {
	if err := startServer(e); err != nil {
		return err
	}
	c, err := connect(e)
	if err != nil {
		return err
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err != nil {
		return err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: stream, Subjects: []string{subject},
		Storage:           jetstream.FileStorage,
		AllowBatchPublish: true,
	})
	return err
}

func produceJetStream(p *harness.Producer) error {
	c, err := connect(p.Env)
	if err != nil {
		return err
	}
	defer c.Close()
	failed := make(chan error, 1)
	js, err := jetstream.New(c, jetstream.WithPublishAsyncMaxPending(maxPending),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) {
			select {
			case failed <- err:
			default: // the first one tells enough
			}
		}))
	if err != nil {
		return err
	}
	switch {
	case p.Durable:
		return publish(p, js)
	case p.Work == harness.Latency:
		return publishAsync(p, js, failed)
	default:
		return publishFast(p, js)
	}
}

// publish awaits the acknowledgement of each record.
func publish(p *harness.Producer, js jetstream.JetStream) error {
	if err := p.Ready(); err != nil {
		return err
	}
	record := make([]byte, p.Size)
	for p.Fill(record) {
		if _, err := js.Publish(ctx, subject, record); err != nil {
			return err
		}
	}
	return nil
}

// maxPending is the number of records without an acknowledgement, which comes for each.
const maxPending = 4000

func publishAsync(p *harness.Producer, js jetstream.JetStream, failed <-chan error) error {
	if err := p.Ready(); err != nil {
		return err
	}
	slab := make([]byte, (maxPending+1)*p.Size) // what has no acknowledgement may be sent again
	for i := 0; ; i++ {
		record := slab[i%(maxPending+1)*p.Size:][:p.Size]
		if !p.Fill(record) {
			break
		}
		if _, err := js.PublishAsync(subject, record); err != nil {
			return err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	case <-time.After(p.Limit):
		return errors.New("acknowledgements are missing")
	}
}

// publishFast has an acknowledgement for every so many records. Each is kept as it comes.
func publishFast(p *harness.Producer, js jetstream.JetStream) error {
	var failed error
	f, err := jetstreamext.NewFastPublisher(js,
		jetstreamext.FastPublishFlowControl{Flow: 500, MaxOutstandingAcks: 10, AckTimeout: p.Limit},
		jetstreamext.WithFastPublisherErrorHandler(func(err error) { failed = err }))
	if err != nil {
		return err
	}
	if err := p.Ready(); err != nil {
		return err
	}
	record := make([]byte, p.Size)
	for p.Fill(record) {
		if _, err := f.Add(subject, record); err != nil {
			return err
		}
	}
	ack, err := f.Close(ctx)
	if err != nil {
		return err
	}
	if failed != nil || int64(ack.BatchSize) < p.Sent() {
		return errors.Join(failed, fmt.Errorf("%d of %d records were acknowledged", ack.BatchSize, p.Sent()))
	}
	return nil
}

func consumeJetStream(r *harness.Consumer) error {
	c, err := connect(r.Env)
	if err != nil {
		return err
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err != nil {
		return err
	}
	ordered, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	t := newTaker(r)
	if err := r.Ready(); err != nil {
		return err
	}
	close(t.started)
	running, err := ordered.Consume(func(m jetstream.Msg) { t.take(m.Data()) }, jetstream.PullMaxMessages(pulled(r.Size)))
	if err != nil {
		return err
	}
	defer running.Stop()
	return <-t.done
}

// pulled is the number of records that a consumer asks for at once: some MB, but not fewer than by default.
func pulled(size int) int { return max(500, min(10_000, 8<<20/size)) }
