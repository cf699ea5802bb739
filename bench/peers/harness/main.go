package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// Main runs the measurement that the command line asks for, NAME FLAGS…, and does not return.
func Main(peers ...Peer) {
	runtime.LockOSThread() // roles die with the thread that started them: it must live as long as the process
	if err := Run(os.Args[1:], os.Stdout, peers...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// IsRole reports whether this process is a producer or consumer that Run has started. A test that calls Run must call
// Main first thing if so, for it is the test program that is started again.
func IsRole() bool { return os.Getenv(roleVar) != "" }

// Run makes the measurement that args ask for, NAME FLAGS…, and prints the result.
func Run(args []string, out io.Writer, peers ...Peer) error {
	if len(args) == 0 {
		return errors.New("usage: NAME FLAGS…")
	}
	for _, p := range peers {
		if p.Name == args[0] {
			return runPeer(p, args, out)
		}
	}
	return fmt.Errorf("there is no peer %q here", args[0])
}

func runPeer(p Peer, args []string, out io.Writer) error {
	s, err := parse(args[0], args[1:])
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	which, isRole, err := roleFromEnvironment()
	if err != nil {
		return err
	}
	if isRole {
		return child(p, s, which)
	}
	result, err := measure(p, s, args)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return result.print(out)
}

// measure makes one measurement.
func measure(p Peer, s Settings, args []string) (r Result, err error) {
	r = newResult(p, s)
	if r.Inapplicable = p.inapplicable(s); r.Inapplicable != "" {
		return r, nil
	}
	if s.Dir == "" {
		if s.Dir, err = os.MkdirTemp("", "mlog-bench-"); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.Dir)) }()
		args = append(args[:len(args):len(args)], "-dir", s.Dir)
	}
	m := &session{peer: p, env: &Env{Settings: s}, args: args}
	producers, consumers, err := m.run()
	var skip *skipError
	if errors.As(err, &skip) {
		r.Skipped = skip.reason
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := r.fill(s, producers, consumers); err != nil {
		return r, err
	}
	r.CPU += m.serverCPU
	if p.Version != nil {
		r.Version = p.Version()
	}
	return r, nil
}
