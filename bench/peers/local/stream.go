package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const (
	bufferBytes = 64 << 10 // what the buffered variants gather before they write
	pipeAtomic  = 4096     // PIPE_BUF: what one write puts into a pipe in one piece
)

// A stream is a kind of byte streams.
type stream struct {
	// open makes the streams and leaves them in e.Files, as ends.at expects them.
	open func(e *harness.Env) error
	// shared says that the producers write into the same stream, one for each consumer; else there is one for each
	// producer and consumer.
	shared bool
}

// streamPeer makes a peer of byte streams: every record is written and read by a system call of its own; or buffered.
func streamPeer(name string, s stream, buffered bool) harness.Peer {
	return harness.Peer{
		Name: name, Version: harness.Kernel, Spins: true,
		Has: func(set harness.Settings) string {
			switch {
			case buffered && set.Work == harness.Latency:
				return "each record is sent when it is due: the same as without buffers"
			case s.shared && set.Producers > 1 && set.Size > pipeAtomic:
				return fmt.Sprintf("several producers can share a pipe for records of up to %d bytes", pipeAtomic)
			}
			return ""
		},
		Notes: "",
		Setup: s.open,
		Produce: func(p *harness.Producer) error {
			if err := p.Ready(); err != nil {
				return err
			}
			return s.produce(p, buffered)
		},
		Consume: func(c *harness.Consumer) error {
			if err := c.Ready(); err != nil {
				return err
			}
			return s.consume(c, buffered)
		},
	}
}

// files returns where in Env.Files the ends of a stream are.
func (s stream) files(e *harness.Env, producer, consumer int) (read, write int) {
	i := consumer
	if !s.shared {
		i += producer * e.Consumers
	}
	return 2 * i, 2*i + 1
}

func (s stream) produce(p *harness.Producer, buffered bool) error {
	var fds []int
	for c := range p.Consumers {
		_, w := s.files(p.Env, p.Index, c)
		fds = append(fds, int(p.File(w).Fd()))
	}
	n := 1
	if buffered {
		n = max(1, bufferBytes/p.Size)
		if s.shared && p.Producers > 1 {
			n = pipeAtomic / p.Size
		}
	}
	buf := make([]byte, n*p.Size)
	for {
		filled := 0
		for filled < len(buf) && p.Fill(buf[filled:filled+p.Size]) {
			filled += p.Size
		}
		if filled == 0 {
			return nil
		}
		for _, fd := range fds {
			if err := writeAll(fd, buf[:filled]); err != nil {
				return err
			}
		}
	}
}

// writeAll writes all of buf to a descriptor, and polls if that does not block.
func writeAll(fd int, buf []byte) error {
	for len(buf) > 0 {
		n, err := unix.Write(fd, buf)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		buf = buf[n:]
	}
	return nil
}

// An inlet is a stream that a consumer reads, with what of it was read and not yet taken.
type inlet struct {
	fd  int
	buf []byte
	n   int
}

// read reads once, and takes all records that are whole.
func (in *inlet) read(c *harness.Consumer) (done bool, err error) {
	n, err := unix.Read(in.fd, in.buf[in.n:])
	switch {
	case err == unix.EINTR || err == unix.EAGAIN:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read: %w", err)
	case n == 0:
		return false, fmt.Errorf("the stream ended after %d records", c.Taken())
	}
	in.n += n
	at := 0
	for ; in.n-at >= c.Size && !done; at += c.Size {
		if done, err = c.Take(in.buf[at : at+c.Size]); err != nil {
			return false, err
		}
	}
	in.n = copy(in.buf, in.buf[at:in.n])
	return done, nil
}

func (s stream) consume(c *harness.Consumer, buffered bool) error {
	n := 1
	if buffered {
		n = max(1, bufferBytes/c.Size)
	}
	var inlets []*inlet
	for p := range c.Producers {
		if s.shared && p > 0 {
			break
		}
		r, _ := s.files(c.Env, p, c.Index)
		in := &inlet{fd: int(c.File(r).Fd()), buf: make([]byte, n*c.Size)}
		if err := unix.SetNonblock(in.fd, c.Spin); err != nil {
			return err
		}
		inlets = append(inlets, in)
	}
	if len(inlets) > 1 {
		return consumeSeveral(c, inlets)
	}
	for {
		if done, err := inlets[0].read(c); done || err != nil {
			return err
		}
	}
}

// consumeSeveral reads from whichever has something.
func consumeSeveral(c *harness.Consumer, inlets []*inlet) error {
	polls := make([]unix.PollFd, len(inlets))
	for i, in := range inlets {
		polls[i] = unix.PollFd{Fd: int32(in.fd), Events: unix.POLLIN}
	}
	for {
		if _, err := unix.Poll(polls, -1); err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		for i, in := range inlets {
			if polls[i].Revents == 0 {
				continue
			}
			if done, err := in.read(c); done || err != nil {
				return err
			}
		}
	}
}
