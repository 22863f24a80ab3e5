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

// sink logs lines, at most a few per second for each plugin.
type sink struct {
	log *slog.Logger

	mu      sync.Mutex
	since   time.Time
	lines   int
	dropped int
}

// mostLines is the maximum number of logged lines per plugin and second.
const mostLines = 50

// admit tells whether one more line may be logged, and how many were dropped before it.
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

// processExited is what go-plugin says of each process that ends, at the level Error if the host has killed it.
const processExited = "plugin process exited"

// Accept takes a line.
func (s *sink) Accept(_ string, level hclog.Level, message string, args ...any) {
	to := slog.LevelDebug
	switch {
	case message == processExited:
		// The host tells of ends that it did not cause, with what comes of them.
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
