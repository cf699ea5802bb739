package group

import (
	"testing"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

// TestDoc compares docs/format.md with the constants.
func TestDoc(t *testing.T) {
	formattest.Mentions(t, magic)
	formattest.Same(t, "group", formattest.Fields(t, "group", fileBytes), map[string]formattest.Field{
		"magic":    {Offset: 0, Width: len(magic)},
		"version":  {Offset: offVersion, Width: 4},
		"log id":   {Offset: offLogID, Width: 16},
		"checksum": {Offset: offSum, Width: 8},
		"place 0":  {Offset: int(place{sequence: 2}.position()), Width: placeBytes},
		"place 1":  {Offset: int(place{sequence: 1}.position()), Width: placeBytes},
	})
	formattest.Same(t, "group place", formattest.Fields(t, "group place", placeBytes), map[string]formattest.Field{
		"sequence": {Offset: 0, Width: 8},
		"offset":   {Offset: 8, Width: 8},
		"checksum": {Offset: 16, Width: 8},
	})
}
