package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

var testSettings = Settings{SegmentBytes: 1 << 16, Retention: testRetention, Mode: 0o640}

// TestMain makes the test binary a creator of logs when a test asks for it.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LAYOUT_TEST_CREATE"); dir != "" {
		meta, err := Dir(dir).Create(context.Background(), testSettings)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Printf("%x", meta.LogID)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// tree returns the names and modes of everything below path.
func tree(t *testing.T, path string) map[string]fs.FileMode {
	t.Helper()
	found := make(map[string]fs.FileMode)
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(path, p)
		found[filepath.ToSlash(name)] = fi.Mode()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func create(t *testing.T, d Dir) Meta {
	t.Helper()
	m, err := d.Create(context.Background(), testSettings)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCreate(t *testing.T) {
	setgid := fs.ModeSetgid
	if runtime.GOOS == "windows" {
		setgid = 0
	}
	for name, prepare := range map[string]func(path string) (mode fs.FileMode, err error){
		"missing directory": func(string) (fs.FileMode, error) { return setgid | 0o750, nil },
		"empty directory":   func(path string) (fs.FileMode, error) { return 0o750, os.Mkdir(path, 0o750) },
	} {
		t.Run(name, func(t *testing.T) {
			d := Dir(filepath.Join(t.TempDir(), "log"))
			mode, err := prepare(string(d))
			if err != nil {
				t.Fatal(err)
			}
			m := create(t, d)
			if m.SegmentBytes != testSettings.SegmentBytes || m.Mode != testSettings.Mode || m.LogID == [16]byte{} {
				t.Errorf("meta is %+v", m)
			}
			want := map[string]fs.FileMode{
				".": fs.ModeDir | mode, "groups": fs.ModeDir | setgid | 0o770, "producers": fs.ModeDir | 0o700,
				"meta": 0o640, "retention": 0o640, "wake": 0o660, "spare": 0o640, "producers/open": 0o640,
			}
			got := tree(t, string(d))
			for name, mode := range want {
				if got[name] != mode {
					t.Errorf("%s has mode %v, want %v", name, got[name], mode)
				}
			}
			if len(got) != len(want) {
				t.Errorf("files %v, want %v", got, want)
			}
			if r, err := d.ReadRetention(m.LogID); r != testRetention || err != nil {
				t.Errorf("retention is %+v, %v", r, err)
			}
			if again := create(t, d); again.LogID != m.LogID {
				t.Error("a second creation made another log")
			}
		})
	}
}

// TestCreateRefusesStrangers: what is no log and not empty is left as it is.
func TestCreateRefusesStrangers(t *testing.T) {
	cases := map[string]func(path string) error{
		"a file": func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		"foreign file": func(path string) error {
			return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "thesis.txt"), []byte("x"), 0o600))
		},
		"foreign meta": func(path string) error {
			return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "meta"), []byte("author: me\n"), 0o600))
		},
		"empty meta": func(path string) error {
			return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "meta"), nil, 0o600))
		},
		"segments without meta": func(path string) error {
			return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, SegmentName(0)), nil, 0o600))
		},
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			before := tree(t, path)
			if _, err := Dir(path).Create(context.Background(), testSettings); !errors.Is(err, ErrNotLog) {
				t.Errorf("%v, want ErrNotLog", err)
			}
			if after := tree(t, path); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("the directory changed from %v to %v", before, after)
			}
		})
	}
}

func TestReadMetaOfNothing(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "log"))
	if _, err := d.ReadMeta(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if err := os.Mkdir(string(d), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReadMeta(); !errors.Is(err, ErrNotLog) {
		t.Errorf("empty directory: %v", err)
	}
	if err := os.Symlink("/etc/hostname", d.Meta()); err != nil {
		t.Skipf("symbolic links cannot be made here: %v", err)
	}
	if _, err := d.ReadMeta(); err == nil {
		t.Error("a symbolic link was followed")
	}
}

// TestCreateIsFinishedByTheNext cuts a creation short after each of its steps.
func TestCreateIsFinishedByTheNext(t *testing.T) {
	modes := ModesFor(testSettings.Mode)
	temp := func(path string) func(Dir) error { // a Replace that died before its rename
		return func(d Dir) error {
			return os.WriteFile(filepath.Join(string(d), path+"~tmp-123"), []byte("half"), 0o600)
		}
	}
	lost := Meta{LogID: testID, Mode: testSettings.Mode}
	steps := []struct {
		name string
		do   func(Dir) error
	}{
		{"directory", func(d Dir) error { return os.Mkdir(string(d), modes.Dir) }},
		{"producers", func(d Dir) error { return os.Mkdir(d.Producers(), modes.Locks) }},
		{"open lock", func(d Dir) error { return os.WriteFile(d.OpenLock(), nil, modes.Data) }},
		{"groups", func(d Dir) error { return os.Mkdir(d.Groups(), modes.Groups) }},
		{"half a retention", temp(retentionName)},
		{"retention", func(d Dir) error { return d.WriteRetention(&lost, Retention{Bytes: 7}) }},
		{"half a wake", temp(wakeName)},
		{"wake", func(d Dir) error { return d.CreateWake(testSettings.Mode) }},
		{"half a meta", temp(metaName)},
	}
	for n := range steps {
		t.Run("after "+steps[n].name, func(t *testing.T) {
			d := Dir(filepath.Join(t.TempDir(), "log"))
			for _, step := range steps[:n+1] {
				if err := step.do(d); err != nil {
					t.Fatal(err)
				}
			}
			m := create(t, d)
			if r, err := d.ReadRetention(m.LogID); r != testRetention || err != nil {
				t.Errorf("retention is %+v, %v: not that of the log that was made", r, err)
			}
			if back, err := d.ReadMeta(); back.LogID != m.LogID || err != nil {
				t.Errorf("meta is %+v, %v", back, err)
			}
		})
	}
}

// TestRacingCreators: however many processes and goroutines create a log at
// once, they get one and the same.
func TestRacingCreators(t *testing.T) {
	for range 3 {
		d := Dir(filepath.Join(t.TempDir(), "log"))
		const goroutines, processes = 8, 3
		ids := make([]string, goroutines+processes)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				if i < processes {
					child := exec.Command(os.Args[0])
					child.Env = append(os.Environ(), "LAYOUT_TEST_CREATE="+string(d), "GORACE=atexit_sleep_ms=0")
					out, err := child.CombinedOutput()
					if ids[i] = string(out); err != nil {
						t.Error(err)
					}
					return
				}
				m, err := d.Create(context.Background(), testSettings)
				if ids[i] = fmt.Sprintf("%x", m.LogID); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		m, err := d.ReadMeta()
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if id != fmt.Sprintf("%x", m.LogID) {
				t.Errorf("creator %d got %s, the log is %x", i, strings.TrimSpace(id), m.LogID)
			}
		}
	}
}
