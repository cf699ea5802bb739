package segment

import (
	"testing"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

// TestDoc compares docs/format.md with the constants.
func TestDoc(t *testing.T) {
	formattest.Mentions(t, magic)
	formattest.Same(t, "segment header", formattest.Fields(t, "segment header", HeaderBytes), map[string]formattest.Field{
		"magic":        {Offset: 0, Width: len(magic)},
		"version":      {Offset: offVersion, Width: 4},
		"header bytes": {Offset: offHeader, Width: 4},
		"log id":       {Offset: offLogID, Width: 16},
		"base offset":  {Offset: offBase, Width: 8},
		"epoch":        {Offset: offEpoch, Width: 8},
		"size":         {Offset: offSize, Width: 8},
		"floor":        {Offset: offFloor, Width: 8},
		"origin":       {Offset: offOrigin, Width: 4},
		"checksum":     {Offset: offSum, Width: 8},
		"tail":         {Offset: offTail, Width: 8},
		"last time":    {Offset: offLast, Width: 8},
		"durable mark": {Offset: offDurable, Width: 8},
		"successor":    {Offset: offSuccessor, Width: 8},
		"copy":         {Offset: offCopy, Width: endOfFixed},
	})
	// The positions in a batch's header have no names in the code: it is short,
	// and the golden files hold it.
	formattest.Same(t, "batch", formattest.Fields(t, "batch", FrameBytes), map[string]formattest.Field{
		"length":      {Offset: 0, Width: 4},
		"attributes":  {Offset: 4, Width: 1},
		"count":       {Offset: 5, Width: 3},
		"base offset": {Offset: 8, Width: 8},
		"append time": {Offset: 16, Width: 8},
		"checksum":    {Offset: 24, Width: 8},
	})
	formattest.Same(t, "segment", formattest.Numbers(t, "segment"), map[string]int64{
		"header bytes":     HeaderBytes,
		"least bytes":      MinBytes,
		"most bytes":       MaxBytes,
		"frame bytes":      FrameBytes,
		"alignment":        frameAlign,
		"end marker bytes": EndMarkerBytes,
		"most records":     MaxRecords,
		"most headers":     MaxHeaders,
		"highest offset":   maxOffset,
	})
	formattest.Same(t, "origins", formattest.Numbers(t, "origins"), map[string]int64{
		"made":     int64(Made),
		"prepared": int64(Prepared),
		"recycled": int64(Recycled),
	})
	formattest.Same(t, "cursor", formattest.Numbers(t, "cursor"), map[string]int64{
		"position bits": cursorPositionBits,
		"position unit": frameAlign,
	})
	formattest.Same(t, "attributes", formattest.Numbers(t, "attributes"), map[string]int64{
		"keys":    attrKeys,
		"headers": attrHeaders,
		"lost":    attrLost,
		"end":     attrEnd,
	})
	if attrKnown != attrKeys|attrHeaders|attrLost|attrEnd || Version != 1 {
		t.Error("there are attributes or versions that docs/format.md does not know")
	}
}
