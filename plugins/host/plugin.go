package host

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// Status is how a plugin fares. Its values are those of the graph's PluginStatus.
type Status string

const (
	// Running plugins answer.
	Running Status = "RUNNING"
	// Restarting plugins have died and are being started again.
	Restarting Status = "RESTARTING"
	// Failed plugins did not start, or what they said of themselves was refused.
	Failed Status = "FAILED"
)

// Plugin is the state of a plugin at one moment.
type Plugin struct {
	// Name is the plugin's own, or its file's where it did not come to say it.
	Name, Version string
	// File is the path of its executable; empty for the built-in one.
	File    string
	Builtin bool
	Status  Status
	// Types is empty for a plugin that failed.
	Types []*Type
	// Restarts counts the starts after the first.
	Restarts int
	// Calls counts what it was asked. What is remembered is not asked.
	Calls int64
	// Reason says why it is not running, or why its file as it is now does not take
	// the place of the one that runs; empty where neither is so.
	Reason string
}

// Rule is a merge rule.
type Rule = plugins.Rule

// Type is a filter type that is loaded. It does not change.
type Type struct {
	Name, Title, Description string
	Rule                     Rule
	// SDL holds the definitions of the input object that Input names, and of what
	// it needs; no name in it is another type's.
	SDL, Input string
	// Dimension is the text field whose values are offered for completion; the
	// zero Field for none.
	Dimension filter.Field
	// None is what stands for "no value" among the arguments, empty for nothing.
	None string
	// Plugin is the name of the plugin that the type comes from.
	Plugin string
	// Computed tells that the plugin looks at sessions one by one.
	Computed bool

	version string // of the plugin
	merges  bool
	worker  *worker
}
