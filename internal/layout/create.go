package layout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
)

// Settings are what a new log is made with.
type Settings struct {
	SegmentBytes int64
	Retention    Retention
	Mode         fs.FileMode
}

// Create makes an empty log in d, unless there is one already: then that one's
// meta is returned, whoever made it. A directory that holds anything else is
// refused and left as it is.
//
// The meta file comes last: until it is there, there is no log, and whoever
// comes next starts over.
func (d Dir) Create(ctx context.Context, s Settings) (Meta, error) {
	const pauses, pause = 20, 10 * time.Millisecond
	for n := 0; ; n++ {
		m, err := d.create(ctx, s)
		if n == pauses || !errors.Is(err, fs.ErrPermission) {
			return m, err
		}
		// Another user may be making the log just now: its directories let us in a
		// moment after they got their names.
		time.Sleep(pause)
	}
}

func (d Dir) create(ctx context.Context, s Settings) (Meta, error) {
	if m, err := d.ReadMeta(); err == nil {
		return m, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		unborn, err := d.isUnborn()
		if errors.Is(err, fs.ErrPermission) {
			return Meta{}, err // nobody knows what is in it
		}
		if !unborn {
			return d.ReadMeta() // again: somebody else may have finished in between
		}
	}
	modes := ModesFor(s.Mode)
	if err := files.MkdirTop(string(d), modes.Dir); err != nil {
		return Meta{}, err
	}
	if err := files.Mkdir(d.Producers(), modes.Locks); err != nil {
		return Meta{}, err
	}
	lock, err := filelock.Exclusive(ctx, d.OpenLock(), modes.Data)
	if err != nil {
		return Meta{}, err
	}
	defer lock.Release()
	if m, err := d.ReadMeta(); err == nil {
		return m, nil
	}
	return d.populate(s, modes)
}

func (d Dir) populate(s Settings, modes Modes) (Meta, error) {
	m := Meta{SegmentBytes: s.SegmentBytes, Mode: s.Mode, Created: time.Now(), Compat: newCompat, Incompat: newIncompat}
	rand.Read(m.LogID[:])
	// The first producer makes this the first segment. So a disk that has no room
	// for one is found out before there is a log with segments that it cannot have.
	spare, err := files.CreateAllocated(d.Spare(), s.SegmentBytes, modes.Data)
	if err != nil {
		return Meta{}, err
	}
	if err := spare.Close(); err != nil {
		return Meta{}, err
	}
	if err := files.Mkdir(d.Groups(), modes.Groups); err != nil {
		return Meta{}, err
	}
	if err := d.WriteRetention(&m, s.Retention); err != nil {
		return Meta{}, err
	}
	if err := d.CreateWake(m.Mode); err != nil {
		return Meta{}, err
	}
	if err := files.Replace(d.Meta(), m.Encode(), modes.Data); err != nil {
		return Meta{}, err
	}
	return m, files.SyncDir(filepath.Dir(filepath.Clean(string(d))))
}

// WakeBytes is the length of the wake file.
const WakeBytes = 4096

// CreateWake makes the wake file, all zero, unless there is one: its inode must
// stay, since consumers sleep on it.
func (d Dir) CreateWake(mode fs.FileMode) error {
	if fi, err := files.Lstat(d.Wake()); err == nil && fi.Size() == WakeBytes {
		return nil
	}
	return files.Replace(d.Wake(), make([]byte, WakeBytes), ModesFor(mode).Shared)
}

// isUnborn reports whether d is an empty directory, or one in which a creation
// was cut short: it holds only what Create makes before meta.
func (d Dir) isUnborn() (bool, error) {
	names, err := files.Names(string(d))
	if err != nil {
		return false, err
	}
	for _, name := range names {
		stem, _, _ := strings.Cut(name, files.TempMark)
		switch stem {
		case producersName, groupsName, retentionName, wakeName, spareName:
		case metaName:
			if name == metaName {
				return false, nil
			}
		default:
			return false, nil
		}
	}
	return true, nil
}

// CheckLocal refuses a directory on a network filesystem. A directory that is
// yet to be made is judged by its parent.
func (d Dir) CheckLocal() error {
	name, err := files.NetworkFilesystem(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		name, err = files.NetworkFilesystem(filepath.Dir(filepath.Clean(string(d))))
	}
	if err != nil {
		return err
	}
	if name != "" {
		return fmt.Errorf("%s: %w: it is on %s, whose mappings and locks are not shared between hosts as a log needs them; use a local directory",
			d, ErrNetworkFilesystem, name)
	}
	return nil
}

// ErrNetworkFilesystem says that a directory is on a network filesystem.
var ErrNetworkFilesystem = errors.New("network filesystem")
