package survey_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/internal/survey"
)

// A want of descriptors is no damage of the settings that could not be opened:
// repair would put others in their place.
func TestWantIsNoDamage(t *testing.T) {
	for _, name := range []string{"meta", "retention"} {
		dir := layout.Dir(t.TempDir())
		if _, err := dir.Create(context.Background(), layout.Settings{SegmentBytes: 1 << 16, Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
			if c.Op == "open" && strings.HasSuffix(c.Path, name) {
				return syscall.EMFILE
			}
			return do()
		})
		report, err := survey.Run(context.Background(), dir, survey.Options{})
		stop()
		if !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}
