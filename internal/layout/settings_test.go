package layout

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

var testID = [16]byte{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f}

// testMeta has a value in each field. Its features are such as every build may
// read.
var testMeta = Meta{
	LogID:        testID,
	SegmentBytes: 1 << 20,
	Created:      time.Unix(0, 1_700_000_000_000_000_000),
	Mode:         0o640,
	Compat:       0x8000000000000001,
	ROCompat:     0x0000000100000002,
}

var testRetention = Retention{Bytes: 1 << 30, Age: 7 * 24 * time.Hour}

// TestGoldenMeta: logs of every build up to this one, by what their features say.
func TestGoldenMeta(t *testing.T) {
	origins, recycling := testMeta, testMeta
	origins.Compat, origins.ROCompat = FeatureHeaderCopies|FeatureOrigins, 0
	recycling.Compat, recycling.ROCompat, recycling.Incompat = newCompat, 0, newIncompat
	for name, test := range map[string]struct {
		meta                 Meta
		hasOrigins, recycles bool
	}{
		"meta":           {testMeta, false, false},
		"meta-origins":   {origins, true, false}, // of builds that recycled without saying so to those before
		"meta-recycling": {recycling, true, true},
	} {
		golden := formattest.Golden(t, name, test.meta.Encode())
		m, err := DecodeMeta(golden)
		if m != test.meta || err != nil {
			t.Errorf("%s is %+v, %v; want %+v", name, m, err, test.meta)
		}
		if m.HasOrigins() != test.hasOrigins || m.Recycles() != test.recycles {
			t.Errorf("%s: origins %t, recycling %t", name, m.HasOrigins(), m.Recycles())
		}
	}
}

func TestGoldenRetention(t *testing.T) {
	golden := formattest.Golden(t, "retention", testRetention.Encode(testID))
	r, err := DecodeRetention(golden, testID)
	if r != testRetention || err != nil {
		t.Errorf("retention is %+v, %v; want %+v", r, err, testRetention)
	}
}

// TestFeatureBits: an unknown bit means what its class says.
func TestFeatureBits(t *testing.T) {
	cases := map[string]struct {
		meta               Meta
		readable, writable bool
	}{
		"none":                       {Meta{}, true, true},
		"compatible":                 {Meta{Compat: math.MaxUint64}, true, true},
		"read-only compatible":       {Meta{ROCompat: 1}, true, false},
		"read-only compatible, last": {Meta{ROCompat: 1 << 63}, true, false},
		"lost batches":               {Meta{Incompat: FeatureLostBatches}, true, true},
		"recycling":                  {Meta{Compat: FeatureOrigins, Incompat: FeatureRecycling}, true, true},
		"incompatible":               {Meta{Incompat: 4}, false, false},
		"known and unknown":          {Meta{Incompat: FeatureLostBatches | FeatureRecycling | 4}, false, false},
		"incompatible, last":         {Meta{Incompat: 1 << 63}, false, false},
	}
	for name, c := range cases {
		m, err := DecodeMeta(c.meta.Encode())
		if (err == nil) != c.readable || err != nil && !errors.Is(err, ErrIncompatible) {
			t.Errorf("%s: read: %v", name, err)
		}
		if err != nil {
			continue
		}
		if err := m.Writable(); (err == nil) != c.writable || err != nil && !errors.Is(err, ErrIncompatible) {
			t.Errorf("%s: write: %v", name, err)
		}
	}
}

// change returns the bytes with one 32-bit word set, and the checksum mended.
func change(b []byte, sumAt, off int, word uint32) []byte {
	binary.LittleEndian.PutUint32(b[off:], word)
	binary.LittleEndian.PutUint64(b[sumAt:], xxhash.Sum64(b[:sumAt]))
	return b
}

