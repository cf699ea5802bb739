package main

import (
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/amqp"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const streamName = "records"

func streamPeer() harness.Peer {
	return harness.Peer{
		Name: "rabbitmq-stream", Version: version,
		Notes: "TCP: the server has no Unix sockets",
		Keeps: true, Durable: true, Checksums: true, Goroutines: true,
		Has: func(s harness.Settings) string {
			if s.Durable {
				return "it leaves it to the system when records reach the disk"
			}
			return ""
		},
		Setup: setupStream, Produce: produceStream, Consume: consumeStream,
	}
}

func environment(e *harness.Env) (*stream.Environment, error) {
	port, err := strconv.Atoi(e.Get(streamPortVar))
	if err != nil {
		return nil, err
	}
	// The client's own socket buffers of 8 kB are smaller than a segment on the loopback interface, so that TCP waits
	// for seconds; -1 leaves them as the system has them, which the client's documentation advises then.
	return stream.NewEnvironment(stream.NewEnvironmentOptions().
		SetHost("127.0.0.1").SetPort(port).SetUser("guest").SetPassword("guest").
		SetWriteBuffer(-1).SetReadBuffer(-1))
}

func setupStream(e *harness.Env) error {
	if err := startServer(e); err != nil {
		return err
	}
	env, err := environment(e)
	if err != nil {
		return err
	}
	return errors.Join(env.DeclareStream(streamName, stream.NewStreamOptions()), env.Close())
}

// open is the number of records that are sent before their confirms are there.
const open = 10_000

func produceStream(p *harness.Producer) error {
	env, err := environment(p.Env)
	if err != nil {
		return err
	}
	defer env.Close()
	producer, err := env.NewProducer(streamName, stream.NewProducerOptions())
	if err != nil {
		return err
	}
	tokens := make(chan struct{}, open)
	refused := atomic.Bool{}
	confirms := producer.NotifyPublishConfirmation()
	go func() {
		for statuses := range confirms {
			for _, s := range statuses {
				if !s.IsConfirmed() {
					refused.Store(true)
				}
				<-tokens
			}
		}
	}()
	if err := p.Ready(); err != nil {
		return err
	}
	for record := make([]byte, p.Size); p.Fill(record); {
		tokens <- struct{}{}
		if err := producer.Send(amqp.NewMessage(record)); err != nil {
			return err
		}
	}
	for range open { // all have come back
		tokens <- struct{}{}
	}
	if refused.Load() {
		return errors.New("the server refused a record, or did not confirm it in time")
	}
	return nil
}

func consumeStream(r *harness.Consumer) error {
	env, err := environment(r.Env)
	if err != nil {
		return err
	}
	defer env.Close()
	if err := r.Ready(); err != nil {
		return err
	}
	done := make(chan error, 1)
	ended := false
	_, err = env.NewConsumer(streamName, func(_ stream.ConsumerContext, m *amqp.Message) {
		if ended {
			return
		}
		if last, err := r.Take(m.GetData()); last || err != nil {
			ended = true
			done <- err
		}
	}, stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.First()).SetCRCCheck(true))
	if err != nil {
		return err
	}
	return <-done
}
