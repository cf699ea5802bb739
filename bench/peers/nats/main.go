// Command nats measures NATS: JetStream with its file store, and plain publish and subscribe.
//
// The server is a process of its own, started for each measurement from the program beside this one. It listens on a
// TCP port of the loopback interface, for it has no Unix sockets.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
	"github.com/seed27ccf144/mlog/bench/peers/harness/server"
)

func main() {
	harness.Main(
		harness.Peer{
			Name: "nats-jetstream", Version: version,
			Notes: "TCP: the server has no Unix sockets",
			Keeps: true, Durable: true, Goroutines: true,
			Setup: setupJetStream, Produce: produceJetStream, Consume: consumeJetStream,
		},
		harness.Peer{
			Name: "nats-core", Version: version,
			Notes:      "TCP: the server has no Unix sockets; producers stay within 32 MB of the slowest consumer, which would be dropped else",
			Goroutines: true,
			Setup:      startServer, Produce: produceCore, Consume: consumeCore,
		},
	)
}

// urlVar is where roles find the server.
const urlVar = "URL"

const subject = "records"

// startServer starts the server on a port that the kernel chooses.
func startServer(e *harness.Env) error {
	path, err := serverPath()
	if err != nil {
		return err
	}
	always := ""
	if e.Durable {
		always = "sync_interval: always"
	}
	config := filepath.Join(e.Dir, "nats.conf")
	text := fmt.Sprintf("listen: \"127.0.0.1:-1\"\nports_file_dir: %q\njetstream { store_dir: %q; max_file_store: 100GB; %s }\n",
		e.Dir, filepath.Join(e.Dir, "jetstream"), always)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	s, err := server.Start(e.Dir, "nats-server", exec.Command(path, "-c", config))
	if err != nil {
		return err
	}
	e.Cleanup(s.Kill)
	e.AddServer(s.Pid())
	ports := filepath.Join(e.Dir, fmt.Sprintf("nats-server_%d.ports", s.Pid()))
	return s.Await(10*time.Second, func() error {
		url, err := readURL(ports)
		if err != nil {
			return err
		}
		e.Set(urlVar, url)
		c, err := nats.Connect(url)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// readURL returns the address that the server has written into a file.
func readURL(ports string) (string, error) {
	b, err := os.ReadFile(ports)
	if err != nil {
		return "", err
	}
	var p struct {
		Nats []string `json:"nats"`
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return "", err
	}
	if len(p.Nats) == 0 {
		return "", errors.New("the server tells no address")
	}
	return p.Nats[0], nil
}

// serverPath returns the server's program, which stands beside this one.
func serverPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(self), "nats-server"), nil
}

func version() string {
	path, err := serverPath()
	if err != nil {
		return ""
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.TrimPrefix(string(out), "nats-server:")) + ", nats.go v" + nats.Version
}

func connect(e *harness.Env) (*nats.Conn, error) {
	return nats.Connect(e.Get(urlVar), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		fmt.Fprintln(os.Stderr, "nats:", err)
	}))
}
