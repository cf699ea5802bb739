package fault_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

const fileBytes = 64 << 10

// mapped returns a mapping of a file, and the file's path.
func mapped(t *testing.T) ([]byte, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, fileBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := mapping.File(f, fileBytes, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m.Bytes(), path
}

// TestCutFile: loads, stores and copies beyond the end of a file that a stranger
// cut are errors. Without the guard this test dies of SIGBUS.
func TestCutFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux is it sure that touching a page beyond the end of a file faults as a signal that Go makes a panic of")
	}
	b, path := mapped(t)
	accesses := map[string]func() error{
		"load":   func() error { _ = b[fileBytes-1]; sink = b[fileBytes-1]; return nil },
		"store":  func() error { b[fileBytes-1] = 1; return nil },
		"copy":   func() error { copy(make([]byte, fileBytes), b); return nil },
		"atomic": func() error { mapping.Uint32(b, fileBytes-4).Add(1); return nil },
	}
	for name, access := range accesses {
		if err := fault.Run(access); err != nil {
			t.Errorf("%s before the cut: %v", name, err)
		}
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	for name, access := range accesses {
		err := fault.Run(access)
		var f *fault.Error
		if !errors.As(err, &f) || f.Addr == 0 {
			t.Errorf("%s after the cut: %v", name, err)
		}
	}
	if err := os.Truncate(path, fileBytes); err != nil {
		t.Fatal(err)
	}
	if err := fault.Run(accesses["load"]); err != nil {
		t.Errorf("after the file got its length back: %v", err)
	}
}

var sink byte

// TestOtherPanicsGoOn: a bug is not a fault.
func TestOtherPanicsGoOn(t *testing.T) {
	bugs := map[string]func() error{
		"index":       func() error { var b []byte; sink = b[len(os.Args)]; return nil },
		"nil pointer": func() error { var p *int; *p = 1; return nil },
		"own panic":   func() error { panic("bug") },
	}
	for name, bug := range bugs {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: swallowed", name)
				}
			}()
			if err := fault.Run(bug); err != nil {
				t.Errorf("%s: became %v", name, err)
			}
		}()
	}
}

func TestErrorsPass(t *testing.T) {
	want := errors.New("mine")
	if err := fault.Run(func() error { return want }); err != want {
		t.Errorf("%v", err)
	}
}

// TestSettingIsRestored: outside of a guard a fault is fatal, as before.
func TestSettingIsRestored(t *testing.T) {
	for _, was := range []bool{false, true} {
		debug.SetPanicOnFault(was)
		fault.Run(func() error { return fault.Run(func() error { return nil }) })
		if is := debug.SetPanicOnFault(false); is != was {
			t.Errorf("the setting was %v and came back as %v", was, is)
		}
	}
}
