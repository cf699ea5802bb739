package peer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const script = `#!/bin/sh
case "$2" in
good) echo "building"; echo '{"peer":"good","version":"1","rate":1000,"latency_ns":{"count":9,"p50":5,"p9999":7},"args":"'"$*"'"}' ;;
absent) echo '{"peer":"absent","skipped":"no network"}' ;;
none) echo '{"peer":"none","inapplicable":"it keeps nothing"}' ;;
broken) echo "first" >&2; echo "it fell over" >&2; exit 1 ;;
esac
`

func TestBench(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "some")
	list := `[{"name":"good","title":"Good"},{"name":"absent"},{"name":"none"},{"name":"broken"}]`
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "peers.json"), list, 0o600)
	write(t, filepath.Join(folder, "run"), script, 0o700)

	for name, want := range map[string]string{"good": "", "absent": "no network", "none": "keeps nothing", "broken": "it fell over"} {
		p, err := Find(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Bench(t.Context(), t.TempDir(), "-work", "append")
		if want == "" {
			if err != nil || r.Rate != 1000 || r.Latency == nil || r.Latency.P50 != 5 || r.Latency.P9999 != 7 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error about %q", name, err, want)
		}
	}
	if _, err := Find(dir, "unknown"); err == nil {
		t.Error("a peer that is not there was found")
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
