//go:build unix

package storm

import (
	"fmt"
	"strings"
)

// verdict tells of a violation. What matters comes last: who runs many packages'
// tests may be shown the end only of what a failing one said.
func verdict(l *life, y *tally, place string, violation error) string {
	text := violation.Error()
	all := ""
	if short := inOneLine(text); short != strings.TrimSpace(text) {
		all, text = text+"\n", short
	}
	return fmt.Sprintf("%sthe log and the reports are in %s\n%v\nseed %d, %v: violations=1: %s", all, place, y, *seed, l, strings.TrimSpace(text))
}

// crashes are how the line begins that says why a program of Go came to a sudden end. The
// stacks of its goroutines follow.
var crashes = []string{"panic: ", "fatal error: ", "unexpected fault address ", "SIGQUIT: ", "WARNING: DATA RACE"}

// inOneLine is what a process said as one line. Of one that crashed it is what was
// said of that at first.
func inOneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, crash := range crashes {
			// The first line begins with whose words follow.
			if strings.HasPrefix(line, crash) || len(lines) == 0 && strings.Contains(line, crash) {
				return strings.Join(append(lines, line), "; ")
			}
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
