package ofrep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
	"github.com/goalgraph/goalgraph/server/ingest"
	"github.com/goalgraph/goalgraph/server/ofrep"
)

func TestMain(m *testing.M) {
	builtin.ServeIfAsked()
	os.Exit(hosttest.Run(m, host.Options{}))
}

// limit is how long the tests wait for anything.
const limit = time.Minute

// world is a database with the site shop.example, and what answers for it.
type world struct {
	t      *testing.T
	store  *store.Store
	host   *host.Host
	bus    *live.Memory
	site   *model.Site
	goal   *model.Goal
	answer validator.Validator
	nodes  []*node
	keys   keys
}

// keys are those that servers know. The one that is called revoked holds until it is revoked.
type keys struct {
	revoked atomic.Bool
	mu      sync.Mutex
	changed []func()
}

func (k *keys) watch(changed func()) (stop func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changed = append(k.changed, changed)
	return func() {}
}

func (k *keys) revoke() {
	k.revoked.Store(true)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, changed := range k.changed {
		changed()
	}
}

// node is a server: its key "write" is the site's.
type node struct {
	url     string
	handler *ofrep.Handler
}

func newWorld(t *testing.T, database string) *world {
	t.Helper()
	w := &world{t: t, bus: live.NewMemory(), host: hosttest.Shared(t), answer: newValidator(t)}
	var err error
	w.store, err = store.Open(t.Context(), database, store.Options{Defined: w.defined})
	w.must(err)
	t.Cleanup(func() { w.store.Close() })
	_, err = w.store.Migrate(t.Context())
	w.must(err)
	w.site = &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	w.must(w.store.CreateSite(t.Context(), w.site))
	w.goal = &model.Goal{SiteID: w.site.ID, Key: "buy", Name: "Buy"}
	w.must(w.store.CreateGoal(t.Context(), w.goal))
	w.node()
	return w
}

// defined is told of changes by the store. Only the first node learns of them otherwise than by the bus: the store is its own.
func (w *world) defined(site int64) {
	if len(w.nodes) > 0 {
		w.nodes[0].handler.Forget(site)
	}
	w.bus.Publish(live.Change{Site: site})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// node starts another server of the database.
func (w *world) node() *node {
	w.t.Helper()
	decoder, err := ingest.NewDecoder(nil)
	w.must(err)
	writer := ingest.NewWriter(w.store, w.bus, prometheus.NewRegistry(), nil)
	pipeline := ingest.NewPipeline(ingest.PipelineOptions{Write: writer.Write})
	w.t.Cleanup(func() { w.must(pipeline.Close(context.Background())) })
	n := &node{}
	n.handler, err = ofrep.New(ofrep.Options{
		Store: w.store, Host: w.host, Bus: w.bus, Pipeline: pipeline, Decoder: decoder, Streams: 12,
		Watch: w.keys.watch,
		Sender: func(_ *http.Request, key string) (*ingest.Sender, error) {
			switch key {
			case "revoked":
				if w.keys.revoked.Load() {
					return nil, model.Errorf(model.Unauthenticated, "the key was revoked")
				}
				return &ingest.Sender{ID: key, Site: w.site}, nil
			case "write":
				return &ingest.Sender{ID: key, Site: w.site}, nil
			case "several":
				return &ingest.Sender{ID: key, SiteOf: func(_ context.Context, host string) (*model.Site, error) {
					if host != "shop.example" {
						return nil, model.Invalid("context.page.url", "is of no site")
					}
					return w.site, nil
				}}, nil
			case "read":
				return nil, model.Errorf(model.Forbidden, "the key has the scope READ")
			}
			return nil, model.Errorf(model.Unauthenticated, "the key is unknown")
		},
	})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.handler.Run(ctx)
	}()
	mux := http.NewServeMux()
	n.handler.Register(mux)
	server := httptest.NewServer(mux)
	w.t.Cleanup(func() {
		n.handler.Close()
		server.Close()
		cancel()
		<-ended
	})
	n.url = server.URL
	w.nodes = append(w.nodes, n)
	return n
}

