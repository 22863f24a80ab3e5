package builtin

import (
	"os"

	"github.com/goalgraph/goalgraph/plugins"
)

// Name is the built-in plugin's name.
const Name = "builtin"

// version changes when a type's answers do.
const version = "1.2.0"

// argument asks a program that can be the built-in plugin to be it.
const argument = "serve-builtin-filters"

// Types returns the built-in filter types.
func Types() []plugins.Type {
	return []plugins.Type{
		browser(), city(), country(), device(), entryPage(), events(), eventValue(), exitPage(), hostname(), hour(), ip(), language(), operatingSystem(),
		pages(), pageViews(), property(), referrer(), region(), sessionLength(), tags(), utm(), variant(), visitor(), weekday(),
	}
}

// Serve serves the built-in filter types until the host ends, and then ends the
// process.
func Serve() { plugins.Serve(Name, version, Types()...) }

// ServeIfAsked is Serve in a process that was started with the command line of
// Command, and does nothing in all others. A program that starts the host calls
// it first thing in main, and its tests in TestMain.
func ServeIfAsked() {
	if len(os.Args) == 2 && os.Args[1] == argument && os.Getenv(plugins.CookieKey) == plugins.Cookie {
		Serve()
	}
}

// Command returns the program and the argument that make the running program
// serve the built-in types.
func Command() (program, arg string, err error) {
	program, err = os.Executable()
	return program, argument, err
}
