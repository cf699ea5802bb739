package fault_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/fault"
)

// TestFileIsNamed: who gets the error is told which file it was, of all that are
// mapped.
func TestFileIsNamed(t *testing.T) {
	mapped(t)
	b, path := mapped(t)
	mapped(t)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	err := fault.Run(func() error { sink = b[0]; return nil })
	var f *fault.Error
	if !errors.As(err, &f) || f.File != path || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, of %q; want %q", err, f.File, path)
	}
}
