package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/graph/transport"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allowance"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
	"github.com/goalgraph/goalgraph/server/access"
	server "github.com/goalgraph/goalgraph/server/mcp"
)

func TestMain(m *testing.M) {
	builtin.ServeIfAsked()
	os.Exit(hosttest.Run(m, host.Options{Taken: graph.HasType}))
}

// testServer is a Handler behind a door that asks for keys, over a real store, real plugins and a real engine. Nothing but
// trusted documents is carried out.
type testServer struct {
	url   string
	store *store.Store
	graph *transport.Handler
	// user is who logs in by the cookie of the name.
	user *model.Principal
}

func newServer(t *testing.T) *testServer {
	t.Helper()
	s := &testServer{}
	var err error
	must := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.store, err = store.Open(t.Context(), storetest.SQLite(t), store.Options{})
	must()
	t.Cleanup(func() { s.store.Close() })
	_, err = s.store.Migrate(t.Context())
	must()
	plugins := hosttest.Shared(t)
	counting, err := engine.New(s.store, engine.Options{Computer: plugins, Definitions: graph.NewDefinitions(s.store, plugins)})
	must()
	t.Cleanup(counting.Close)
	documents, err := server.Documents()
	must()
	executor, err := graph.New(graph.Options{
		Store: s.store, Engine: counting, Host: plugins, Documents: (*document.Manifest)(nil).With(documents...), OnlyDocuments: func(context.Context) bool { return true },
	})
	must()
	points, err := allowance.NewMemory(allowance.Rate{PerSecond: 1, Burst: 12_000})
	must()
	s.graph = transport.New(executor, transport.Options{Points: points})
	t.Cleanup(func() { s.graph.Close(context.Background()) })
	directory, err := access.NewDirectory(t.Context(), s.store, access.DirectoryOptions{})
	must()
	door, err := access.NewDoor(access.Options{
		Directory: directory, Listen: "127.0.0.1", Log: slog.New(slog.DiscardHandler),
		User: func(_ context.Context, r *http.Request) (*model.Principal, error) {
			if _, err := r.Cookie("login"); err != nil {
				return nil, nil
			}
			return s.user, nil
		},
	})
	must()
	handler, err := server.New(server.Options{Graph: s.graph, AllowOrigin: door.AllowsOrigin, Version: "test"})
	must()
	listening := httptest.NewServer(door.Guard(door.Private(handler)))
	t.Cleanup(listening.Close)
	s.url = listening.URL
	return s
}

// site makes a site.
func (s *testServer) site(t *testing.T, domain string) *model.Site {
	t.Helper()
	site := &model.Site{Name: domain, Domains: []string{domain}, Timezone: "UTC"}
	if err := s.store.CreateSite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	return site
}

// key makes a key of sites; of all without any.
func (s *testServer) key(t *testing.T, name string, scope model.Scope, sites ...*model.Site) (secret string) {
	t.Helper()
	key := model.Key{Name: name, Scope: scope, AllSites: len(sites) == 0}
	for _, site := range sites {
		key.Sites = append(key.Sites, site.ID)
	}
	secret = key.NewSecret()
	if err := s.store.CreateKey(t.Context(), &key); err != nil {
		t.Fatal(err)
	}
	return secret
}

// bearer sends requests with a key.
type bearer struct{ key string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	return http.DefaultTransport.RoundTrip(r)
}

// assistant is a client, with the tools that it is offered.
type assistant struct {
	*testing.T
	session *mcp.ClientSession
	tools   map[string]*mcp.Tool
	names   []string
	// listed is the text of the list.
	listed []byte
}

// assistant connects a client with a key. What follows the server's address is query.
func (s *testServer) assistant(t *testing.T, key, query string) *assistant {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: s.url + query, HTTPClient: &http.Client{Transport: bearer{key}}, DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	list, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &assistant{T: t, session: session, tools: map[string]*mcp.Tool{}}
	for _, tool := range list.Tools {
		a.tools[tool.Name] = tool
		a.names = append(a.names, tool.Name)
	}
	if a.listed, err = json.Marshal(list); err != nil {
		t.Fatal(err)
	}
	return a
}

