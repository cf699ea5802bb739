package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// What a flag's value can be is told to the shells by annotations on the flag.
const (
	annotateValues = "mlog_values" // one of these words
	annotatePath   = "mlog_path"   // a path
)

// completeValues says that a flag takes one of a few words.
func completeValues(flags *pflag.FlagSet, name string, words ...string) {
	mustAnnotate(flags, name, annotateValues, words)
}

// completePath says that a flag takes the path of a file.
func completePath(flags *pflag.FlagSet, name string) {
	mustAnnotate(flags, name, annotatePath, []string{"file"})
}

// mustAnnotate panics for a flag that does not exist: a mistake in our own
// table, which every test run meets.
func mustAnnotate(flags *pflag.FlagSet, name, key string, words []string) {
	if err := flags.SetAnnotation(name, key, words); err != nil {
		panic(err)
	}
}

var shells = map[string]func([]*command) string{
	"bash": bashCompletion,
	"zsh":  zshCompletion,
	"fish": fishCompletion,
}

func newCompletion() *command {
	c := &command{
		name: "completion", args: "SHELL", argKind: argWord, argWords: []string{"bash", "zsh", "fish"},
		minArgs: 1, maxArgs: 1,
		summary: "a completion script for bash, zsh or fish",
		examples: []string{
			`source <(mlog completion bash)               # now; in ~/.bashrc for every shell`,
			`mlog completion zsh > "${fpath[1]}/_mlog"    # and start a new shell`,
			`mlog completion fish > ~/.config/fish/completions/mlog.fish`,
		},
		flags: newFlags("completion"),
	}
	c.run = func(std *streams, args []string) error {
		generate, ok := shells[args[0]]
		if !ok {
			return usagef("unknown shell %q: one of bash, zsh, fish", args[0])
		}
		return printAll(std.out, generate(commands()))
	}
	return c
}

// words returns what the argument of c may be, for an argument that is a word.
func (c *command) words(table []*command) []string {
	if c.name == "help" {
		return commandNames(table)
	}
	return c.argWords
}

func commandNames(table []*command) []string {
	var names []string
	for _, c := range table {
		names = append(names, c.name)
	}
	return names
}

// flagSpellings lists a flag as one may type it.
func flagSpellings(f *pflag.Flag) []string {
	if f.Shorthand == "" {
		return []string{"--" + f.Name}
	}
	return []string{"-" + f.Shorthand, "--" + f.Name}
}

func visibleFlags(c *command) []*pflag.Flag {
	var list []*pflag.Flag
	c.flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			list = append(list, f)
		}
	})
	return list
}

// describeFlag is the first line of a flag's help, in plain text.
func describeFlag(f *pflag.Flag) string {
	_, usage := pflag.UnquoteUsage(f)
	line, _, _ := strings.Cut(usage, "\n")
	return line
}

func takesValue(f *pflag.Flag) bool { return f.Value.Type() != "bool" }

const bashHead = `# bash completion for mlog, made by 'mlog completion bash'
_mlog() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= args=0 i
	local IFS=$'\n'
	COMPREPLY=()
	# bash splits --flag=value into three words.
	if [[ $cur == "=" ]]; then
		cur=
	elif [[ $prev == "=" && $COMP_CWORD -ge 2 ]]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -* ]]; then
			continue
		elif [[ -n $cmd ]]; then
			((args++))
		else
			cmd=${COMP_WORDS[i]}
		fi
	done
	case $cmd:$prev in
`

func bashCompletion(table []*command) string {
	var b strings.Builder
	b.WriteString(bashHead)
	for _, c := range table {
		for _, f := range visibleFlags(c) {
			if takesValue(f) {
				fmt.Fprintf(&b, "\t%s:%s) %s; return ;;\n", c.name,
					strings.Join(flagSpellings(f), "|"+c.name+":"), bashValue(f))
			}
		}
	}
	b.WriteString("\tesac\n\tcase $cmd in\n")
	fmt.Fprintf(&b, "\t\"\") %s; return ;;\n", bashWords(append(commandNames(table), "--help", "--version")))
	for _, c := range table {
		spellings := []string{"--help"}
		for _, f := range visibleFlags(c) {
			spellings = append(spellings, "--"+f.Name)
		}
		fmt.Fprintf(&b, "\t%s)\n\t\tif [[ $cur == -* ]]; then\n\t\t\t%s\n\t\telse\n\t\t\t%s\n\t\tfi ;;\n",
			c.name, bashWords(spellings), bashArgument(c, table))
	}
	b.WriteString("\tesac\n}\ncomplete -F _mlog mlog\n")
	return b.String()
}

func bashWords(words []string) string {
	return fmt.Sprintf(`COMPREPLY=($(compgen -W $'%s' -- "$cur"))`, strings.Join(words, `\n`))
}

// bashPaths completes names of files; "filenames" makes bash quote them, which
// the bash 3 of macOS cannot be told from within a function.
func bashPaths(option string) string {
	return fmt.Sprintf(`compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen %s -- "$cur"))`, option)
}

func bashValue(f *pflag.Flag) string {
	if words := f.Annotations[annotateValues]; words != nil {
		return bashWords(words)
	}
	if f.Annotations[annotatePath] != nil {
		return bashPaths("-f")
	}
	return ":"
}

func bashArgument(c *command, table []*command) string {
	switch c.argKind {
	case argDir:
		return bashPaths("-d")
	case argPath:
		return bashPaths("-f")
	case argWord:
		return bashWords(c.words(table))
	case argDirWord:
		return "case $args in 0) " + bashPaths("-d") + " ;; 1) " + bashWords(c.words(table)) + " ;; esac"
	}
	return ":"
}

