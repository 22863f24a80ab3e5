package graph_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/graph/nodetest"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// nodeFolder holds the tools that come from npm, at the versions of its lock file.
const nodeFolder = "nodetest"

// node runs a program of the folder with Node.js and returns what it wrote to
// standard output, and to standard error too where it failed.
func node(t *testing.T, stdin string, arguments ...string) (output string, failure error) {
	t.Helper()
	nodetest.Install(t, nodeFolder)
	command := exec.CommandContext(t.Context(), "node", arguments...)
	command.Dir, command.Stdin = nodeFolder, strings.NewReader(stdin)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		return out.String() + problems.String(), err
	}
	return out.String(), nil
}

// The audits are those of the GraphQL over HTTP specification.
func TestGraphQLOverHTTP(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	output, err := node(t, "", "audit.js", g.url)
	if err != nil {
		t.Fatal(err)
	}
	var results []struct{ ID, Name, Status, Reason string }
	if err := json.Unmarshal([]byte(output), &results); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if len(results) != 61 {
		t.Errorf("%d audits", len(results))
	}
	for _, audit := range results {
		// What a server may do, and what this one does not: answer application/json
		// with another status than 200 where it could read the request.
		if audit.Status == "notice" && (audit.ID == "8764" || audit.ID == "3E3A") {
			continue
		}
		if audit.Status != "ok" {
			t.Errorf("%s %s: %s: %s", audit.ID, audit.Status, audit.Name, audit.Reason)
		}
	}
}

func TestSchemaIsLinted(t *testing.T) {
	t.Parallel()
	sdl, err := graph.SDL(hosttest.New(t).Acquire().Types())
	if err != nil {
		t.Fatal(err)
	}
	const linter = "node_modules/graphql-schema-linter/lib/cli.js"
	output, err := node(t, sdl, linter, "--stdin", "--format", "compact")
	if err != nil {
		t.Errorf("the served schema:\n%s", output)
	}
	output, err = node(t, "type Query { bad_name: Int }", linter, "--stdin", "--format", "compact")
	if err == nil || !strings.Contains(output, "types-have-descriptions") || !strings.Contains(output, "fields-are-camel-cased") {
		t.Errorf("the linter finds nothing wrong: %s", output)
	}
}