// args are the arguments of a call.
type args = map[string]any

// result is what a tool answered.
type result struct {
	Data      json.RawMessage
	Problems  []string
	Untrusted struct {
		Notice string
		Paths  []string
	}
	// content are the texts of the answer.
	content []string
}

// call calls a tool, reads the data of its result, and holds the result against the tool's schema.
func (a *assistant) call(name string, arguments args, data any) result {
	a.Helper()
	answer, err := a.session.CallTool(a.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		a.Fatalf("%s: %v", name, err)
	}
	if answer.IsError {
		a.Fatalf("%s %v: %s", name, arguments, textsOf(answer))
	}
	checkSchema(a.T, name, a.tools[name].OutputSchema, answer.StructuredContent)
	text, err := json.Marshal(answer.StructuredContent)
	if err != nil {
		a.Fatal(err)
	}
	r := result{content: textsOf(answer)}
	if err := json.Unmarshal(text, &r); err != nil {
		a.Fatal(err)
	}
	if err := json.Unmarshal(r.Data, data); err != nil {
		a.Fatalf("%s: %v: %s", name, err, r.Data)
	}
	return r
}

// refused calls a tool, which is to fail, and returns what it says.
func (a *assistant) refused(name string, arguments args) string {
	a.Helper()
	answer, err := a.session.CallTool(a.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		a.Fatalf("%s: %v", name, err)
	}
	texts := textsOf(answer)
	if !answer.IsError || len(texts) != 1 || answer.StructuredContent != nil {
		a.Errorf("%s %v is not refused: %s", name, arguments, texts)
	}
	return strings.Join(texts, "\n")
}

func textsOf(answer *mcp.CallToolResult) (texts []string) {
	for _, content := range answer.Content {
		texts = append(texts, content.(*mcp.TextContent).Text)
	}
	return texts
}

// checkSchema checks a value by a schema, in which every property that the value has is named.
func checkSchema(t *testing.T, name string, schema, value any) {
	t.Helper()
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	parsed := new(jsonschema.Schema)
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), `"properties":`, `"additionalProperties":false,"properties":`)), parsed); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	resolved, err := parsed.Resolve(nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := resolved.Validate(value); err != nil {
		t.Errorf("%s: the result does not fit the schema of the tool: %v", name, err)
	}
}

// post sends a request to the protocol, with headers as pairs of names and values.
func (s *testServer) post(t *testing.T, body string, headers ...string) (status int, answer string) {
	t.Helper()
	return s.send(t, http.MethodPost, "", body, headers...)
}

func (s *testServer) send(t *testing.T, method, query, body string, headers ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// visit stores what visitors of two variants did: each is assigned, and of each hundred so many sign up. They come on days of
// the last ten.
func (s *testServer) visit(t *testing.T, site *model.Site, experiment, event string, each int, signUps map[string]int) {
	t.Helper()
	var messages []model.Message
	for variant, percent := range signUps {
		for i := range each {
			visitor := fmt.Sprint(variant, i)
			when := model.MillisOf(time.Now().AddDate(0, 0, -1-i%9))
			messages = append(messages, eventOf(visitor, when, "Experiment Viewed", func(hit *model.Hit) { hit.Experiment, hit.Variant = experiment, variant }))
			if i%100 < percent {
				messages = append(messages, eventOf(visitor, when+60_000, event, func(*model.Hit) {}))
			}
		}
	}
	if _, err := s.store.Write(t.Context(), site.ID, messages); err != nil {
		t.Fatal(err)
	}
}

func eventOf(visitor string, at model.Millis, name string, change func(*model.Hit)) model.Message {
	hit := model.Hit{ID: model.MessageIDOf(visitor, name), At: at, Kind: model.Event, Name: name, Knows: model.KnowsAll &^ model.KnowsPage}
	change(&hit)
	return model.Message{AnonymousID: visitor, Hit: hit}
}
