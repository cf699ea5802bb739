package segment

import (
	"bytes"
	"testing"
)

// What is staged and committed as a lone record is what any batch of it is, in a segment
// of old bytes, whatever lone records came before.
func TestLoneRecords(t *testing.T) {
	lone, other := newSegment(t, testHeader, 0xff), newSegment(t, testHeader, 0xff)
	at := Cursor{Position: HeaderBytes + 96, Count: 3}
	ns := int64(testTime)
	for i, size := range []int{0, 1, 7, 8, 8, 8, 31, 32, 127, 128, 300, 300, 4096} {
		ns += int64(i / 3) // some of them follow at the same time
		v := bytes.Repeat([]byte{byte(i)}, size)
		b := encode(t, Record{Value: v})
		want := other.Stage(at, b, ns)
		other.Commit(at.Position, b)

		next := NextOfLone(at, len(v))
		lone.StageLone(at, next, v, false)
		lone.StageLoneHeader(at, v, i%2 == 0, ns)
		if lone.Committed(at.Position) != (lone.data[at.Position] == 0xff) {
			t.Errorf("%d bytes: committed before they were", size)
		}
		lone.CommitLone(at, len(v))
		if next != want || !bytes.Equal(lone.data, other.data) {
			t.Fatalf("a lone record of %d bytes differs", size)
		}
		at = next
	}
	last := Cursor{Position: lone.Size - EndMarkerBytes}
	if !lone.HasRoom(last) || lone.HasRoom(Cursor{Position: last.Position + 8}) {
		t.Error("HasRoom does not tell where the end marker fits")
	}
}