func TestMetaIsRefused(t *testing.T) {
	good := testMeta.Encode
	cases := map[string]struct {
		bytes []byte
		is    error // nil: none of those that say what to do
	}{
		"empty":         {nil, ErrNotLog},
		"foreign":       {[]byte("#!/bin/sh\necho hello\n"), ErrNotLog},
		"cut":           {good()[:metaBytes-1], nil},
		"cut to magic":  {good()[:len(metaMagic)], ErrNotLog},
		"longer":        {append(good(), 0), nil},
		"later version": {change(good(), metaOffSum, metaOffVersion, metaVersion+1), ErrIncompatible},
		// The version comes first: a later format may have another length and
		// another checksum.
		"later and longer": {append(change(good(), metaOffSum, metaOffVersion, 9), 1, 2, 3), ErrIncompatible},
		"checksum":         {append(good()[:metaBytes-1], 0), nil},
	}
	for name, c := range cases {
		_, err := DecodeMeta(c.bytes)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		for _, target := range []error{ErrNotLog, ErrIncompatible} {
			if errors.Is(err, target) != (target == c.is) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestRetentionIsRefused(t *testing.T) {
	good := func() []byte { return testRetention.Encode(testID) }
	cases := map[string][]byte{
		"empty":          nil,
		"cut":            good()[:retentionBytes-1],
		"longer":         append(good(), 0),
		"foreign":        change(good(), retentionOffSum, 0, 0),
		"later version":  change(good(), retentionOffSum, retentionOffVersion, retentionVersion+1),
		"later, longer":  append(change(good(), retentionOffSum, retentionOffVersion, 9), 1),
		"another log":    change(good(), retentionOffSum, retentionOffLogID, 0),
		"negative bytes": change(good(), retentionOffSum, retentionOffMaxBytes+4, 1<<31),
		"negative age":   change(good(), retentionOffSum, retentionOffMaxAge+4, 1<<31),
	}
	for name, b := range cases {
		if r, err := DecodeRetention(b, testID); err == nil {
			t.Errorf("%s: accepted as %+v", name, r)
		} else if errors.Is(err, ErrIncompatible) != strings.HasPrefix(name, "later") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryFlippedBitIsDetected(t *testing.T) {
	decoders := map[string]struct {
		bytes  []byte
		decode func([]byte) error
	}{
		"meta":      {testMeta.Encode(), func(b []byte) error { _, err := DecodeMeta(b); return err }},
		"retention": {testRetention.Encode(testID), func(b []byte) error { _, err := DecodeRetention(b, testID); return err }},
	}
	for name, d := range decoders {
		for i := range 8 * len(d.bytes) {
			d.bytes[i/8] ^= 1 << (i % 8)
			if d.decode(d.bytes) == nil {
				t.Errorf("%s: bit %d of byte %d flipped: accepted", name, i%8, i/8)
			}
			d.bytes[i/8] ^= 1 << (i % 8)
		}
		if err := d.decode(d.bytes); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRetentionFile(t *testing.T) {
	d := Dir(t.TempDir())
	if r, err := d.ReadRetention(testID); r != (Retention{}) || err != nil {
		t.Errorf("without a file: %+v, %v", r, err)
	}
	for _, want := range []Retention{testRetention, {Bytes: 1}, {Age: 1}, {}} {
		if err := d.WriteRetention(&testMeta, want); err != nil {
			t.Fatal(err)
		}
		if r, err := d.ReadRetention(testID); r != want || err != nil {
			t.Errorf("%+v became %+v, %v", want, r, err)
		}
	}
	if err := d.WriteRetention(&testMeta, Retention{Bytes: -1}); err == nil {
		t.Error("a negative limit was stored")
	}
	if _, err := d.ReadRetention([16]byte{}); err == nil {
		t.Error("the file of another log was accepted")
	}
}

// TestHugeSettingsFile: a file that a stranger made very long is read no further
// than a settings file can be.
func TestHugeSettingsFile(t *testing.T) {
	d := Dir(t.TempDir())
	if err := os.WriteFile(d.Meta(), testMeta.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.Meta(), 1<<40); err != nil {
		t.Skip("no sparse files of 1 TiB here:", err)
	}
	if _, err := d.ReadMeta(); err == nil {
		t.Error("a meta file of 1 TiB was accepted")
	}
}

func FuzzMeta(f *testing.F) {
	f.Add(formattest.Load(f, "meta"), true)
	f.Add((&Meta{ROCompat: 1}).Encode(), false)
	f.Fuzz(func(t *testing.T, in []byte, mend bool) {
		if mend && len(in) == metaBytes {
			binary.LittleEndian.PutUint64(in[metaOffSum:], xxhash.Sum64(in[:metaOffSum]))
		}
		m, err := DecodeMeta(in)
		if err != nil {
			return
		}
		if m.Incompat&^knownIncompat != 0 || m.Mode&^0o777 != 0 {
			t.Fatalf("accepted: %+v", m)
		}
		_ = m.Writable()
		if again, err := DecodeMeta(m.Encode()); again != m || err != nil {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

func FuzzRetention(f *testing.F) {
	f.Add(formattest.Load(f, "retention"), true)
	f.Add(Retention{}.Encode([16]byte{}), false)
	f.Fuzz(func(t *testing.T, in []byte, mend bool) {
		if mend && len(in) == retentionBytes {
			copy(in[retentionOffLogID:], testID[:])
			binary.LittleEndian.PutUint64(in[retentionOffSum:], xxhash.Sum64(in[:retentionOffSum]))
		}
		r, err := DecodeRetention(in, testID)
		if err != nil {
			return
		}
		if r.Check() != nil {
			t.Fatalf("accepted: %+v", r)
		}
		if again, err := DecodeRetention(r.Encode(testID), testID); again != r || err != nil {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
	})
}
