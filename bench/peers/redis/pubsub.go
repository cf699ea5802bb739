package main

import (
	"errors"
	"unsafe"

	"github.com/redis/rueidis"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const channel = "records"

func consumePubsub(r *harness.Consumer) error {
	c, release, err := connect(r.Env)
	if err != nil {
		return err
	}
	defer release()
	var (
		subscribed = make(chan struct{}, 2) // it is told again when the subscription ends
		started    = make(chan struct{})
		done       = make(chan error, 2)
		ended      = false
	)
	hook := rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) { subscribed <- struct{}{} })
	go func() {
		err := c.Receive(hook, c.B().Subscribe().Channel(channel).Build(), func(m rueidis.PubSubMessage) {
			if ended {
				return
			}
			<-started
			last, err := r.Take(bytesOf(m.Message))
			if last || err != nil {
				ended = true
				done <- err
			}
		})
		done <- errors.Join(errors.New("the subscription ended"), err)
	}()
	select {
	case <-subscribed:
	case err := <-done:
		return err
	}
	if err := r.Ready(); err != nil {
		return err
	}
	close(started)
	return <-done
}

// bytesOf returns the bytes of a text, which must not be changed, without a copy.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }
