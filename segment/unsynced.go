package segment

import (
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/seed27ccf144/mlog/internal/files"
)

// NeverSynced reports whether a file that cannot be mapped as a segment is what a
// power loss may leave of one that was never synced: its header did not reach the
// disk, or not all of its length did. A sync brings both.
//
// The error is one of the system.
func NeverSynced(f *os.File) (bool, error) {
	head := make([]byte, HeaderBytes)
	n, err := files.ReadAt(f, head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	head = head[:n]
	if allZero(head) {
		return true, nil
	}
	h, err := DecodeHeader(head)
	if err != nil {
		return false, nil
	}
	fi, err := f.Stat()
	if err != nil {
		return false, err
	}
	return fi.Size() < h.Size && !hasMark(head), nil
}

// hasMark reports whether a header says that batches of its segment have been on
// disk.
func hasMark(head []byte) bool {
	return len(head) >= offDurable+8 && UnpackCursor(binary.LittleEndian.Uint64(head[offDurable:])).Count > 0
}