// newValidator returns what validates answers by the protocol's file. There, a flag with a value is one without a value as well, and a
// whole number is a number: of the forms of a value, more than one fits.
func newValidator(t *testing.T) validator.Validator {
	t.Helper()
	text, err := os.ReadFile("testdata/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const strict, loose = "- oneOf:\n            - $ref: \"#/components/schemas/booleanFlag\"", "- anyOf:\n            - $ref: \"#/components/schemas/booleanFlag\""
	if strings.Count(string(text), strict) != 1 {
		t.Fatal("the protocol's file has another form")
	}
	document, err := libopenapi.NewDocument([]byte(strings.Replace(string(text), strict, loose, 1)))
	if err != nil {
		t.Fatal(err)
	}
	v, problems := validator.NewValidator(document)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return v
}

// experiment makes an experiment of the variants a and b that Goalgraph assigns.
func (w *world) experiment(key string, change func(*model.Experiment)) *model.Experiment {
	w.t.Helper()
	e := &model.Experiment{
		SiteID: w.site.ID, Key: key, Name: key, Primary: w.goal.ID, Assignment: model.GoalgraphAssignment, TrafficShare: 1,
		Variants: []model.Variant{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}},
	}
	if change != nil {
		change(e)
	}
	w.must(w.store.CreateExperiment(w.t.Context(), e))
	return e
}

func (w *world) update(e *model.Experiment, change func(*model.Experiment) error) {
	w.t.Helper()
	changed, err := w.store.UpdateExperiment(w.t.Context(), e.ID, change)
	w.must(err)
	*e = *changed
}

// running makes an experiment and starts it.
func (w *world) running(key string, change func(*model.Experiment)) *model.Experiment {
	w.t.Helper()
	e := w.experiment(key, change)
	now := model.MillisOf(time.Now())
	w.update(e, func(e *model.Experiment) error { return e.Start(now, 0, now) })
	return e
}

func (w *world) stop(e *model.Experiment, winner string) {
	w.t.Helper()
	now := model.MillisOf(time.Now()) + 1
	w.update(e, func(e *model.Experiment) error { return e.Stop(winner, now, now) })
}

// flag is an evaluation as a client reads it.
type flag struct {
	Key, Reason, Variant, ErrorCode, ErrorDetails string
	Value                                         any
	Metadata                                      map[string]any
}

// reply is what came back of a request.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a body to a path with headers, as pairs of names and values, and checks the answer by the protocol's file.
func (w *world) ask(n *node, path, body string, headers ...string) reply {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, n.url+"/ofrep/v1/evaluate/flags"+path, strings.NewReader(body))
	w.must(err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer write")
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			request.Header.Del(headers[i])
			continue
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	w.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	w.must(err)
	response.Body = io.NopCloser(bytes.NewReader(text))
	if ok, problems := w.answer.ValidateHttpResponse(request, response); !ok {
		for _, problem := range problems {
			w.t.Errorf("%s: %s: %s, %v", path, text, problem.Message, problem.Reason)
		}
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// contextOf returns a body whose context is of a visitor, with members more.
func contextOf(visitor, more string) string {
	return fmt.Sprintf(`{"context": {"targetingKey": %q%s}}`, visitor, more)
}

// one evaluates a flag for a visitor.
func (w *world) one(n *node, key, visitor, more string) flag {
	w.t.Helper()
	got := w.ask(n, "/"+key, contextOf(visitor, more))
	if got.status != http.StatusOK {
		w.t.Fatalf("%s for %s: %d %s", key, visitor, got.status, got.body)
	}
	var f flag
	w.must(json.Unmarshal([]byte(got.body), &f))
	return f
}

// all evaluates all flags for a visitor.
func (w *world) all(n *node, visitor, more string) map[string]flag {
	w.t.Helper()
	got := w.ask(n, "", contextOf(visitor, more))
	if got.status != http.StatusOK {
		w.t.Fatalf("all for %s: %d %s", visitor, got.status, got.body)
	}
	var answer struct{ Flags []flag }
	w.must(json.Unmarshal([]byte(got.body), &answer))
	flags := map[string]flag{}
	for _, f := range answer.Flags {
		flags[f.Key] = f
	}
	return flags
}

// exposures returns the variants of the visitors whose assignment to an experiment is stored, by visitor, and how many
// assignments there are.
func (w *world) exposures(key string) (variants map[int64]string, n int) {
	w.t.Helper()
	partitions, err := w.store.Partitions(w.t.Context(), w.site.ID, model.Range{From: -model.Open, To: model.Open})
	w.must(err)
	variants = map[int64]string{}
	for _, partition := range partitions {
		rows, err := w.store.Assignments(w.t.Context(), w.site.ID, key, partition.ID)
		w.must(err)
		for _, row := range rows {
			variants[row.VisitorID] = row.Variant
			n++
		}
	}
	return variants, n
}

// await waits until something is so.
func (w *world) await(what string, is func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(limit)
	for !is() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited for too long: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
