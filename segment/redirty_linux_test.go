//go:build !race

// The race detector makes the stores itself, and a fault in there ends the process.

package segment

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/fault"
)

// Each page of the range is stored to, and none outside of it. Whether it is shows
// with a page that may not be written: a store to it faults.
func TestRedirtyStoresToEachPage(t *testing.T) {
	const page = 4096
	if os.Getpagesize() != page {
		t.Skipf("the machine's pages have %d bytes; this looks at ones of %d", os.Getpagesize(), page)
	}
	for _, r := range []struct{ from, to, first, end int64 }{
		{0, HeaderBytes, 0, 1},
		{HeaderBytes, MinBytes, 1, MinBytes / page},
		{3*page - 8, 6*page + 8, 2, 7},
		{3*page + 8, 6 * page, 3, 6},
		{5*page + 40, 5*page + 48, 5, 6},
	} {
		s := newSegment(t, testHeader, 0)
		put(t, s, start, testTime, value("kept"))
		before := string(s.data)
		for n := range int64(MinBytes / page) {
			bytes := s.data[n*page : (n+1)*page]
			if err := syscall.Mprotect(bytes, syscall.PROT_READ); err != nil {
				t.Skipf("the system does not let a mapping be made read-only: %v", err)
			}
			err := fault.Run(func() error {
				s.Redirty(r.from, r.to)
				return nil
			})
			if err := syscall.Mprotect(bytes, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
				t.Fatal(err)
			}
			var f *fault.Error
			stored := errors.As(err, &f) // the rest can be written
			if want := n >= r.first && n < r.end; stored != want || err != nil && !stored {
				t.Errorf("Redirty(%d, %d) stored to page %d: %t (%v), want %t", r.from, r.to, n, stored, err, want)
			}
		}
		if string(s.data) != before {
			t.Errorf("Redirty(%d, %d) changed what is stored", r.from, r.to)
		}
	}
}
