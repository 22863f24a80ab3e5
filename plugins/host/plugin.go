package host

import (
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// Status is the state of a plugin. Its values are those of the graph's PluginStatus.
type Status string

const (
	// Running plugins answer.
	Running Status = "RUNNING"
	// Restarting plugins have died and are being restarted.
	Restarting Status = "RESTARTING"
	// Failed plugins did not start, or their description was refused.
	Failed Status = "FAILED"
)

// Plugin is the state of a plugin at one moment.
type Plugin struct {
	// Name is the name that the plugin reports, or its file name if it never reported
	// one.
	Name, Version string
	// File is the path of the executable; empty for the built-in plugin.
	File    string
	Builtin bool
	Status  Status
	// Types is empty for a plugin that failed.
	Types []*Type
	// Restarts counts the starts after the first.
	Restarts int
	// Calls counts the calls to it. Remembered answers need no call.
	Calls int64
	// Reason says why it is not running, or why an older version of its file still
	// runs; empty if all is well.
	Reason string
}

// Rule is a merge rule.
type Rule = plugins.Rule

// Type is a loaded filter type. It never changes.
type Type struct {
	Name, Title, Description string
	Rule                     Rule
	// SDL defines the input object Input and whatever it needs. No other type uses a
	// name in it.
	SDL, Input string
	// Dimension is the text field whose values are suggested; the zero Field for none.
	Dimension filter.Field
	// None is the argument that stands for "no value"; empty if there is none.
	None string
	// Arguments are those of the input, in its order, and of inputs in it.
	Arguments []plugins.Argument
	// Plugin is the name of the plugin that offers the type.
	Plugin string
	// Computed tells that the plugin looks at sessions one by one.
	Computed bool

	version string // of the plugin
	merges  bool
	worker  *worker
}
