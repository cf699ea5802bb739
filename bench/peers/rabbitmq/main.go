// Command rabbitmq measures RabbitMQ: classic queues, version 2, quorum queues and streams.
//
// The server is started for each measurement. It listens on TCP ports of the loopback interface, for it has no Unix
// sockets, and needs the port mapper of Erlang, which is started beside it on a port of its own.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
	"github.com/seed27ccf144/mlog/bench/peers/harness/server"
)

func main() {
	harness.Main(classicPeer(), quorumPeer(), streamPeer())
}

// What roles find in the environment.
const (
	amqpPortVar   = "AMQP_PORT"
	streamPortVar = "STREAM_PORT"
)

// scripts is where Debian and the generic package have the script that starts the server in the foreground. The one
// on the path changes to another user.
var scripts = []string{"/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server"}

func script() (string, error) {
	for _, s := range scripts {
		if _, err := os.Stat(s); err == nil {
			return s, nil
		}
	}
	return "", harness.Skip("rabbitmq-server is not installed")
}

// ports are chosen by the kernel: the server cannot tell which one it was given.
type ports struct{ amqp, stream, distribution, mapper int }

func choosePorts() (p ports, err error) {
	for _, port := range []*int{&p.amqp, &p.stream, &p.distribution, &p.mapper} {
		if *port, err = server.Port(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// startServer starts the server, with all its files in the measurement's directory.
func startServer(e *harness.Env) error {
	path, err := script()
	if err != nil {
		return err
	}
	p, err := choosePorts()
	if err != nil {
		return err
	}
	env, err := configure(e.Dir, p)
	if err != nil {
		return err
	}
	mapper := exec.Command("epmd", "-port", strconv.Itoa(p.mapper), "-address", "127.0.0.1")
	m, err := server.Start(e.Dir, "epmd", mapper)
	if err != nil {
		return err
	}
	e.Cleanup(m.Kill)
	cmd := exec.Command(path)
	cmd.Env, cmd.Dir = env, e.Dir
	s, err := server.Start(e.Dir, "rabbitmq-server", cmd)
	if err != nil {
		return err
	}
	e.Cleanup(s.Kill)
	e.AddServer(s.Pid())
	e.Set(amqpPortVar, strconv.Itoa(p.amqp))
	e.Set(streamPortVar, strconv.Itoa(p.stream))
	return s.Await(time.Minute, func() error {
		c, err := connect(e)
		if err == nil {
			err = c.Close()
		}
		return errors.Join(err, server.Probe("tcp", fmt.Sprintf("127.0.0.1:%d", p.stream))())
	})
}

// configure writes the server's files and returns its environment.
func configure(dir string, p ports) ([]string, error) {
	in := func(name string) string { return filepath.Join(dir, name) }
	config := fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
stream.listeners.tcp.1 = 127.0.0.1:%d
stream.advertised_host = 127.0.0.1
stream.advertised_port = %d
log.file.level = warning
`, p.amqp, p.stream, p.stream)
	err := errors.Join(
		os.WriteFile(in("rabbitmq.conf"), []byte(config), 0o600),
		os.WriteFile(in("enabled_plugins"), []byte("[rabbitmq_stream].\n"), 0o600),
	)
	return append(os.Environ(),
		"HOME="+dir,                  // for Erlang's cookie
		"RUNNING_UNDER_SYSTEMD=true", // the script becomes the server, instead of waiting for it
		"ERL_EPMD_PORT="+strconv.Itoa(p.mapper),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(p.distribution),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_NODENAME=mlog-bench@localhost",
		"RABBITMQ_CONF_ENV_FILE="+in("none"),
		"RABBITMQ_CONFIG_FILE="+in("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+in("none.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+in("enabled_plugins"),
		"RABBITMQ_MNESIA_BASE="+in("mnesia"),
		"RABBITMQ_LOG_BASE="+in("log"),
	), err
}

func connect(e *harness.Env) (*amqp.Connection, error) {
	return amqp.Dial("amqp://guest:guest@127.0.0.1:" + e.Get(amqpPortVar))
}

// version returns the server's, from the name of its directory.
func version() string {
	path, err := script()
	if err != nil {
		return ""
	}
	matches, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "../lib/rabbitmq_server-*"))
	if len(matches) == 0 {
		return ""
	}
	_, v, _ := strings.Cut(filepath.Base(matches[0]), "-")
	return v
}
