package log

import (
	"encoding/hex"
	"errors"
	"io/fs"

	"github.com/seed27ccf144/mlog/internal/control"
)

// Info is what a log holds and who is on it, at a moment.
type Info struct {
	ID            string // 32 hexadecimal digits
	StartOffset   int64
	EndOffset     int64
	DurableOffset int64
	Segments      int
	Bytes         int64 // of all the log's files
	SegmentBytes  int64
	Retention     Retention
	Producers     int // live; -1 if the caller may not look
	Groups        []GroupInfo
	Damage        []DamageInfo
}

// DamageInfo is a part of the log that is seen at a glance to be unusable: a
// segment with a bad header, or a group's file. It takes a reader to find damage
// within a segment.
type DamageInfo struct {
	Segment string // name of the file in the log's directory
	Reason  string
}

// Info looks at the log. Its cost grows with the number of segments, not of
// records.
func (l *Log) Info() (Info, error) {
	if err := l.src.Hold(); err != nil {
		return Info{}, public(err)
	}
	defer l.src.Drop()
	info := Info{ID: hex.EncodeToString(l.meta.LogID[:]), SegmentBytes: l.meta.SegmentBytes}
	var err error
	if info.Damage, info.Segments, err = l.glance(); err != nil {
		return info, err
	}
	if info.EndOffset, err = l.src.End(); err != nil && !errors.Is(err, ErrDamaged) {
		return info, err
	}
	if info.StartOffset, err = l.src.Start(); err != nil {
		return info, err
	}
	if info.DurableOffset, err = l.src.Durable(); err != nil && !errors.Is(err, ErrDamaged) {
		return info, err
	}
	if info.Bytes, err = l.diskBytes(); err != nil {
		return info, err
	}
	if info.Retention, err = l.Retention(); err != nil {
		info.Damage = append(info.Damage, DamageInfo{Segment: "retention", Reason: err.Error()})
	}
	if info.Producers, err = control.LiveSlots(l.dir); errors.Is(err, fs.ErrPermission) {
		info.Producers, err = -1, nil
	}
	if err != nil {
		return info, err
	}
	groups, damage, err := l.Groups()
	info.Groups, info.Damage = groups, append(info.Damage, damage...)
	return info, err
}

func (l *Log) glance() ([]DamageInfo, int, error) {
	damage, segments, err := l.src.Glance()
	var infos []DamageInfo
	for _, d := range damage {
		infos = append(infos, DamageInfo{Segment: d.Segment, Reason: d.Reason})
	}
	return infos, segments, err
}
