// The local peers: what the kernel offers to processes of one host, and memory that they share.
package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

func main() {
	harness.Main(harness.Peer{Name: "pipe", Version: harness.Kernel, Setup: func(e *harness.Env) error {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		e.Files = []*os.File{os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")}
		return nil
	}, Produce: func(p *harness.Producer) error {
		if err := p.Ready(); err != nil {
			return err
		}
		return produceStream(p, []int{int(p.File(1).Fd())}, false)
	}, Consume: func(c *harness.Consumer) error {
		if err := c.Ready(); err != nil {
			return err
		}
		buf := make([]byte, c.Size)
		for {
			for n := 0; n < len(buf); {
				m, err := unix.Read(int(c.File(0).Fd()), buf[n:])
				if err != nil {
					return err
				}
				n += m
			}
			if done, err := c.Take(buf); done || err != nil {
				return err
			}
		}
	}})
}
