package writer

import (
	"io"
	"path/filepath"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
)

func (m *mender) rewriteSetting(name string) error {
	meta := name == filepath.Base(m.w.dir.Meta())
	path := m.w.dir.Retention()
	if meta {
		path = m.w.dir.Meta()
	}
	const most = 1 << 20 // far more than a setting takes
	if damaged, err := readUpTo(path, most); err == nil {
		if err := m.cut.keep(name+"."+m.cut.stamp, damaged); err != nil {
			return err
		}
	}
	if meta {
		return files.Replace(path, m.w.meta.Encode(), m.w.modes.Data)
	}
	return m.w.dir.WriteRetention(&m.w.meta, layout.Retention{})
}

// readUpTo reads the first bytes of a file: how long it is, or that it is a file at
// all, is for whoever damaged it to say.
func readUpTo(path string, most int64) ([]byte, error) {
	f, err := files.Open(path, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
