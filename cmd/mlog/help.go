package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/pflag"
)

func newHelp() *command {
	c := &command{
		name: "help", args: "[COMMAND]", argKind: argWord, maxArgs: 1,
		summary:  "how to use a command",
		examples: []string{"mlog help produce"},
		flags:    newFlags("help"),
	}
	c.run = func(std *streams, args []string) error {
		table := commands()
		if len(args) == 0 {
			return printMainHelp(std.out, table)
		}
		topic := findCommand(table, args[0])
		if topic == nil {
			return usagef("unknown command %q%s", args[0], didYouMean(args[0], table))
		}
		return printCommandHelp(std.out, topic)
	}
	return c
}

func printMainHelp(w io.Writer, table []*command) error {
	var b strings.Builder
	b.WriteString(`mlog keeps messages in a directory that many processes write and read at once.

Examples:
  seq 3 | mlog produce /tmp/orders      append three records, one a line
  mlog consume /tmp/orders              print all records, then wait for more
  mlog consume /tmp/orders -o end       print only what comes from now on
  mlog demo                             see several processes, and a kill -9

Usage: mlog COMMAND [ARGUMENT] [flags]

Commands:
`)
	for _, c := range table {
		fmt.Fprintf(&b, "  %-10s %-10s %s\n", c.name, c.args, c.summary)
	}
	b.WriteString(`
'mlog COMMAND --help' has the examples and flags of a command.
'mlog --version' says which build this is.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 damage found or met,
4 offset out of range, 5 time-out.
`)
	return printAll(w, b.String())
}

func printCommandHelp(w io.Writer, c *command) error {
	var b strings.Builder
	b.WriteString("Examples:\n")
	for _, e := range c.examples {
		fmt.Fprintf(&b, "  %s\n", e)
	}
	fmt.Fprintf(&b, "\nUsage: mlog %s %s", c.name, c.args)
	if c.flags.HasAvailableFlags() {
		b.WriteString(" [flags]")
	}
	fmt.Fprintf(&b, "\n  %s\n", c.summary)
	if c.details != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(c.details))
	}
	if c.flags.HasAvailableFlags() {
		b.WriteString("\nFlags:\n")
		writeFlags(&b, c.flags)
	}
	return printAll(w, b.String())
}

// writeFlags lists the flags. pflag's own list spells booleans as
// --json[=true|false] and quotes defaults of its own accord.
func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	const helpColumn = 30
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		head := "      "
		if f.Shorthand != "" {
			head = "  -" + f.Shorthand + ", "
		}
		head += "--" + f.Name
		value, usage := pflag.UnquoteUsage(f)
		if f.Value.Type() != "bool" {
			head += " " + value
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" {
			usage += " (default " + showDefault(d) + ")"
		}
		fmt.Fprintf(b, "%-*s %s\n", helpColumn, head,
			strings.ReplaceAll(usage, "\n", "\n"+strings.Repeat(" ", helpColumn+1)))
	})
}

// showDefault shows a default as one would type it: a format has a newline.
func showDefault(s string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(s)
}

// didYouMean names the command that a misspelt one is close to.
func didYouMean(name string, table []*command) string {
	best, bestDistance := "", 3
	for _, c := range table {
		if d := editDistance(name, c.name); d < bestDistance {
			best, bestDistance = c.name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// editDistance counts the letters to insert, drop or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func printVersion(w io.Writer) error {
	version, revision := "(unknown)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	return printAll(w, fmt.Sprintf("mlog %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH))
}

// printAll writes text to a stdout whose reader may have left: 'mlog help |
// head -1' is not a failure.
func printAll(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil && !readerGone(err) {
		return fmt.Errorf("write to stdout: %w", err)
	}
	return nil
}
