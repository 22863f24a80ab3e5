//go:build system

// The tests in this file run the server and npm packages, so they have the tag system: see main_test.go.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/nodetest"
)

// graphqltest is the folder of the audits and the linter, which come from npm.
const graphqltest = "graphqltest"

// node runs a program of graphqltest and returns its standard output; with standard error if it fails.
func node(t *testing.T, stdin string, arguments ...string) (output string, failure error) {
	t.Helper()
	nodetest.Install(t, graphqltest)
	command := exec.CommandContext(t.Context(), "node", arguments...)
	command.Dir, command.Stdin = graphqltest, strings.NewReader(stdin)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		return out.String() + problems.String(), err
	}
	return out.String(), nil
}

// graphqlPaths are the two forms of the path that GraphQL is served at. No server knows the domain.
var graphqlPaths = []string{"/graphql", "/graphql/unknown.example"}

// The audits are those of the GraphQL over HTTP specification.
func TestGraphQLOverHTTP(t *testing.T) {
	t.Parallel()
	s := mustServe(t, "--database", storetest.SQLite(t))
	for _, path := range graphqlPaths {
		output, err := node(t, "", "audit.js", s.url+path)
		if err != nil {
			t.Fatalf("%s: %v: %s", path, err, output)
		}
		var results []struct{ ID, Name, Status, Reason string }
		if err := json.Unmarshal([]byte(output), &results); err != nil {
			t.Fatalf("%s: %v: %s", path, err, output)
		}
		if len(results) != 61 {
			t.Errorf("%s: %d audits, want 61", path, len(results))
		}
		for _, audit := range results {
			// Optional, and not done: a status other than 200 with application/json for a request that could be read.
			if audit.Status == "notice" && (audit.ID == "8764" || audit.ID == "3E3A") {
				continue
			}
			if audit.Status != "ok" {
				t.Errorf("%s: %s %s: %s: %s", path, audit.ID, audit.Status, audit.Name, audit.Reason)
			}
		}
	}
	s.mustStop(t)
}

// The domain in the path is a hint for proxies. It changes no answer, whatever it is, and no metric or log grows with it.
func TestGraphQLByDomain(t *testing.T) {
	t.Parallel()
	s := mustServe(t, "--sample", "--verbose")
	const query = `{ site(domain: "www.semicomplete.com") { sessionCount(range: { from: "2015-01-01T00:00:00Z" }) } }`
	ask := func(path string) {
		t.Helper()
		post, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(`{"query":`+strconv.Quote(query)+`}`))
		if err != nil {
			t.Fatal(err)
		}
		post.Header.Set("Content-Type", "application/json")
		events := post.Clone(t.Context())
		events.Body = io.NopCloser(strings.NewReader(`{"query":` + strconv.Quote(query) + `}`))
		events.Header.Set("Accept", "text/event-stream")
		get, err := http.NewRequest(http.MethodGet, s.url+path+"?query="+url.QueryEscape(query), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, request := range map[string]*http.Request{"POST": post, "GET": get, "SSE": events} {
			if a, err := do(request, nil); err != nil || a.status != http.StatusOK || !strings.Contains(a.body, `"sessionCount":2347}`) {
				t.Errorf("%s %s: %v, %+v", name, path, err, a)
			}
		}
		conn, _, err := websocket.Dial(t.Context(), s.url+path, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		defer conn.CloseNow()
		for _, message := range []string{`{"type":"connection_init"}`, `{"id":"1","type":"subscribe","payload":{"query":` + strconv.Quote(query) + `}}`} {
			if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{"connection_ack", `"sessionCount":2347}`, "complete"} {
			if _, message, err := conn.Read(t.Context()); err != nil || !strings.Contains(string(message), want) {
				t.Errorf("WebSocket %s: %v, %s; want %s", path, err, message, want)
			}
		}
	}
	series := func() (names []string) {
		for line := range strings.Lines(s.get(t, "/metrics").body) {
			name, _, _ := strings.Cut(line, " ")
			// Why a WebSocket closed first, by its client or by the end of its operation, depends on the moment.
			if name != "#" && !strings.HasPrefix(name, "goalgraph_live_closed_total{") {
				names = append(names, name)
			}
		}
		return names
	}
	ask("/graphql")
	before := series()
	for n := range 20 {
		ask(fmt.Sprintf("/graphql/made-up-%d.example", n))
	}
	for _, path := range []string{"/graphql/www.semicomplete.com", "/graphql/WWW.Semicomplete.COM:443", "/graphql/b%C3%BCcher.example", "/graphql/%00%2F",
		"/graphql/" + strings.Repeat("x", 3000)} {
		ask(path)
	}
	if after := series(); !slices.Equal(before, after) {
		t.Errorf("there were %d series of metrics, and now there are %d:\n%s", len(before), len(after), strings.Join(after, "\n"))
	}
	if said := s.stderr.String(); strings.Contains(said, "made-up") {
		t.Errorf("the log names domains of requests:\n%s", said)
	}
	for _, path := range []string{"/graphql/", "/graphql/a.example/", "/graphql/a.example/b"} {
		if a := s.get(t, path+"?query=%7B__typename%7D"); a.status != http.StatusNotFound || !strings.Contains(a.body, "/graphql/DOMAIN") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	s.mustStop(t)
}

func TestSchemaIsLinted(t *testing.T) {
	t.Parallel()
	const linter = "node_modules/graphql-schema-linter/lib/cli.js"
	served := program(t, "schema").mustRun(t, done)
	output, err := node(t, served.stdout.String(), linter, "--stdin", "--format", "compact")
	if err != nil {
		t.Errorf("the served schema:\n%s", output)
	}
	output, err = node(t, "type Query { bad_name: Int }", linter, "--stdin", "--format", "compact")
	if err == nil || !strings.Contains(output, "types-have-descriptions") || !strings.Contains(output, "fields-are-camel-cased") {
		t.Errorf("the linter does not find the faults: %s", output)
	}
}
