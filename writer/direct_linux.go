//go:build !race

package writer

import "github.com/seed27ccf144/mlog/internal/mapping"

// direct says that goroutines may take the log's lock without the lead (see lone.go).
const direct = mapping.CanDetach
