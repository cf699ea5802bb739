package layout

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// OnlyVersionDiffers reports whether a file whose version is unknown has the
// checksum of one of the version that is known: then it is no later version's but
// one of this, and its version number is damaged. In all files of a log the
// version is at byte 8, and the checksum, where it has one, is of all before it.
func OnlyVersionDiffers(b []byte, known uint32, sumAt int) bool {
	const versionAt = 8
	if len(b) < sumAt+8 {
		return false
	}
	fixed := append([]byte(nil), b[:sumAt]...)
	binary.LittleEndian.PutUint32(fixed[versionAt:], known)
	return binary.LittleEndian.Uint64(b[sumAt:]) == xxhash.Sum64(fixed)
}