// zshCompletion speaks to _arguments, zsh's own parser of command lines.
func zshCompletion(table []*command) string {
	var b strings.Builder
	b.WriteString("#compdef mlog\n# zsh completion for mlog, made by 'mlog completion zsh'\n_mlog() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, c := range table {
		fmt.Fprintf(&b, "\t\t%s\n", shellQuote(c.name+":"+zshEscape(c.summary)))
	}
	b.WriteString("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n" +
		"\tlocal cmd=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $cmd in\n")
	for _, c := range table {
		fmt.Fprintf(&b, "\t%s)\n\t\t_arguments -s", c.name)
		for _, f := range visibleFlags(c) {
			fmt.Fprintf(&b, " \\\n\t\t\t%s", zshFlag(f))
		}
		fmt.Fprintf(&b, " \\\n\t\t\t'--help[how to use it]'%s ;;\n", zshArgument(c, table))
	}
	b.WriteString("\tesac\n}\nif [[ $funcstack[1] == _mlog ]]; then\n\t_mlog \"$@\"\nelse\n\tcompdef _mlog mlog\nfi\n")
	return b.String()
}

func zshFlag(f *pflag.Flag) string {
	value, _ := pflag.UnquoteUsage(f)
	spec := "[" + zshEscape(describeFlag(f)) + "]"
	if takesValue(f) {
		spec += ":" + zshEscape(value) + ":"
		if words := f.Annotations[annotateValues]; words != nil {
			spec += "(" + strings.Join(words, " ") + ")"
		} else if f.Annotations[annotatePath] != nil {
			spec += "_files"
		} else {
			spec += " "
		}
	}
	repeat := ""
	if strings.HasSuffix(f.Value.Type(), "Array") {
		repeat = "*"
	}
	if f.Shorthand == "" {
		return shellQuote(repeat + "--" + f.Name + spec)
	}
	exclude := repeat
	if exclude == "" {
		exclude = "(-" + f.Shorthand + " --" + f.Name + ")"
	}
	return shellQuote(exclude) + "{-" + f.Shorthand + ",--" + f.Name + "}" + shellQuote(spec)
}

func zshArgument(c *command, table []*command) string {
	switch c.argKind {
	case argDir:
		return " \\\n\t\t\t" + shellQuote("1:"+c.args+":_files -/")
	case argPath:
		return " \\\n\t\t\t" + shellQuote("1:"+c.args+":_files")
	case argWord:
		return " \\\n\t\t\t" + shellQuote("1:"+zshEscape(c.args)+":("+strings.Join(c.words(table), " ")+")")
	case argDirWord:
		dir, word, _ := strings.Cut(c.args, " ")
		return " \\\n\t\t\t" + shellQuote("1:"+dir+":_files -/") +
			" \\\n\t\t\t" + shellQuote("2:"+word+":("+strings.Join(c.words(table), " ")+")")
	}
	return ""
}

func zshEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(s)
}

func fishCompletion(table []*command) string {
	var b strings.Builder
	b.WriteString("# fish completion for mlog, made by 'mlog completion fish'\ncomplete -c mlog -f\n")
	for _, c := range table {
		fmt.Fprintf(&b, "complete -c mlog -n __fish_use_subcommand -a %s -d %s\n", c.name, fishQuote(c.summary))
	}
	b.WriteString("complete -c mlog -n __fish_use_subcommand -l version -d 'which build this is'\n" +
		"complete -c mlog -l help -d 'how to use it'\n")
	for _, c := range table {
		when := fishQuote("__fish_seen_subcommand_from " + c.name)
		switch c.argKind {
		case argDir, argDirWord:
			fmt.Fprintf(&b, "complete -c mlog -n %s -a '(__fish_complete_directories)'\n", when)
			if words := strings.Join(c.words(table), " "); words != "" {
				fmt.Fprintf(&b, "complete -c mlog -n %s -a %s\n",
					fishQuote("__fish_seen_subcommand_from "+c.name+"; and not __fish_seen_subcommand_from "+words), fishQuote(words))
			}
		case argPath:
			fmt.Fprintf(&b, "complete -c mlog -n %s -F\n", when)
		case argWord:
			fmt.Fprintf(&b, "complete -c mlog -n %s -a %s\n", when, fishQuote(strings.Join(c.words(table), " ")))
		}
		for _, f := range visibleFlags(c) {
			fmt.Fprintf(&b, "complete -c mlog -n %s %s\n", when, fishFlag(f))
		}
	}
	return b.String()
}

func fishFlag(f *pflag.Flag) string {
	var b strings.Builder
	if f.Shorthand != "" {
		fmt.Fprintf(&b, "-s %s ", f.Shorthand)
	}
	fmt.Fprintf(&b, "-l %s", f.Name)
	switch {
	case f.Annotations[annotateValues] != nil:
		fmt.Fprintf(&b, " -x -a %s", fishQuote(strings.Join(f.Annotations[annotateValues], " ")))
	case f.Annotations[annotatePath] != nil:
		b.WriteString(" -r -F")
	case takesValue(f):
		b.WriteString(" -x")
	}
	fmt.Fprintf(&b, " -d %s", fishQuote(describeFlag(f)))
	return b.String()
}

// shellQuote quotes a word for bash and zsh.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fishQuote quotes a word for fish, where a backslash works within quotes.
func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
