// Command redis measures Redis Streams and Redis Pub/Sub.
//
// The server is started for each measurement, on a Unix socket in the measurement's directory.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
	"github.com/seed27ccf144/mlog/bench/peers/harness/server"
)

func main() {
	harness.Main(
		harness.Peer{
			Name: "redis-streams", Version: version,
			Notes: "records are in the server's memory and in its append-only file",
			Keeps: true, Durable: true, Goroutines: true,
			Setup: setup(streamSettings), Produce: produceBy("XADD", stream, "*", "r"), Consume: consumeStream,
		},
		harness.Peer{
			Name: "redis-pubsub", Version: version,
			Goroutines: true,
			Setup:      setup(pubsubSettings), Produce: produceBy("PUBLISH", channel), Consume: consumePubsub,
		},
	)
}

// common are the settings of both.
var common = []string{
	"--port", "0", // the Unix socket only
	"--save", "", // no snapshots
	"--daemonize", "no",
}

func streamSettings(s harness.Settings) []string {
	fsync := "everysec"
	if s.Durable {
		fsync = "always"
	}
	return []string{
		"--appendonly", "yes",
		"--appendfsync", fsync,
		"--auto-aof-rewrite-percentage", "0", // a rewrite would be compaction, which nobody else does meanwhile
	}
}

func pubsubSettings(harness.Settings) []string {
	return []string{
		"--appendonly", "no",
		"--client-output-buffer-limit", "pubsub 0 0 0", // else subscribers that are behind lose their connection
	}
}

// socketVar is where roles find the server.
const socketVar = "SOCKET"

// setup returns a Setup that starts a server with these settings.
func setup(settings func(harness.Settings) []string) func(e *harness.Env) error {
	return func(e *harness.Env) error {
		path, err := exec.LookPath("redis-server")
		if err != nil {
			return harness.Skip("redis-server is not installed")
		}
		socket := filepath.Join(e.Dir, "redis.sock")
		args := append([]string{"--unixsocket", socket, "--dir", e.Dir}, common...)
		s, err := server.Start(e.Dir, "redis-server", exec.Command(path, append(args, settings(e.Settings)...)...))
		if err != nil {
			return err
		}
		e.Cleanup(s.Kill)
		e.AddServer(s.Pid())
		e.Set(socketVar, socket)
		return s.Await(10*time.Second, server.Probe("unix", socket))
	}
}

// version returns the server's and the client's.
func version() string {
	out, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		return ""
	}
	for _, word := range strings.Fields(string(out)) {
		if v, ok := strings.CutPrefix(word, "v="); ok {
			return v + ", rueidis " + rueidis.LibVer
		}
	}
	return ""
}

var ctx = context.Background() // nothing is cancelled: the harness ends processes that take too long

func dial(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	return d.DialContext(ctx, "unix", path)
}

// connect returns a client for a consumer, with a connection of its own.
func connect(e *harness.Env) (rueidis.DedicatedClient, func(), error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{e.Get(socketVar)},
		DialCtxFn:         dial,
		DisableCache:      true,
		ForceSingleClient: true,
	})
	if err != nil {
		return nil, nil, err
	}
	d, release := c.Dedicate()
	return d, func() { release(); c.Close() }, nil
}

var errNoReply = errors.New("a reply has another form than expected")
