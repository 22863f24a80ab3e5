package graph_test

import (
	"os"
	"testing"

	"github.com/goalgraph/goalgraph/plugins/builtin"
)

func TestMain(m *testing.M) {
	builtin.ServeIfAsked()
	serveEveryoneIfAsked()
	os.Exit(m.Run())
}
