//go:build !linux

package mapping

func populate([]byte, int64, int64, bool) {}
