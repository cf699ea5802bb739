package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// A pipeline sends commands without waiting for their replies, which another goroutine reads. The client libraries
// for Go have every goroutine wait for its own, so that one producer is either too slow or out of order.
type pipeline struct {
	conn   net.Conn
	out    *bufio.Writer
	before []byte // of each command, up to the record
	window int    // the most commands without a reply

	mu      sync.Mutex
	changed *sync.Cond
	open    int   // commands without a reply; under mu
	err     error // why no more replies come; under mu
}

// dialPipeline connects to the server, for commands that consist of these words and a record of size bytes.
func dialPipeline(socket string, window, size int, words ...string) (*pipeline, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	const buffer = 64 << 10
	p := &pipeline{conn: conn, out: bufio.NewWriterSize(conn, buffer), window: window}
	p.changed = sync.NewCond(&p.mu)
	p.before = fmt.Appendf(nil, "*%d\r\n", len(words)+1)
	for _, w := range words {
		p.before = fmt.Appendf(p.before, "$%d\r\n%s\r\n", len(w), w)
	}
	p.before = fmt.Appendf(p.before, "$%d\r\n", size)
	go p.readReplies(bufio.NewReaderSize(conn, buffer))
	return p, nil
}

// send adds a command. It reaches the server when the buffer is full, or by flush.
func (p *pipeline) send(record []byte) error {
	p.mu.Lock()
	full := p.open >= p.window
	p.open++
	err := p.err
	p.mu.Unlock()
	if full && err == nil {
		err = p.await(p.window/2 + 1)
	}
	if err != nil {
		return err
	}
	p.out.Write(p.before) // a failure is reported by the last of them
	p.out.Write(record)
	_, err = p.out.WriteString("\r\n")
	return err
}

func (p *pipeline) flush() error { return p.out.Flush() }

// await sends what is in the buffer and returns when at most this many commands have no reply.
func (p *pipeline) await(most int) error {
	if err := p.flush(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.open > most && p.err == nil {
		p.changed.Wait()
	}
	return p.err
}

func (p *pipeline) readReplies(in *bufio.Reader) {
	for {
		err := readReply(in)
		replies := 1
		for err == nil && in.Buffered() > 0 { // what came together is counted together
			if err = readReply(in); err == nil {
				replies++
			}
		}
		p.mu.Lock()
		p.open -= replies
		p.err = err
		p.mu.Unlock()
		p.changed.Signal()
		if err != nil {
			return
		}
	}
}

// readReply reads a number or a text, which acknowledges a command. Anything else is an error.
func readReply(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	line = bytes.TrimSpace(line)
	if len(line) < 2 || (line[0] != ':' && line[0] != '$') {
		return fmt.Errorf("the server replies %q", line)
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil || n < 0 {
		return errors.Join(fmt.Errorf("the server replies %q", line), err)
	}
	if line[0] == '$' {
		_, err = in.Discard(n + len("\r\n"))
	}
	return err
}

func (p *pipeline) close() error { return p.conn.Close() }

// window is the number of commands that are sent before their replies are there: as many as Redis's documentation
// advises, but not more than a few MB.
func window(s harness.Settings) int {
	if s.Durable {
		return 1
	}
	const commands, bytes = 10_000, 8 << 20
	return min(commands, bytes/s.Size)
}

// produceBy returns a Produce that sends each record by a command of these words.
func produceBy(words ...string) func(*harness.Producer) error {
	return func(p *harness.Producer) error {
		c, err := dialPipeline(p.Get(socketVar), window(p.Settings), p.Size, words...)
		if err != nil {
			return err
		}
		defer c.close()
		if err := p.Ready(); err != nil {
			return err
		}
		record := make([]byte, p.Size)
		for p.Fill(record) {
			err := c.send(record)
			switch {
			case err != nil:
			case p.Durable:
				err = c.await(0)
			case p.Work == harness.Latency:
				err = c.flush()
			}
			if err != nil {
				return err
			}
		}
		return c.await(0)
	}
}
