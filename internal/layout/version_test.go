package layout

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// A version number may be damaged like any other byte: "use a newer mlog" is for
// files that a newer mlog wrote.
func TestDamagedVersion(t *testing.T) {
	meta := Meta{LogID: [16]byte{1, 2, 3}, SegmentBytes: 1 << 16, Mode: DefaultMode}
	for name, file := range map[string]struct {
		bytes  []byte
		sumAt  int
		decode func([]byte) error
	}{
		"meta":      {meta.Encode(), metaOffSum, func(b []byte) error { _, err := DecodeMeta(b); return err }},
		"retention": {Retention{Bytes: 1 << 20}.Encode(meta.LogID), retentionOffSum, func(b []byte) error { _, err := DecodeRetention(b, meta.LogID); return err }},
	} {
		file.bytes[8] ^= 2
		if err := file.decode(file.bytes); err == nil || errors.Is(err, ErrIncompatible) {
			t.Errorf("%s with a damaged version: %v", name, err)
		}
		binary.LittleEndian.PutUint64(file.bytes[file.sumAt:], xxhash.Sum64(file.bytes[:file.sumAt]))
		if err := file.decode(file.bytes); !errors.Is(err, ErrIncompatible) {
			t.Errorf("%s of a later version: %v", name, err)
		}
	}
}
