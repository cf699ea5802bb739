// The peer D-Bus: signals through a private dbus-daemon, which hands each to every consumer.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const (
	object        = "/mlog/bench"
	iface         = "mlog.bench"
	member        = "Record"
	underWay      = 8192 // signals: the bus would drop what is beyond its limit
	underWayBytes = 16 << 20
	heldBytes     = 512 << 20 // that the bus keeps for a slow consumer
)

func main() {
	harness.Main(harness.Peer{
		Name: "dbus", Version: version,
		Has: func(s harness.Settings) string {
			if s.Size%8 != 0 {
				return "records are sent as words of 8 bytes"
			}
			return ""
		},
		Setup: startBus, Produce: produce, Consume: consume,
	})
}

func version() string {
	out, err := exec.Command("dbus-daemon", "--version").Output()
	if err != nil {
		return "dbus-daemon"
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(first, "D-Bus Message Bus Daemon ") + ", godbus v5"
}

const config = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%[1]s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
  <limit name="max_incoming_bytes">%[2]d</limit>
  <limit name="max_outgoing_bytes">%[2]d</limit>
</busconfig>
`

// The client takes arrays apart value by value, with reflection: words of 8 bytes cost it an eighth of what bytes do.

// startBus starts a bus that only this measurement uses.
func startBus(e *harness.Env) error {
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		return harness.Skip("dbus-daemon is not installed")
	}
	file, socket := filepath.Join(e.Dir, "bus.conf"), filepath.Join(e.Dir, "bus")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, socket, heldBytes), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(daemon, "--config-file="+file, "--nofork", "--nopidfile", "--nosyslog")
	var complaints bytes.Buffer // that it could not raise a limit, for instance
	cmd.Stderr = &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start dbus-daemon: %w", err)
	}
	e.Cleanup(func() error {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil
	})
	e.AddServer(cmd.Process.Pid)
	e.Set("bus", "unix:path="+socket)
	for range 500 {
		if _, err := os.Stat(socket); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, _ = cmd.Process.Kill(), cmd.Wait() // ends what writes to complaints
	return fmt.Errorf("dbus-daemon did not open %s: %s", socket, complaints.Bytes())
}

func produce(p *harness.Producer) error {
	conn, err := dbus.Connect(p.Get("bus"))
	if err != nil {
		return err
	}
	defer conn.Close()
	p.Window(min(underWay, underWayBytes/int64(p.Size)))
	if err := p.Ready(); err != nil {
		return err
	}
	rec, words := make([]byte, p.Size), make([]uint64, p.Size/8)
	for p.Fill(rec) {
		for i := range words {
			words[i] = binary.LittleEndian.Uint64(rec[8*i:])
		}
		if err := conn.Emit(object, iface+"."+member, words); err != nil {
			return fmt.Errorf("emit: %w", err)
		}
	}
	p.Done()
	// The bus may have less of it than was written; it answers in order, so an answer means that it has all.
	return conn.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err
}

func consume(c *harness.Consumer) error {
	// The default handler gives signals to goroutines of their own when the channel is full: out of order.
	conn, err := dbus.Connect(c.Get("bus"), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return err
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, underWay)
	conn.Signal(signals)
	err = conn.AddMatchSignal(dbus.WithMatchObjectPath(object), dbus.WithMatchInterface(iface), dbus.WithMatchMember(member))
	if err != nil {
		return err
	}
	if err := c.Ready(); err != nil {
		return err
	}
	rec := make([]byte, c.Size)
	for s := range signals {
		if s.Name != iface+"."+member {
			continue
		}
		words, ok := s.Body[0].([]uint64)
		if !ok || 8*len(words) != c.Size {
			return fmt.Errorf("a signal of %d values of type %T", len(words), s.Body[0])
		}
		for i, w := range words {
			binary.LittleEndian.PutUint64(rec[8*i:], w)
		}
		if done, err := c.Take(rec); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("the bus closed the connection after %d records", c.Taken())
}
