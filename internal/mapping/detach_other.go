//go:build !linux

package mapping

import "errors"

// CanDetach reports whether Detach works on this system.
const CanDetach = false

// Detach fails.
func (m *Map) Detach() error { return errors.ErrUnsupported }
