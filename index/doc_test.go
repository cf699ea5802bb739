package index

import (
	"testing"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

// TestDoc compares docs/format.md with the constants.
func TestDoc(t *testing.T) {
	formattest.Mentions(t, magic)
	formattest.Same(t, "index header", formattest.Fields(t, "index header", HeaderBytes), map[string]formattest.Field{
		"magic":         {Offset: 0, Width: len(magic)},
		"version":       {Offset: offVersion, Width: 4},
		"shift":         {Offset: offShift, Width: 4},
		"base offset":   {Offset: offBase, Width: 8},
		"epoch":         {Offset: offEpoch, Width: 8},
		"segment bytes": {Offset: offSegment, Width: 8},
		"checksum":      {Offset: offSum, Width: 8},
	})
	formattest.Same(t, "index entry", formattest.Fields(t, "index entry", EntryBytes), map[string]formattest.Field{
		"time":  {Offset: 0, Width: 8},
		"place": {Offset: 8, Width: 8},
	})
	formattest.Same(t, "index", formattest.Numbers(t, "index"), map[string]int64{
		"header bytes":  HeaderBytes,
		"entry bytes":   EntryBytes,
		"least shift":   minShift,
		"most entries":  maxEntries,
		"position bits": positionBits,
		"position unit": positionUnit,
	})
}
