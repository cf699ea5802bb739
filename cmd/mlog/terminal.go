package main

import (
	"io"
	"os"
)

// A palette colours text for a person, and leaves it alone for a pipe.
type palette struct{ on bool }

func newPalette(w io.Writer) palette {
	return palette{on: isTerminalWriter(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (p palette) red(s string) string   { return p.paint("31", s) }
func (p palette) green(s string) string { return p.paint("32", s) }
func (p palette) bold(s string) string  { return p.paint("1", s) }

func (p palette) paint(code, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func isTerminalWriter(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}

// descriptor returns the file descriptor of f without Fd's side effect of
// making the file blocking. It is good for as long as f is open, which the
// three standard files are.
func descriptor(f *os.File) (fd uintptr, ok bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(n uintptr) { fd = n })
	return fd, err == nil
}
