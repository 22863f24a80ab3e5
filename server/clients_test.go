//go:build system

// The tests in this file run the server and npm packages, so they have the tag system: see main_test.go.
package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/server/nodetest"
)

// clientstest is the folder of the clients. Its packages are installed once for all.
const clientstest = "clientstest"

// application is a folder with the settings of docs/clients.md, in which what they set up is built and run.
type application struct {
	folder string
	server *server
}

// newApplication returns the application of a server.
func newApplication(t *testing.T, s *server) *application {
	t.Helper()
	nodetest.Install(t, clientstest)
	a := &application{t.TempDir(), s}
	sources, err := filepath.Glob(filepath.Join(clientstest, "*.*s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range append(sources, filepath.Join(clientstest, "package.json")) {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		a.write(t, filepath.Base(source), string(text))
	}
	for _, block := range readmeBlocks(t, "../docs/clients.md") {
		if block.file != "" {
			a.write(t, block.file, strings.ReplaceAll(block.text, "localhost:8080", strings.TrimPrefix(s.url, "http://")))
		}
	}
	a.write(t, "schema.graphql", s.get(t, "/schema.graphql").body)
	if err := os.Symlink(mustAbs(t, filepath.Join(clientstest, "node_modules")), filepath.Join(a.folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *application) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.folder, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a program of the application and returns all that it writes.
func (a *application) run(t *testing.T, name string, args ...string) (output string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = a.folder
	out, err := command.CombinedOutput()
	return string(out), err
}

var complaint = regexp.MustCompile(`(?i)warn|deprecat|error`)

// The clients of docs/clients.md generate code for the served schema, and show what was changed, by themselves and by
// others, without asking again and without a warning.
func TestClients(t *testing.T) {
	t.Parallel()
	s := mustServe(t, "--sample")
	a := newApplication(t, s)
	for _, step := range [][]string{
		{"node", "schema.js", s.url},
		{"node_modules/.bin/graphql-codegen"},
		{"node_modules/.bin/gql.tada", "generate-output"},
		{"node_modules/.bin/relay-compiler"},
		{"node_modules/.bin/tsc"},
	} {
		if output, err := a.run(t, step[0], step[1:]...); err != nil || complaint.MatchString(output) {
			t.Fatalf("%s: %v\n%s", step, err, output)
		}
	}
	var data struct{ Sites []struct{ ID string } }
	if err := json.Unmarshal([]byte(s.mustAsk(t, "{ sites { id } }")), &data); err != nil || len(data.Sites) == 0 {
		t.Fatalf("%v: %+v", err, data)
	}
	output, err := a.run(t, "node", "run.js", s.url, data.Sites[0].ID)
	ran := 0
	for line := range strings.Lines(output) {
		var check struct{ Name, Problem string }
		if err := json.Unmarshal([]byte(line), &check); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		ran++
		if check.Problem != "" {
			t.Errorf("%s: %s", check.Name, check.Problem)
		}
	}
	if err != nil || ran != 5 {
		t.Errorf("%d checks ran: %v\n%s", ran, err, output)
	}
	s.mustStop(t)
}

// The served schema keeps the rules of graphql-eslint that are recommended, and those of Relay.
func TestSchemaKeepsTheRulesOfESLint(t *testing.T) {
	t.Parallel()
	s := mustServe(t)
	a := newApplication(t, s)
	if output, err := a.run(t, "node_modules/.bin/eslint", "--max-warnings", "0", "schema.graphql"); err != nil {
		t.Errorf("the served schema: %v\n%s", err, output)
	}
	a.write(t, "schema.graphql", "type Query { bad_name: Int things: ThingConnection } type ThingConnection { nodes: [Int] }")
	output, err := a.run(t, "node_modules/.bin/eslint", "schema.graphql")
	for _, rule := range []string{"naming-convention", "relay-connection-types"} {
		if err == nil || !strings.Contains(output, rule) {
			t.Errorf("the linter does not find what breaks %s: %v\n%s", rule, err, output)
		}
	}
	s.mustStop(t)
}
