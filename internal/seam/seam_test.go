package seam

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWatchSeesItsDirectoryOnly(t *testing.T) {
	dir := t.TempDir()
	var seen []string
	stop := Watch(dir, func(c Call, do func() error) error {
		seen = append(seen, c.Op+" "+filepath.Base(c.Path))
		return do()
	})
	defer stop()
	made := 0
	call := func(op, path string) {
		if err := Do(op, path, func() error { made++; return nil }); err != nil {
			t.Error(err)
		}
	}
	call("open", filepath.Join(dir, "a"))
	call("open", dir+"-another")
	call("fsync", dir)
	call("futex", "")
	f, err := os.Create(filepath.Join(dir, "b"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := DoFile("fdatasync", f, f.Sync); err != nil {
		t.Error(err)
	}
	if want := []string{"open a", "fsync " + filepath.Base(dir), "futex .", "fdatasync b"}; !slices.Equal(seen, want) || made != 4 {
		t.Errorf("saw %q and made %d calls; want %q and 4", seen, made, want)
	}
}

// What a hook returns is what the caller gets, and a hook need not make the call.
// When the watch has ended, nothing comes between.
func TestHookStandsInForTheCall(t *testing.T) {
	full := errors.New("full")
	outer := Watch(t.TempDir(), func(_ Call, do func() error) error { t.Error("a foreign hook was called"); return do() })
	defer outer()
	dir := t.TempDir()
	inner := Watch(dir, func(Call, func() error) error { return full })
	made := false
	do := func() error { made = true; return nil }
	if err := Do("write", filepath.Join(dir, "x"), do); err != full || made || !Watched() {
		t.Errorf("error %v, made %t, watched %t", err, made, Watched())
	}
	inner()
	if err := Do("write", filepath.Join(dir, "x"), do); err != nil || !made {
		t.Errorf("after the watch: error %v, made %t", err, made)
	}
}
