package main

import (
	"github.com/redis/rueidis"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const stream = "records"

// atOnce is the most entries that one XREAD returns.
const atOnce = 1000

func consumeStream(r *harness.Consumer) error {
	c, release, err := connect(r.Env)
	if err != nil {
		return err
	}
	defer release()
	if err := r.Ready(); err != nil {
		return err
	}
	for last := "0"; ; {
		reply := c.Do(ctx, c.B().Xread().Count(atOnce).Block(0).Streams().Key(stream).Id(last).Build())
		entries, err := streamEntries(reply)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			id, record, err := splitEntry(entry)
			if err != nil {
				return err
			}
			if done, err := r.Take(record); done || err != nil {
				return err
			}
			last = id
		}
	}
}

// streamEntries returns the entries in a reply to XREAD of one stream, a map from its name to them. (The client's
// own conversions build a map of maps of each.)
func streamEntries(reply rueidis.RedisResult) ([]rueidis.RedisMessage, error) {
	m, err := reply.ToMap()
	if err != nil {
		return nil, err
	}
	entries := m[stream]
	return entries.ToArray()
}

// splitEntry returns the number of an entry and its only value.
func splitEntry(entry rueidis.RedisMessage) (id string, record []byte, err error) {
	parts, err := entry.ToArray()
	if err != nil || len(parts) != 2 {
		return "", nil, errNoReply
	}
	fields, err := parts[1].ToArray()
	if err != nil || len(fields) != 2 {
		return "", nil, errNoReply
	}
	if id, err = parts[0].ToString(); err != nil {
		return "", nil, err
	}
	record, err = fields[1].AsBytes()
	return id, record, err
}
