package graph_test

import (
	"os"
	"testing"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

func TestMain(m *testing.M) {
	builtin.ServeIfAsked()
	serveEveryoneIfAsked()
	os.Exit(hosttest.Run(m, host.Options{Taken: graph.HasType}))
}
