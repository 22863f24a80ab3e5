package host

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// logger returns the logger that go-plugin wants, whose lines go to log.
func logger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "plugin", Level: hclog.Debug, Output: io.Discard})
	l.RegisterSink(&sink{log: log})
	return l
}

// sink takes lines into the log: of a plugin that floods it a few a second.
type sink struct {
	log *slog.Logger

	mu      sync.Mutex
	since   time.Time
	lines   int
	dropped int
}

// mostLines are logged of a plugin in a second.
const mostLines = 50

// admit tells whether one more line may be logged, and how many were not since the
// last that was.
func (s *sink) admit() (dropped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.since) > time.Second {
		s.since, s.lines = now, 0
	}
	if s.lines++; s.lines > mostLines {
		s.dropped++
		return 0, false
	}
	dropped, s.dropped = s.dropped, 0
	return dropped, true
}

// Accept takes a line.
func (s *sink) Accept(_ string, level hclog.Level, message string, args ...any) {
	to := slog.LevelDebug
	switch {
	case level >= hclog.Error:
		to = slog.LevelError
	case level == hclog.Warn:
		to = slog.LevelWarn
	case level == hclog.Info:
		to = slog.LevelInfo
	}
	if !s.log.Enabled(context.Background(), to) {
		return
	}
	dropped, ok := s.admit()
	if !ok {
		return
	}
	if dropped > 0 {
		s.log.Warn("a plugin logs too much; some lines were dropped", "lines", dropped)
	}
	s.log.Log(context.Background(), to, message, args...)
}
