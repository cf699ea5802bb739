package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/seed27ccf144/mlog/internal/layout"
	mlog "github.com/seed27ccf144/mlog/log"
)

// The exit codes are part of the contract with scripts.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitDamage     = 3 // damage found, by verify, or met, by consume --on-damage stop
	exitOutOfRange = 4 // the offset asked for is not in the log
	exitTimeout    = 5
)

// A usageError is a command line that says nothing we could do.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// errTimeout ends a consumer that waited too long.
var errTimeout = errors.New("time-out")

// exitCode is the one place that knows which failure has which code.
func exitCode(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, mlog.ErrDamaged):
		return exitDamage
	case errors.Is(err, mlog.ErrOutOfRange):
		return exitOutOfRange
	case errors.Is(err, errTimeout):
		return exitTimeout
	}
	return exitFailed
}

// report prints the one line of a failure and returns its exit code.
func report(w io.Writer, command string, err error) int {
	who := "mlog"
	if command != "" {
		who += " " + command
	}
	text := err.Error()
	var usage *usageError
	if errors.As(err, &usage) {
		text += "; see '" + who + " --help'"
	}
	fmt.Fprintf(w, "%s %s\n", newPalette(w).red(who+":"), oneLine(text))
	return exitCode(err)
}

// oneLine makes text safe to be one line on a terminal: file names and bytes
// of records may have anything in them.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteByte(' ')
		case unprintable(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// flagError says what pflag found, in our words: what, and where.
func flagError(err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if unknown.GetSpecifiedShortnames() != "" {
			return usagef("unknown flag -%s", unknown.GetSpecifiedName())
		}
		return usagef("unknown flag --%s", unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		name, _ := pflag.UnquoteUsage(missing.GetFlag())
		return usagef("--%s needs a value: %s", missing.GetFlag().Name, name)
	case errors.As(err, &invalid):
		cause := innermost(invalid.Unwrap()).Error()
		if strings.Contains(cause, strconv.Quote(invalid.GetValue())) {
			return usagef("--%s: %s", invalid.GetFlag().Name, cause)
		}
		return usagef("--%s %q: %s", invalid.GetFlag().Name, invalid.GetValue(), cause)
	}
	return usagef("%v", err)
}

// innermost drops what strconv says about itself: a user did not call
// strconv.ParseInt.
func innermost(err error) error {
	type numError interface{ Unwrap() error }
	if strings.HasPrefix(err.Error(), "strconv.") {
		if inner, ok := err.(numError); ok && inner.Unwrap() != nil {
			return inner.Unwrap()
		}
	}
	return err
}

// newerAdvice is what helps with a log of a later format.
const newerAdvice = "use a newer mlog"

// produceError is openError for the command that creates the log.
func produceError(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if text := whyNotCreated(dir); text != "" {
			return fmt.Errorf("%s%w", text, silent{err})
		}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EFBIG):
		if _, serr := os.Stat(layout.Dir(dir).Meta()); errors.Is(serr, fs.ErrNotExist) {
			return fmt.Errorf("%w; a new log takes less with --segment-bytes, from 64KiB on", err)
		}
	}
	return openError(dir, err)
}

// whyNotCreated says what is missing for a log to be made at dir, or "".
func whyNotCreated(dir string) string {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if target, err := os.Readlink(filepath.Clean(dir)); err == nil {
		return fmt.Sprintf("%s is a symbolic link to %s, which does not exist; make that directory first", dir, target)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("cannot create a log at %s: the parent directory %s does not exist; make it first", dir, parent)
	}
	return ""
}

// openError adds to a failed Open what the user can do about it.
func openError(dir string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, serr := os.Stat(dir); errors.Is(serr, fs.ErrNotExist) {
			return fmt.Errorf("there is no log at %s; 'mlog produce %s' creates one%w", dir, dir, silent{err})
		}
	case errors.Is(err, mlog.ErrNotLog):
		hint = "name a directory that 'mlog produce' made, or for produce a new or empty one"
	case errors.Is(err, fs.ErrPermission):
		hint = "the mode that a log is created with says who may use it, see 'mlog produce --help'"
	case errors.Is(err, mlog.ErrIncompatible) && !strings.Contains(err.Error(), newerAdvice):
		hint = newerAdvice
	case errors.Is(err, mlog.ErrNetworkFilesystem):
		hint = "put the log on a local disk"
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}

// stopped reports that err is only the way a cancelled context comes back.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, ctx.Err()))
}

// silent carries an error for errors.Is without repeating its text.
type silent struct{ error }

func (s silent) Error() string { return "" }
func (s silent) Unwrap() error { return s.error }
