package plugintest_test

import (
	"os"
	"testing"

	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/plugins/plugintest"
)

// TestMain makes of the test's program the built-in plugin where it is asked to.
func TestMain(m *testing.M) {
	builtin.ServeIfAsked()
	os.Exit(m.Run())
}

func TestTheBuiltInPluginPasses(t *testing.T) {
	path, arg, err := builtin.Command()
	if err != nil {
		t.Fatal(err)
	}
	plugintest.RunExecutable(t, path, arg)
}
