package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/files"
)

// The meta file is written once, when the log is created.
const (
	metaBytes   = 128
	metaMagic   = "mlogmeta"
	metaVersion = 1

	metaOffVersion  = 8
	metaOffCompat   = 16
	metaOffROCompat = 24
	metaOffIncompat = 32
	metaOffLogID    = 40
	metaOffSegment  = 56
	metaOffCreated  = 64
	metaOffMode     = 72
	metaOffSum      = 120
)

// Features known to this build, in the three classes of ext4: a log with an
// unknown compatible bit can be used, with an unknown read-only-compatible bit
// it can be read, and with an unknown incompatible bit not even that.
const (
	// FeatureHeaderCopies (compatible): segments have a copy of their header. New
	// logs have it.
	FeatureHeaderCopies = 1 << 0
	// FeatureOrigins (compatible): the header of a segment says what its file was
	// before. New logs have it.
	FeatureOrigins = 1 << 1
	// FeatureLostBatches (incompatible): repair has marked records as lost.
	FeatureLostBatches = 1 << 0
	// FeatureRecycling (incompatible): the file of a dropped segment may become another
	// segment, unless somebody holds the lock on it that builds which do not know this
	// do not take. New logs have it; in others nothing is recycled.
	FeatureRecycling = 1 << 1

	newCompat   = FeatureHeaderCopies | FeatureOrigins // what new logs have
	newIncompat = FeatureRecycling

	knownCompat   = newCompat
	knownROCompat = 0
	knownIncompat = FeatureLostBatches | FeatureRecycling
)

// Meta is a log's identity and the settings that never change.
type Meta struct {
	LogID        [16]byte
	SegmentBytes int64
	Created      time.Time
	Mode         fs.FileMode
	Compat       uint64 // feature bits
	ROCompat     uint64
	Incompat     uint64
}

// HasUnknownCompat reports whether a later version may use what this one leaves
// alone.
func (m *Meta) HasUnknownCompat() bool { return m.Compat&^knownCompat != 0 }

// HasOrigins reports whether the headers of the log's segments say what their files
// were before.
func (m *Meta) HasOrigins() bool { return m.Compat&FeatureOrigins != 0 }

// Recycles reports whether the files of the log's dropped segments may become others.
func (m *Meta) Recycles() bool { return m.Incompat&FeatureRecycling != 0 }

// ErrNotLog says that a directory holds no log.
var ErrNotLog = errors.New("not a log")

// ErrDamaged says that the meta file is no more what it was.
var ErrDamaged = errors.New("the file is damaged")

// ErrIncompatible says that a log needs a newer build.
var ErrIncompatible = errors.New("incompatible log format")

// Encode returns the bytes of the meta file.
func (m *Meta) Encode() []byte {
	b := make([]byte, metaBytes)
	copy(b, metaMagic)
	binary.LittleEndian.PutUint32(b[metaOffVersion:], metaVersion)
	binary.LittleEndian.PutUint64(b[metaOffCompat:], m.Compat)
	binary.LittleEndian.PutUint64(b[metaOffROCompat:], m.ROCompat)
	binary.LittleEndian.PutUint64(b[metaOffIncompat:], m.Incompat)
	copy(b[metaOffLogID:], m.LogID[:])
	binary.LittleEndian.PutUint64(b[metaOffSegment:], uint64(m.SegmentBytes))
	binary.LittleEndian.PutUint64(b[metaOffCreated:], uint64(m.Created.UnixNano()))
	binary.LittleEndian.PutUint32(b[metaOffMode:], uint32(m.Mode))
	binary.LittleEndian.PutUint64(b[metaOffSum:], xxhash.Sum64(b[:metaOffSum]))
	return b
}

// DecodeMeta reads and checks the bytes of a meta file.
func DecodeMeta(b []byte) (Meta, error) {
	var m Meta
	if len(b) < metaOffVersion+4 || string(b[:len(metaMagic)]) != metaMagic {
		return m, fmt.Errorf("%w: meta has no magic number", ErrNotLog)
	}
	if v := binary.LittleEndian.Uint32(b[metaOffVersion:]); v != metaVersion && !OnlyVersionDiffers(b, metaVersion, metaOffSum) {
		return m, fmt.Errorf("%w: format version %d, this build knows %d; use a newer mlog", ErrIncompatible, v, metaVersion)
	}
	if len(b) != metaBytes {
		return m, fmt.Errorf("meta has %d bytes where %d are expected: it was cut or is foreign", len(b), metaBytes)
	}
	if binary.LittleEndian.Uint64(b[metaOffSum:]) != xxhash.Sum64(b[:metaOffSum]) {
		return m, fmt.Errorf("meta: checksum mismatch: %w", ErrDamaged)
	}
	m.Compat = binary.LittleEndian.Uint64(b[metaOffCompat:])
	m.ROCompat = binary.LittleEndian.Uint64(b[metaOffROCompat:])
	m.Incompat = binary.LittleEndian.Uint64(b[metaOffIncompat:])
	copy(m.LogID[:], b[metaOffLogID:])
	m.SegmentBytes = int64(binary.LittleEndian.Uint64(b[metaOffSegment:]))
	m.Created = time.Unix(0, int64(binary.LittleEndian.Uint64(b[metaOffCreated:])))
	m.Mode = fs.FileMode(binary.LittleEndian.Uint32(b[metaOffMode:])) & 0o777
	if unknown := m.Incompat &^ knownIncompat; unknown != 0 {
		return m, fmt.Errorf("%w: it uses features %#x that this build does not know; use a newer mlog", ErrIncompatible, unknown)
	}
	return m, nil
}

// Writable says whether this build may append to the log.
func (m *Meta) Writable() error {
	if unknown := m.ROCompat &^ knownROCompat; unknown != 0 {
		return fmt.Errorf("%w: this build may only read it, since it uses features %#x; use a newer mlog to write", ErrIncompatible, unknown)
	}
	return nil
}

// ReadMeta reads a log's meta file. Where there is none, the error says what the
// directory is instead.
func (d Dir) ReadMeta() (Meta, error) {
	b, err := readSmall(d.Meta())
	if err == nil {
		m, err := DecodeMeta(b)
		if err != nil {
			err = fmt.Errorf("%s: %w", d, err)
		}
		return m, err
	}
	if fi, serr := os.Stat(string(d)); serr != nil {
		return Meta{}, serr
	} else if !fi.IsDir() {
		return Meta{}, fmt.Errorf("%s: %w: it is a file, a log is a directory", d, ErrNotLog)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Meta{}, fmt.Errorf("%s: %w: it has no meta file", d, ErrNotLog)
	}
	return Meta{}, err
}

// readSmall reads a settings file without letting its size, which a stranger may
// have set, decide how much memory that takes.
func readSmall(path string) ([]byte, error) {
	f, err := files.Open(path, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, 4096)
	n, err := files.ReadAt(f, b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}
