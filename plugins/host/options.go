package host

import (
	"log/slog"
	"time"
)

// Options are the host's settings. The zero value of each but Logger is its
// default.
type Options struct {
	Logger *slog.Logger
	// Folder holds the plugins: every executable file in it is one. Empty, or
	// where there is no such folder, only the built-in plugin is started.
	Folder string
	// StartTimeout bounds the start of a plugin, 10 s by default.
	StartTimeout time.Duration
	// CallTimeout bounds a call, 1 s by default, and ComputeTimeout one about a batch of
	// sessions, 10 s by default.
	CallTimeout, ComputeTimeout time.Duration
	// FirstPause and LastPause bound the pause before a plugin that died is
	// started again, 100 ms and 30 s by default; each pause is twice the one
	// before it, until the plugin has run for LastPause.
	FirstPause, LastPause time.Duration
	// PluginBytes is the memory that a plugin may take before it is ended and started
	// again, 512 MiB by default. Other systems than Linux do not tell.
	PluginBytes uint64
	// MemoryBytes bounds the remembered answers, 64 MiB by default.
	MemoryBytes uint64
	// Taken tells the names of types that the schema has without plugins.
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
