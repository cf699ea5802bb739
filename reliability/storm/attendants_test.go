//go:build unix

package storm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// keepRetaining changes the log's retention all the time, and trims it if it may.
func keepRetaining(stay context.Context, j job, _ *report) error {
	random := rand.New(rand.NewPCG(j.Seed, 0))
	l, err := mlog.Open(j.Dir, j.Options)
	if err != nil {
		return err
	}
	for stay.Err() == nil {
		r := mlog.Retention{Bytes: j.Least + random.Int64N(j.Least)}
		if j.Trims && random.IntN(2) == 0 {
			r.Age = 50*time.Millisecond + time.Duration(random.Int64N(int64(time.Second)))
		}
		if err := l.SetRetention(r); err != nil {
			return err
		}
		if j.Trims && random.IntN(4) == 0 {
			if err := trim(l, random); err != nil {
				return err
			}
		}
		pause(stay, time.Duration(random.Int64N(int64(30*time.Millisecond))))
	}
	return l.Close()
}

// trim drops up to a quarter of the log.
func trim(l *mlog.Log, random *rand.Rand) error {
	first, err := l.StartOffset()
	if err != nil {
		return err
	}
	end, err := l.EndOffset()
	if err != nil {
		return err
	}
	before := mlog.At(first + random.Int64N(1+(end-first)/4))
	_, err = l.Trim(context.Background(), mlog.TrimOptions{Before: before})
	var gone *mlog.RangeError
	if errors.As(err, &gone) {
		return nil // others trimmed more meanwhile
	}
	return err
}

// keepVerifying verifies the log while others append to it and drop from it, and
// looks at it as "info" does. There must be nothing to find.
func keepVerifying(stay context.Context, j job, _ *report) error {
	l, err := mlog.Open(j.Dir, j.Options)
	if err != nil {
		return err
	}
	for stay.Err() == nil {
		v, err := mlog.Verify(stay, j.Dir, mlog.VerifyOptions{})
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			return err
		}
		if len(v.Damage)+len(v.Lost) > 0 || v.TornTail != nil {
			return fmt.Errorf("verify: %s", describe(v))
		}
		info, err := l.Info()
		if err != nil {
			return err
		}
		if len(info.Damage) > 0 || info.EndOffset < v.EndOffset {
			return fmt.Errorf("info: %+v after verify had found the end at %d", info, v.EndOffset)
		}
		pause(stay, 20*time.Millisecond)
	}
	return l.Close()
}

func describe(v mlog.Verification) string {
	text := fmt.Sprintf("%d records from %d to %d", v.Records, v.StartOffset, v.EndOffset)
	for _, d := range append(v.Damage, v.Lost...) {
		text += "; " + d.Error()
	}
	if v.TornTail != nil {
		text += fmt.Sprintf("; torn tail in %s at %d", v.TornTail.Segment, v.TornTail.Position)
	}
	return text
}

func pause(stay context.Context, d time.Duration) {
	select {
	case <-stay.Done():
	case <-time.After(d):
	}
}
