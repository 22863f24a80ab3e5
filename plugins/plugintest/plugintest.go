// Package plugintest is the test that every plugin must pass, for use under go test:
//
//	func TestPlugin(t *testing.T) { plugintest.Run(t, plugins.Of(paidTraffic{})) }
//
// It builds filters from the SDL, compiles and merges them, and checks the answers
// against the rules of the package check. For a plugin in any language, the command
// "goalgraph plugin check FILE" does the same.
package plugintest

import (
	"fmt"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/check"
)

// Run checks the filter types in the test's own process, each rule of each type in
// a subtest: go test -run 'TestPlugin/paidTraffic/merge'.
func Run(t *testing.T, types ...plugins.Type) {
	t.Helper()
	run(t, check.InProcess(plugins.Server("plugin-under-test", "1.0.0", types...)))
}

// RunExecutable checks the plugin that the file is, started as a server starts it.
// Beside what Run does it sees that the process starts, answers the same when it
// is started again, and ends with its parent.
func RunExecutable(t *testing.T, file string, args ...string) {
	t.Helper()
	run(t, check.Executable(file, args...))
}

// deadline is longer than a server's, for a race detector or a debugger may be at
// work; the command has the server's.
const deadline = 10 * time.Second

func run(t *testing.T, s check.Subject) {
	t.Helper()
	for _, result := range check.Plugin(t.Context(), s, check.Options{Deadline: deadline}).Results {
		name := result.Rule
		if result.Type != "" {
			name = result.Type + "/" + result.Rule
		}
		t.Run(name, func(t *testing.T) {
			t.Helper()
			t.Log(result.Tried)
			for _, f := range result.Findings {
				t.Errorf("%s\n→ %s", f.Problem, f.Advice)
			}
			if result.More > 0 {
				t.Error(fmt.Sprint("and ", result.More, " more like these"))
			}
		})
	}
}
