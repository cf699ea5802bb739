//go:build unix

package storm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	mlog "github.com/seed27ccf144/mlog/log"
)

// An identity says which record it is: of which producing process, of which of
// its goroutines, which one in the order of that goroutine, and where in its batch.
type identity struct {
	Producer     uint32
	Stream       uint16
	Index, Count uint16
	Seq          uint64
}

// batchSeq is what all records of a batch have in common.
func (id identity) batchSeq() uint64 { return id.Seq - uint64(id.Index) }

const identityBytes = 32

// makeRecord makes the record of an identity, with a value of this length. All of
// it follows from the identity, the length and the nonce, which is another one for
// each log.
func makeRecord(nonce uint64, id identity, length int) mlog.Record {
	v := make([]byte, 0, max(length, identityBytes)+8)
	v = binary.LittleEndian.AppendUint64(v, nonce)
	v = binary.LittleEndian.AppendUint32(v, id.Producer)
	v = binary.LittleEndian.AppendUint16(v, id.Stream)
	v = binary.LittleEndian.AppendUint16(v, id.Index)
	v = binary.LittleEndian.AppendUint16(v, id.Count)
	v = binary.LittleEndian.AppendUint16(v, 0)
	v = binary.LittleEndian.AppendUint32(v, uint32(length))
	v = binary.LittleEndian.AppendUint64(v, id.Seq)
	state := nonce ^ uint64(id.Producer)<<40 ^ uint64(id.Stream)<<32 ^ id.Seq
	for len(v) < length {
		state += 0x9e3779b97f4a7c15
		v = binary.LittleEndian.AppendUint64(v, scramble(state))
	}
	r := mlog.Record{Value: v[:max(length, identityBytes)]}
	if id.Seq%3 == 0 {
		r.Key = v[:identityBytes/2]
	}
	if id.Seq%5 == 0 {
		r.Headers = []mlog.Header{{Key: "tail", Value: v[identityBytes/2 : identityBytes]}}
	}
	return r
}

// scramble is the output function of SplitMix64.
func scramble(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

var errForged = errors.New("a record that nobody sent")

// identify tells which record this is. It is an error if it isn't one to the byte.
func identify(nonce uint64, r mlog.Record) (identity, error) {
	v := r.Value
	if len(v) < identityBytes {
		return identity{}, fmt.Errorf("%w: a value of %d bytes", errForged, len(v))
	}
	id := identity{
		Producer: binary.LittleEndian.Uint32(v[8:]),
		Stream:   binary.LittleEndian.Uint16(v[12:]),
		Index:    binary.LittleEndian.Uint16(v[14:]),
		Count:    binary.LittleEndian.Uint16(v[16:]),
		Seq:      binary.LittleEndian.Uint64(v[24:]),
	}
	length := int(binary.LittleEndian.Uint32(v[20:]))
	if length != len(v) {
		return id, fmt.Errorf("%w: a value of %d bytes that says it has %d: %+v", errForged, len(v), length, id)
	}
	want := makeRecord(nonce, id, length)
	same := bytes.Equal(v, want.Value) && bytes.Equal(r.Key, want.Key) && (r.Key == nil) == (want.Key == nil) &&
		len(r.Headers) == len(want.Headers)
	for i := 0; same && i < len(want.Headers); i++ {
		same = r.Headers[i].Key == want.Headers[i].Key && bytes.Equal(r.Headers[i].Value, want.Headers[i].Value)
	}
	if !same {
		return id, fmt.Errorf("%w: value, key or headers are not those of %+v", errForged, id)
	}
	return id, nil
}
