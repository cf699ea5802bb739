// The local peers: what the kernel offers to processes of one host, and rings in memory that they share.
package main

import "github.com/seed27ccf144/mlog/bench/peers/harness"

func main() { harness.Main(peers()...) }

func peers() []harness.Peer {
	return []harness.Peer{
		streamPeer("pipe", pipes, false),
		streamPeer("pipe-buffered", pipes, true),
		streamPeer("fifo", fifos, false),
		streamPeer("fifo-buffered", fifos, true),
		streamPeer("unix-stream", unixStreams, false),
		streamPeer("unix-stream-buffered", unixStreams, true),
		streamPeer("tcp", tcps, false),
		streamPeer("tcp-buffered", tcps, true),
		packetPeer("unix-seqpacket", seqpackets),
		packetPeer("posix-mq", posixQueues),
		packetPeer("sysv-mq", sysvQueues),
		ringPeer("ring", newYielding),
		ringPeer("ring-futex", newFutexes),
		ringPeer("eventfd", newEventfds),
	}
}
