package control

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/bootid"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/formattest"
)

var (
	testID   = [16]byte{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f}
	testBoot = bootid.ID{0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f}
)

func newControl(t testing.TB) (*Control, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control")
	if err := Create(path, testID, 0o600, State{Active: 1000, Durable: 1234}); err != nil {
		t.Fatal(err)
	}
	return open(t, path), path
}

func open(t testing.TB, path string) *Control {
	t.Helper()
	c, err := Open(path, testID, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestGoldenControl: the identity of a file that is given, and each word where
// it belongs. The words after the identity come from a real file, in which each
// one got another value.
func TestGoldenControl(t *testing.T) {
	c, path := newControl(t)
	c.Lock.word.Store(contended | 7)
	c.SyncLock.word.Store(unclean | 8)
	c.SyncFrom.Store(1001)
	c.Named.Store(1002)
	c.Poison.Store(uint32(syscall.EIO))
	c.Takeovers.Store(3)
	c.Rolls.Store(4)
	c.Syncs.Store(5)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	id := identity{boot: testBoot, logID: testID, dev: 0x0123456789abcdef, ino: 0xfedcba9876543210}
	copy(b, id.encode())
	golden := formattest.Golden(t, "control", b[:offSyncs+8])

	word32 := func(off int) uint64 { return uint64(binary.LittleEndian.Uint32(golden[off:])) }
	word64 := func(off int) uint64 { return binary.LittleEndian.Uint64(golden[off:]) }
	for off, want := range map[int]uint64{
		offLock: 1<<31 | 7, offSyncLock: 1<<30 | 8, offPoison: 5,
	} {
		if got := word32(off); got != want {
			t.Errorf("32-bit word at %d is %#x, want %#x", off, got, want)
		}
	}
	for off, want := range map[int]uint64{
		offDev: id.dev, offIno: id.ino, offSum: xxhash.Sum64(golden[:offSum]), offActive: 1000, offDurable: 1234,
		offSyncFrom: 1001, offNamed: 1002, offTakeovers: 3, offRolls: 4, offSyncs: 5,
	} {
		if got := word64(off); got != want {
			t.Errorf("64-bit word at %d is %#x, want %#x", off, got, want)
		}
	}
}

func TestCreateSetsTheState(t *testing.T) {
	c, path := newControl(t)
	for name, w := range map[string][2]uint64{
		"active":    {c.Active.Load(), 1000},
		"durable":   {c.Durable.Load(), 1234},
		"sync from": {c.SyncFrom.Load(), 1000},
		"named":     {c.Named.Load(), 1001},
		"takeovers": {c.Takeovers.Load(), 0},
		"lock":      {uint64(c.Lock.Owner()), 0},
		"sync lock": {uint64(c.SyncLock.Owner()), 0},
	} {
		if w[0] != w[1] {
			t.Errorf("%s is %d, want %d", name, w[0], w[1])
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() != Bytes || fi.Mode() != 0o600 {
		t.Errorf("file is %v, %v", fi, err)
	}
	c.Active.Store(5000) // both mappings are of one file
	if base, err := open(t, path).ActiveBase(); base != 5000 || err != nil {
		t.Errorf("active base %d, %v through another mapping", base, err)
	}
	if offset, err := c.DurableOffset(); offset != 1234 || err != nil {
		t.Errorf("durable offset %d, %v", offset, err)
	}
}

// TestStale: only the very file that was created in this boot, for this log, is
// valid.
func TestStale(t *testing.T) {
	mend := func(b []byte) []byte {
		binary.LittleEndian.PutUint64(b[offSum:], xxhash.Sum64(b[:offSum]))
		return b
	}
	cases := map[string]func(b []byte) []byte{
		"another boot":  func(b []byte) []byte { b[offBoot]++; return mend(b) },
		"another log":   func(b []byte) []byte { b[offLogID]++; return mend(b) },
		"another dev":   func(b []byte) []byte { b[offDev]++; return mend(b) },
		"another inode": func(b []byte) []byte { b[offIno]++; return mend(b) },
		"foreign magic": func(b []byte) []byte { b[0]++; return mend(b) },
		"checksum":      func(b []byte) []byte { b[offSum]++; return b },
		"later version, other boot": func(b []byte) []byte {
			b[offVersion]++
			b[offBoot]++
			return mend(b)
		},
		"cut":    func(b []byte) []byte { return b[:Bytes-1] },
		"empty":  func(b []byte) []byte { return nil },
		"longer": func(b []byte) []byte { return append(b, 0) },
	}
	for name, change := range cases {
		_, path := newControl(t)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o600); err != nil { // the same inode
			t.Fatal(err)
		}
		if _, err := Open(path, testID, true); !errors.Is(err, ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACopyIsStale(t *testing.T) {
	_, path := newControl(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".copy", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path+".copy", testID, true); !errors.Is(err, ErrStale) {
		t.Errorf("a copy: %v", err)
	}
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	open(t, path+".moved") // still itself
	if _, err := Open(path, testID, true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestAnotherBuildIsInUse: a later layout of this very boot is no stale file,
// and not to be made anew.
func TestAnotherBuildIsInUse(t *testing.T) {
	if !currentBoot(t).Known() {
		t.Skip("this system has no boot id, so no control file is known to be of this boot")
	}
	_, path := newControl(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[offVersion]++
	binary.LittleEndian.PutUint64(b[offSum:], xxhash.Sum64(b[:offSum])) // else it is this layout, damaged
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, testID, true); err == nil || errors.Is(err, ErrStale) {
		t.Errorf("%v", err)
	}
}

func TestPoison(t *testing.T) {
	c, _ := newControl(t)
	if err := c.CheckPoison(); err != nil {
		t.Error(err)
	}
	c.Poison.Store(uint32(syscall.ENOSPC))
	if err := c.CheckPoison(); !errors.Is(err, ErrSyncFailed) || !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
}

func TestRaiseNeverLowers(t *testing.T) {
	c, _ := newControl(t)
	Raise(c.Durable, 2000)
	Raise(c.Durable, 1999)
	if got := c.Durable.Load(); got != 2000 {
		t.Errorf("durable is %d, want 2000", got)
	}
}

// FuzzControl opens files with arbitrary bytes. With mend the identity is right,
// and whatever the words say, they can be read.
func FuzzControl(f *testing.F) {
	f.Add(formattest.Load(f, "control"), true)
	f.Add(formattest.Load(f, "control"), false)
	path := filepath.Join(f.TempDir(), "control")
	f.Fuzz(func(t *testing.T, in []byte, mend bool) {
		b := in
		if mend {
			b = make([]byte, Bytes)
			copy(b, in)
		}
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if mend {
			id := identity{boot: currentBoot(t), logID: testID}
			if id.dev, id.ino, err = files.Identity(file); err != nil {
				t.Fatal(err)
			}
			copy(b, id.encode())
		}
		if _, err := file.Write(b); err != nil {
			t.Fatal(err)
		}
		c, err := Open(path, testID, true)
		if mend != (err == nil) {
			t.Fatalf("mended %v: %v", mend, err)
		}
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.CheckPoison()
		if slot := c.Lock.Owner(); slot > slotMask {
			t.Fatalf("slot %d", slot)
		}
		ok, _ := c.Lock.Try(1)
		if owner := binary.LittleEndian.Uint32(b[offLock:]) & slotMask; ok != (owner == 0) {
			t.Fatalf("a lock of owner %d was taken: %v", owner, ok)
		}
	})
}

func currentBoot(t testing.TB) bootid.ID {
	t.Helper()
	id, err := bootid.Current()
	if err != nil {
		t.Fatal(err)
	}
	return id
}
