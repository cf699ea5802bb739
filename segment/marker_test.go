package segment

import (
	"encoding/binary"
	"errors"
	"testing"
)

// TestMarkerThatLeadsBack: an end marker before the first batch names the segment
// itself. Who followed it would walk in a circle for ever.
func TestMarkerThatLeadsBack(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	s.Seal(start)
	var f Frame
	var bad *BadFrameError
	if err := s.Read(HeaderBytes, s.Base, &f); !errors.As(err, &bad) || bad.Position != HeaderBytes {
		t.Errorf("read: %v", err)
	}
	if scan := s.Scan(start, nil); scan.Sealed || scan.Bad == nil {
		t.Errorf("scan: %+v", scan)
	}
}

// TestGuessIsBounded: headers that do not verify may promise any count of records;
// each takes a byte at least.
func TestGuessIsBounded(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	c := put(t, s, start, testTime, value("one"), value("two"))
	put(t, s, c, testTime, value("three"))
	if n, ended := Guess(s.data, s.Base); n != 3 || !ended {
		t.Errorf("3 records are taken for %d", n)
	}
	binary.LittleEndian.PutUint32(s.data[c.Position+4:], MaxRecords<<8)
	if n, ended := Guess(s.data, s.Base); n != 2 || ended {
		t.Errorf("with a batch that promises too many, 2 records are taken for %d", n)
	}
}
