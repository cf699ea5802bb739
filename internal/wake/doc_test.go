package wake

import (
	"fmt"
	"testing"

	"github.com/seed27ccf144/mlog/internal/formattest"
	"github.com/seed27ccf144/mlog/internal/layout"
)

// TestDoc compares docs/format.md with the constants.
func TestDoc(t *testing.T) {
	formattest.Mentions(t, fmt.Sprintf("%.0f s", Backstop.Seconds()))
	formattest.Same(t, "wake", formattest.Fields(t, "wake", layout.WakeBytes), map[string]formattest.Field{
		"sequence": {Offset: offSequence, Width: 4},
		"flag":     {Offset: offFlag, Width: 4},
	})
}
