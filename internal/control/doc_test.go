package control

import (
	"testing"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

// TestDoc compares docs/format.md with the constants.
func TestDoc(t *testing.T) {
	formattest.Mentions(t, magic)
	formattest.Same(t, "control", formattest.Fields(t, "control", Bytes), map[string]formattest.Field{
		"magic":     {Offset: 0, Width: len(magic)},
		"version":   {Offset: offVersion, Width: 4},
		"boot id":   {Offset: offBoot, Width: 16},
		"log id":    {Offset: offLogID, Width: 16},
		"device":    {Offset: offDev, Width: 8},
		"inode":     {Offset: offIno, Width: 8},
		"checksum":  {Offset: offSum, Width: 8},
		"lock":      {Offset: offLock, Width: 4},
		"active":    {Offset: offActive, Width: 8},
		"sync lock": {Offset: offSyncLock, Width: 4},
		"durable":   {Offset: offDurable, Width: 8},
		"sync from": {Offset: offSyncFrom, Width: 8},
		"named":     {Offset: offNamed, Width: 8},
		"poison":    {Offset: offPoison, Width: 4},
		"takeovers": {Offset: offTakeovers, Width: 8},
		"rolls":     {Offset: offRolls, Width: 8},
		"syncs":     {Offset: offSyncs, Width: 8},
	})
	formattest.Same(t, "lock", formattest.Numbers(t, "lock"), map[string]int64{
		"slot":       slotMask,
		"unclean":    unclean,
		"contended":  contended,
		"most slots": MaxSlots,
	})
}
