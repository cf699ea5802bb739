package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// newLogger tells on stderr what the log has to say beside its errors: that it cut
// a torn end, for instance, or that work in the background fails.
func newLogger(std *streams, command string) *slog.Logger {
	return slog.New(&noteHandler{std: std, command: command})
}

// A noteHandler prints warnings and worse, each as one line.
type noteHandler struct {
	std     *streams
	command string
	attrs   []slog.Attr
}

func (h *noteHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

func (h *noteHandler) Handle(_ context.Context, r slog.Record) error {
	var details []string
	add := func(a slog.Attr) bool {
		details = append(details, fmt.Sprintf("%s %v", a.Key, a.Value))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	text := r.Message
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	h.std.notef(h.command, "%s", text)
	return nil
}

func (h *noteHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append(with.attrs[:len(with.attrs):len(with.attrs)], attrs...)
	return &with
}

// WithGroup drops the group's name: nothing here uses groups.
func (h *noteHandler) WithGroup(string) slog.Handler { return h }
