package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/files"
)

// The retention file is replaced whole by each change, and read by producers at
// each roll.
const (
	retentionBytes   = 64
	retentionMagic   = "mlogretn"
	retentionVersion = 1

	retentionOffVersion  = 8
	retentionOffLogID    = 16
	retentionOffMaxBytes = 32
	retentionOffMaxAge   = 40
	retentionOffSum      = 56
)

// Retention says what of a log may be dropped, always by whole segments and
// never the newest one. A zero field sets no limit.
type Retention struct {
	Bytes int64         // keep the newest segments that fit this many bytes together
	Age   time.Duration // drop segments whose newest record is older
}

// Check says whether the settings make sense.
func (r Retention) Check() error {
	if r.Bytes < 0 || r.Age < 0 {
		return fmt.Errorf("retention of %d bytes and %v: neither may be negative (0 means no limit)", r.Bytes, r.Age)
	}
	return nil
}

// Encode returns the bytes of the retention file.
func (r Retention) Encode(logID [16]byte) []byte {
	b := make([]byte, retentionBytes)
	copy(b, retentionMagic)
	binary.LittleEndian.PutUint32(b[retentionOffVersion:], retentionVersion)
	copy(b[retentionOffLogID:], logID[:])
	binary.LittleEndian.PutUint64(b[retentionOffMaxBytes:], uint64(r.Bytes))
	binary.LittleEndian.PutUint64(b[retentionOffMaxAge:], uint64(r.Age))
	binary.LittleEndian.PutUint64(b[retentionOffSum:], xxhash.Sum64(b[:retentionOffSum]))
	return b
}

// DecodeRetention reads and checks the bytes of a retention file.
func DecodeRetention(b []byte, logID [16]byte) (Retention, error) {
	var r Retention
	if len(b) < retentionOffVersion+4 || string(b[:len(retentionMagic)]) != retentionMagic {
		return r, errors.New("retention: not a retention file")
	}
	if v := binary.LittleEndian.Uint32(b[retentionOffVersion:]); v != retentionVersion && !OnlyVersionDiffers(b, retentionVersion, retentionOffSum) {
		return r, fmt.Errorf("retention: %w: version %d, this build knows %d", ErrIncompatible, v, retentionVersion)
	}
	if len(b) != retentionBytes {
		return r, fmt.Errorf("retention has %d bytes where %d are expected: it was cut or is foreign", len(b), retentionBytes)
	}
	if binary.LittleEndian.Uint64(b[retentionOffSum:]) != xxhash.Sum64(b[:retentionOffSum]) {
		return r, errors.New("retention: checksum mismatch, the file is damaged")
	}
	if [16]byte(b[retentionOffLogID:retentionOffMaxBytes]) != logID {
		return r, errors.New("retention: the file belongs to another log")
	}
	r.Bytes = int64(binary.LittleEndian.Uint64(b[retentionOffMaxBytes:]))
	r.Age = time.Duration(binary.LittleEndian.Uint64(b[retentionOffMaxAge:]))
	return r, r.Check()
}

// ReadRetention returns the settings in force. Without a file nothing is ever
// dropped.
func (d Dir) ReadRetention(logID [16]byte) (Retention, error) {
	b, err := readSmall(d.Retention())
	if errors.Is(err, fs.ErrNotExist) {
		return Retention{}, nil
	}
	if err != nil {
		return Retention{}, err
	}
	r, err := DecodeRetention(b, logID)
	if err != nil {
		return Retention{}, fmt.Errorf("%s: %w", d, err)
	}
	return r, nil
}

// WriteRetention replaces the settings, durably.
func (d Dir) WriteRetention(m *Meta, r Retention) error {
	if err := r.Check(); err != nil {
		return err
	}
	return files.Replace(d.Retention(), r.Encode(m.LogID), ModesFor(m.Mode).Data)
}
