//go:build system

// The tests in this file run the server and npm packages, so they have the tag system: see main_test.go.
package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/nodetest"
)

// mcptest is the folder of the protocol's clients and conformance tests, which come from npm.
const mcptest = "mcptest"

// The protocol's own tests pass, all scenarios that apply, in all revisions.
func TestAssistantConformance(t *testing.T) {
	t.Parallel()
	nodetest.Install(t, mcptest)
	s := mustServe(t)
	results := t.TempDir()
	command := exec.CommandContext(t.Context(), "node", "--import", "./fs.mjs", "node_modules/@modelcontextprotocol/conformance/dist/index.js",
		"server", "--url", s.url+"/mcp", "--suite", "all", "--output-dir", results)
	command.Dir = mcptest
	output, _ := command.CombinedOutput() // which fails for what does not apply
	files, err := filepath.Glob(filepath.Join(results, "server-*", "checks.json"))
	if err != nil || len(files) < 60 {
		t.Fatalf("%d scenarios ran, %v\n%s", len(files), err, output)
	}
	excused, used, passed := excuses(t), map[string]bool{}, 0
	dated := regexp.MustCompile(`^server-(.+)-20\d\d-.*Z$`)
	for _, file := range files {
		scenario := dated.FindStringSubmatch(filepath.Base(filepath.Dir(file)))[1]
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var checks []struct{ ID, Status, ErrorMessage string }
		if err := json.Unmarshal(text, &checks); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, check := range checks {
			names := []string{scenario, scenario + "/" + check.ID}
			switch {
			case check.Status == "SUCCESS":
				passed++
			case check.Status != "FAILURE":
			case slices.ContainsFunc(names, func(name string) bool { return excused[name] != "" }):
				used[names[0]], used[names[1]] = true, true
			default:
				t.Errorf("%s: %s", names[1], check.ErrorMessage)
			}
		}
	}
	if passed < 100 {
		t.Errorf("%d checks passed", passed)
	}
	for name, why := range excused {
		if !used[name] {
			t.Errorf("%s passes, or does not run: take it from the list (%s)", name, why)
		}
	}
	s.mustStop(t)
}

// excuses returns why scenarios, and checks, do not apply.
func excuses(t *testing.T) map[string]string {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(mcptest, "conformance.txt"))
	if err != nil {
		t.Fatal(err)
	}
	excused := map[string]string{}
	for line := range strings.Lines(string(list)) {
		if why, names, found := strings.Cut(line, ":"); found && line[0] != '#' {
			for _, name := range strings.Fields(names) {
				excused[name] = why
			}
		}
	}
	return excused
}

// The clients for TypeScript, which hold results against the schemas of the tools, connect with a key.
func TestAssistantClients(t *testing.T) {
	t.Parallel()
	nodetest.Install(t, mcptest)
	database := storetest.SQLite(t)
	mustImport(t, database, "--site", "www.semicomplete.com", mustAbs(t, sampleFile))
	s := mustServeKeys(t, database)
	command := exec.CommandContext(t.Context(), "node", "clients.mjs", s.url+"/mcp", mustCreateKey(t, database, "--scope", "read", "assistant"))
	command.Dir = mcptest
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	revisions := map[string]string{}
	for line := range strings.Lines(string(output)) {
		var client struct {
			Name, Revision string
			Tools          []string
			Cards          []json.RawMessage
			Refused        bool
		}
		if err := json.Unmarshal([]byte(line), &client); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		revisions[client.Name] = client.Revision
		if len(client.Tools) != 10 || slices.Contains(client.Tools, "save_goal") || client.Cards == nil || !client.Refused {
			t.Errorf("%+v", client)
		}
	}
	if want := map[string]string{"v1": "2025-11-25", "v2": "2025-11-25", "v2 of 2026": "2026-07-28"}; !maps.Equal(revisions, want) {
		t.Errorf("%v", revisions)
	}
	s.mustStop(t)
}
