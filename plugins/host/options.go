package host

import (
	"log/slog"
	"time"
)

// Options are the host's settings. Every zero value but Logger's is a default.
type Options struct {
	Logger *slog.Logger
	// Folder holds the plugins: every executable file in it is one. If it is empty or
	// does not exist, only the built-in plugin starts.
	Folder string
	// StartTimeout limits the start of a plugin; 10 s by default.
	StartTimeout time.Duration
	// CallTimeout limits a call; 1 s by default. ComputeTimeout limits a call about a
	// batch of sessions; 10 s by default.
	CallTimeout, ComputeTimeout time.Duration
	// FirstPause and LastPause are the shortest and the longest pause before a restart;
	// 100 ms and 30 s by default. Each pause is twice the one before, until the plugin
	// has run for LastPause.
	FirstPause, LastPause time.Duration
	// PluginBytes is the resident memory beyond which a plugin is restarted; 512 MiB by
	// default. Only Linux reports it.
	PluginBytes uint64
	// MemoryBytes limits the remembered answers; 64 MiB by default.
	MemoryBytes uint64
	// Taken tells whether the schema has a type of that name without plugins.
	Taken func(name string) bool
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 10 * time.Second
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = time.Second
	}
	if o.ComputeTimeout == 0 {
		o.ComputeTimeout = 10 * time.Second
	}
	if o.FirstPause == 0 {
		o.FirstPause = 100 * time.Millisecond
	}
	if o.LastPause == 0 {
		o.LastPause = 30 * time.Second
	}
	if o.PluginBytes == 0 {
		o.PluginBytes = 512 << 20
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 64 << 20
	}
	if o.Taken == nil {
		o.Taken = func(string) bool { return false }
	}
	return o
}
