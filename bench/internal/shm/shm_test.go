package shm

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Now must be the kernel's own clock: processes compare their readings.
func TestNowIsTheHostsMonotonicClock(t *testing.T) {
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
		t.Fatal(err)
	}
	now := Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &after); err != nil {
		t.Fatal(err)
	}
	if now < before.Nano() || now > after.Nano() {
		t.Errorf("Now() = %d, not from %d to %d", now, before.Nano(), after.Nano())
	}
}

func TestTwoMappingsOfOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shared")
	a, err := Create(path, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(a)
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(b)
	c, err := OpenPresent(path)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(c)

	woken := make(chan bool)
	go func() {
		for Uint32(b, 64).Load() == 0 {
			Wait(Uint32(b, 64), 0)
		}
		woken <- Uint64(b, 128).Load() == 7
	}()
	Uint64(a, 128).Store(7)
	Uint32(a, 64).Store(1)
	Wake(Uint32(a, 64))
	if !<-woken {
		t.Error("the sleeper does not see what was stored before it was woken")
	}
	if Uint64(c, 128).Load() != 7 {
		t.Error("the third mapping shows something else")
	}
}

// What Grow maps is what it has added, and what was there before stays.
func TestGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for i := range 3 {
		b, err := Grow(path, 5000)
		if err != nil {
			t.Fatal(err)
		}
		for k := range b {
			if b[k] != 0 {
				t.Fatalf("piece %d is not new at %d", i, k)
			}
			b[k] = byte(i + 1)
		}
		if err := Close(b); err != nil {
			t.Fatal(err)
		}
	}
	all, err := OpenPresent(path)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(all)
	for i, c := range all {
		if want := byte(3*i/len(all) + 1); c != want {
			t.Fatalf("byte %d of %d is %d, want %d", i, len(all), c, want)
		}
	}
}
