// Command mlog is the persistent message log on the command line: it appends
// records, follows and replays them, and shows what is in a log.
//
// Data goes to stdout and everything else to stderr, so that every command
// works in a pipeline. A failure is one line on stderr and an exit code that
// says what kind of failure it was; exit.go has the list.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

func main() {
	// Go kills a process that writes to a closed stdout, unless somebody
	// listens for the signal. We want the EPIPE error instead: the reader of a
	// pipeline going away is a normal end, after which there is a group to
	// commit or a log to sync. Notify and not Ignore: an ignored signal would
	// be ignored by our children too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	std := &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(run(os.Args[1:], std))
}

// streams are the three files a command works with.
type streams struct {
	in, out, err *os.File
}

// notef tells the person at the terminal, or the log file behind stderr,
// something that is neither data nor a failure.
func (s *streams) notef(command, format string, args ...any) {
	fmt.Fprintf(s.err, "mlog %s: %s\n", command, oneLine(fmt.Sprintf(format, args...)))
}

// A command is one verb of the tool. Everything about it is told once, here;
// help and shell completion are made from the same values.
type command struct {
	name     string
	args     string   // what follows the name in the usage line: "DIR"
	argKind  argKind  // what the argument is, for completion
	argWords []string // the words that argument may be, for argWord and argDirWord
	summary  string   // one line for the list of commands
	details  string   // paragraphs that no flag has room for
	examples []string
	minArgs  int
	maxArgs  int
	flags    *pflag.FlagSet
	run      func(std *streams, args []string) error
}

type argKind int

const (
	argNone argKind = iota
	argDir
	argPath
	argWord
	argDirWord // a directory, and then a word
)

// commands makes a fresh table: flag sets keep what was parsed, so a table
// serves one run.
func commands() []*command {
	return []*command{
		newProduce(), newConsume(), newInfo(), newDump(), newVerify(), newRepair(), newTrim(), newGroups(), newDemo(), newCompletion(), newHelp(),
	}
}

func findCommand(table []*command, name string) *command {
	for _, c := range table {
		if c.name == name {
			return c
		}
	}
	return nil
}

// run carries out one command line and returns the exit code.
func run(args []string, std *streams) int {
	name, err := dispatch(args, std)
	if err == nil {
		return exitDone
	}
	return report(std.err, name, err)
}

// dispatch finds the command and runs it. It returns the command's name too,
// for the error message.
func dispatch(args []string, std *streams) (name string, err error) {
	table := commands()
	if len(args) == 0 {
		return "", printMainHelp(std.out, table)
	}
	switch args[0] {
	case "-h", "--help":
		return "", printMainHelp(std.out, table)
	case "--version":
		return "", printVersion(std.out)
	}
	if strings.HasPrefix(args[0], "-") {
		return "", usagef("unknown flag %s: flags follow the command", args[0])
	}
	c := findCommand(table, args[0])
	if c == nil {
		return "", usagef("unknown command %q%s", args[0], didYouMean(args[0], table))
	}
	return c.name, c.parseAndRun(args[1:], std)
}

func (c *command) parseAndRun(args []string, std *streams) error {
	err := c.flags.Parse(args)
	switch {
	case err == pflag.ErrHelp:
		return printCommandHelp(std.out, c)
	case err != nil:
		return flagError(err)
	}
	rest := c.flags.Args()
	switch {
	case len(rest) < c.minArgs:
		return usagef("%s is missing", strings.Fields(c.args)[len(rest)])
	case len(rest) > c.maxArgs:
		return usagef("unexpected argument %q", rest[c.maxArgs])
	case len(rest) > 0 && rest[0] == "":
		return usagef("%s is empty", firstWord(c.args))
	}
	return c.run(std, rest)
}

// newFlags returns an empty flag set that reports errors to its caller.
func newFlags(name string) *pflag.FlagSet {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SortFlags = false
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	return f
}

// hideDefaults keeps out of the help what stands for "not given".
func hideDefaults(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		flags.Lookup(name).DefValue = ""
	}
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}
