package layout

import (
	"testing"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

// TestDoc compares docs/format.md with the constants.
func TestDoc(t *testing.T) {
	for _, name := range []string{
		metaMagic, retentionMagic, metaName, retentionName, controlName, wakeName, producersName + "/", groupsName + "/",
		cutName + "/", spareName, unfinishedName, "00000000000000000000" + segmentSuffix, "00000000000000000000" + indexSuffix,
		"NAME" + groupLockSuffix, "spare~tmp-", "control.aside", "control.failed",
	} {
		formattest.Mentions(t, name)
	}
	formattest.Same(t, "meta", formattest.Fields(t, "meta", metaBytes), map[string]formattest.Field{
		"magic":                {Offset: 0, Width: len(metaMagic)},
		"version":              {Offset: metaOffVersion, Width: 4},
		"compatible":           {Offset: metaOffCompat, Width: 8},
		"read-only compatible": {Offset: metaOffROCompat, Width: 8},
		"incompatible":         {Offset: metaOffIncompat, Width: 8},
		"log id":               {Offset: metaOffLogID, Width: 16},
		"segment bytes":        {Offset: metaOffSegment, Width: 8},
		"created":              {Offset: metaOffCreated, Width: 8},
		"mode":                 {Offset: metaOffMode, Width: 4},
		"checksum":             {Offset: metaOffSum, Width: 8},
	})
	formattest.Same(t, "retention", formattest.Fields(t, "retention", retentionBytes), map[string]formattest.Field{
		"magic":    {Offset: 0, Width: len(retentionMagic)},
		"version":  {Offset: retentionOffVersion, Width: 4},
		"log id":   {Offset: retentionOffLogID, Width: 16},
		"bytes":    {Offset: retentionOffMaxBytes, Width: 8},
		"age":      {Offset: retentionOffMaxAge, Width: 8},
		"checksum": {Offset: retentionOffSum, Width: 8},
	})
	formattest.Same(t, "compatible features", formattest.Numbers(t, "compatible features"), map[string]int64{
		"header copies": FeatureHeaderCopies,
		"origins":       FeatureOrigins,
	})
	formattest.Same(t, "incompatible features", formattest.Numbers(t, "incompatible features"), map[string]int64{
		"lost batches": FeatureLostBatches,
		"recycling":    FeatureRecycling,
	})
	if knownCompat != FeatureHeaderCopies|FeatureOrigins || knownROCompat != 0 || knownIncompat != FeatureLostBatches|FeatureRecycling || metaVersion != 1 || retentionVersion != 1 {
		t.Error("there are feature bits or versions that docs/format.md does not know")
	}
}
