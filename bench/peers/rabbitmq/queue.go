package main

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// exchange hands each record to the queue of every consumer.
const exchange = "records"

func queueName(consumer int) string { return fmt.Sprint("records-", consumer) }

func classicPeer() harness.Peer {
	return queuePeer(harness.Peer{
		Name:    "rabbitmq-classic",
		Durable: true, // as its documentation says; see Has
		Notes:   "TCP: the server has no Unix sockets; a queue for each consumer, filled by a fanout exchange",
		Has: func(s harness.Settings) string {
			if s.Durable {
				return "its confirms do not wait for fsync, which it hardly ever calls"
			}
			return ""
		},
	}, amqp.Table{"x-queue-type": "classic", "x-queue-version": 2})
}

func quorumPeer() harness.Peer {
	return queuePeer(harness.Peer{
		Name:    "rabbitmq-quorum",
		Notes:   "TCP: the server has no Unix sockets; one node; a queue for each consumer, filled by a fanout exchange",
		Durable: true,
	}, amqp.Table{"x-queue-type": "quorum"})
}

func queuePeer(p harness.Peer, arguments amqp.Table) harness.Peer {
	p.Version, p.Keeps, p.Goroutines = version, true, true
	has := p.Has
	p.Has = func(s harness.Settings) string {
		switch {
		case s.Work == harness.Replay:
			return "a queue is emptied by reading it"
		case has != nil:
			return has(s)
		}
		return ""
	}
	p.Setup = func(e *harness.Env) error { return setupQueues(e, arguments) }
	p.Produce, p.Consume = produceQueue, consumeQueue
	return p
}

func setupQueues(e *harness.Env, arguments amqp.Table) error {
	if err := startServer(e); err != nil {
		return err
	}
	conn, err := connect(e)
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := c.ExchangeDeclare(exchange, amqp.ExchangeFanout, true, false, false, false, nil); err != nil {
		return err
	}
	for i := range e.Consumers {
		name := queueName(i)
		_, err1 := c.QueueDeclare(name, true, false, false, false, arguments)
		if err := errors.Join(err1, c.QueueBind(name, "", exchange, false, nil)); err != nil {
			return err
		}
	}
	return nil
}

// unconfirmed is the number of records that are sent before their confirms are there.
const unconfirmed = 2000

func produceQueue(p *harness.Producer) error {
	conn, err := connect(p.Env)
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := c.Confirm(false); err != nil {
		return err
	}
	confirms := c.NotifyPublish(make(chan amqp.Confirmation, unconfirmed))
	window := unconfirmed
	if p.Durable {
		window = 1
	}
	if err := p.Ready(); err != nil {
		return err
	}
	open := 0
	for record := make([]byte, p.Size); p.Fill(record); {
		err := c.Publish(exchange, "", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: record})
		if err != nil {
			return err
		}
		open++
		if open, err = await(confirms, open, window-1); err != nil {
			return err
		}
	}
	_, err = await(confirms, open, 0)
	return err
}

// await takes the confirms that are there, and waits until at most this many are open. It returns how many are.
func await(confirms <-chan amqp.Confirmation, open, most int) (int, error) {
	for open > most || len(confirms) > 0 {
		c, ok := <-confirms
		if !ok {
			return open, errors.New("the server closed the channel")
		}
		if !c.Ack {
			return open, errors.New("the server refused a record")
		}
		open--
	}
	return open, nil
}

// A consumer has at most prefetch records that it has not acknowledged, and acknowledges ackEvery at once.
const (
	prefetch = 300
	ackEvery = 100
)

func consumeQueue(r *harness.Consumer) error {
	conn, err := connect(r.Env)
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := c.Qos(prefetch, 0, false); err != nil {
		return err
	}
	deliveries, err := c.Consume(queueName(r.Index), "", false, true, false, false, nil)
	if err != nil {
		return err
	}
	if err := r.Ready(); err != nil {
		return err
	}
	for d := range deliveries {
		if done, err := r.Take(d.Body); done || err != nil {
			return errors.Join(err, d.Ack(true))
		}
		if d.DeliveryTag%ackEvery == 0 {
			if err := d.Ack(true); err != nil {
				return err
			}
		}
	}
	return errors.New("the server closed the channel")
}
