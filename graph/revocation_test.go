package graph_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// directory finds principals in the store, and sees that they have changed by the access epoch, which it reads now and then.
type directory struct {
	store *store.Store
	mu    sync.Mutex
	// lookups counts the calls of Again, and broken makes them fail.
	lookups int
	broken  bool
}

func unauthenticated(err error) error {
	if model.CodeOf(err) == model.NotFound {
		return model.Errorf(model.Unauthenticated, "it was revoked, or has ended")
	}
	return err
}

func (d *directory) Bearer(ctx context.Context, secret string) (*model.Principal, error) {
	key, err := d.store.KeyByHash(ctx, model.HashOf(secret))
	return d.ofKey(&key, err)
}

func (d *directory) ofKey(key *model.Key, err error) (*model.Principal, error) {
	if err == nil && !key.IsValid(model.MillisOf(time.Now())) {
		err = model.Errorf(model.Unauthenticated, "the key was revoked, or has expired")
	}
	return key.Principal(), unauthenticated(err)
}

func (d *directory) Again(ctx context.Context, p *model.Principal) (*model.Principal, error) {
	d.mu.Lock()
	d.lookups++
	broken := d.broken
	d.mu.Unlock()
	if broken {
		return nil, model.Errorf(model.Unavailable, "the database is away")
	}
	if p.Kind == model.KeyPrincipal {
		key, err := d.store.Key(ctx, p.ID)
		return d.ofKey(&key, err)
	}
	if _, err := d.store.Login(ctx, p.Login); err != nil {
		return nil, unauthenticated(err)
	}
	user, err := d.store.User(ctx, p.ID)
	if err != nil {
		return nil, unauthenticated(err)
	}
	again := user.Principal()
	again.Login = p.Login
	return again, nil
}

func (d *directory) Watch(changed func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		known := int64(-1)
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			if epoch, err := d.store.AccessEpoch(ctx); err == nil && epoch != known {
				known = epoch
				changed()
			}
		}
	})
	return func() {
		cancel()
		watching.Wait()
	}
}

func (d *directory) setBroken(broken bool) {
	d.mu.Lock()
	d.broken = broken
	d.mu.Unlock()
}

func (d *directory) looked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lookups
}

// withDirectory has a graph's connections looked up in its store.
func withDirectory(o *testOptions) {
	o.transport.Access = &directory{store: o.Store}
}

var nobody = &model.Principal{Kind: model.AnonymousPrincipal}

// bear opens a connection by a key.
func (g *testGraph) bear(secret string) *wire {
	g.Helper()
	w := g.as(nobody).dial("graphql-transport-ws")
	w.send(mustJSON(map[string]any{"type": "connection_init", "payload": map[string]string{"Authorization": "Bearer " + secret}}))
	w.want("connection_ack", "")
	return w
}

// key makes a READ key of sites, and returns its id, its secret and who bears it.
func (g *testGraph) key(sites ...string) (id, secret string, p *model.Principal) {
	g.Helper()
	var data struct {
		CreateAPIKey struct {
			APIKey struct{ ID string }
			Secret string
		}
	}
	g.into(&data, `mutation($s: [ID!]) { createApiKey(input: {name: "key", scope: READ, sites: $s}) { apiKey { id } secret } }`, vars{"s": sites})
	p, err := (&directory{store: g.store}).Bearer(g.Context(), data.CreateAPIKey.Secret)
	if err != nil {
		g.Fatal(err)
	}
	return data.CreateAPIKey.APIKey.ID, data.CreateAPIKey.Secret, p
}

// user makes a user with a role on a site, and returns the id and who has logged in.
func (g *testGraph) user(name, site string) (id string, p *model.Principal) {
	g.Helper()
	var data struct {
		CreateUser struct{ User struct{ ID string } }
	}
	g.into(&data, `mutation($n: String!, $s: ID) { createUser(input: {name: $n, roles: [{site: $s, role: VIEWER}]}) { user { id } } }`, vars{"n": name, "s": site})
	user, err := g.store.UserByName(g.Context(), name)
	if err != nil {
		g.Fatal(err)
	}
	p = user.Principal()
	p.Login = "login of " + name
	if err := g.store.CreateLogin(g.Context(), &store.Login{Hash: p.Login, UserID: user.ID, Data: []byte("x"), ExpiresAt: 9e12}, ""); err != nil {
		g.Fatal(err)
	}
	return data.CreateUser.User.ID, p
}

// stream is an event stream of a subscription to a site's cards, whose first answer has come.
type stream struct {
	*testing.T
	body  io.Closer
	lines *bufio.Reader
}

func (g *testGraph) stream(site string) *stream {
	g.Helper()
	response := g.events(cards, vars{"site": site})
	s := &stream{g.T, response.Body, bufio.NewReader(response.Body)}
	mustEvent(g.T, s.lines, "next")
	return s
}

// wantEnd reads an error of the code, and the end.
func (s *stream) wantEnd(code model.Code) {
	s.Helper()
	var a answer
	if err := json.Unmarshal([]byte(mustEvent(s.T, s.lines, "next")), &a); err != nil || len(a.Errors) == 0 || a.Errors[0].Extensions.Code != string(code) {
		s.Fatalf("%v %v, want %s", a, err, code)
	}
	mustEvent(s.T, s.lines, "complete")
}

// within is how long what is taken away may still be used.
const within = 2 * time.Second

func wantWithin(t *testing.T, what string, since time.Time) {
	t.Helper()
	if took := time.Since(since); took > within {
		t.Errorf("%s took %v", what, took)
	}
}

// What is taken away on one node ends on both, over WebSockets and event streams, whatever becomes of Redis; and what others
// have goes on. What one node changes of the definitions, the other tells.
func TestRevocation(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(t *testing.T, address string, stop func()){
		"Redis is up": func(*testing.T, string, func()) {}, "Redis is down": func(_ *testing.T, _ string, stop func()) { stop() },
		"Redis is flushed": func(t *testing.T, address string, _ func()) {
			if err := clientOf(t, address).FlushAll(t.Context()).Err(); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.RedisServer(t)
			url := storetest.PostgreSQL(t)
			var nodes [2]*testGraph
			plugins := hosttest.Start(t, host.Options{Taken: graph.HasType})
			for i := range nodes {
				bus := live.NewRedis(clientOf(t, server.URL), "test", slog.New(slog.DiscardHandler))
				t.Cleanup(bus.Close)
				st, err := store.Open(t.Context(), url, store.Options{Defined: func(site int64) { bus.Publish(live.Change{Site: site}) }})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { st.Close() })
				if _, err := st.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				nodes[i] = newGraphOver(t, st, plugins, func(o *testOptions) { o.transport.Bus = bus }, withDirectory)
			}
			trouble(t, server.URL, func() {
				if err := server.Stop(); err != nil {
					t.Error(err)
				}
			})
			revoke(t, nodes)
		})
	}
}

func clientOf(t *testing.T, address string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled, o.DialTimeout, o.MaxRetries = true, 100*time.Millisecond, -1
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	return client
}

// followers are a WebSocket and an event stream on each node, of one principal that follows the cards of a site.
type followers struct {
	sockets []*wire
	streams []*stream
}

func (f *followers) follow(g *testGraph, w *wire, p *model.Principal, site string) {
	g.Helper()
	w.subscribe("1", cards, vars{"site": site})
	w.want("next", "1")
	f.sockets = append(f.sockets, w)
	f.streams = append(f.streams, g.as(p).stream(site))
}

// wantGone reads that the principal of followers is gone.
func (f *followers) wantGone(t *testing.T, what string, since time.Time) {
	t.Helper()
	for i := range f.sockets {
		if reason := f.sockets[i].wantClosed(4403); !strings.HasPrefix(reason, "Forbidden: ") {
			t.Errorf("%s: closed with %q", what, reason)
		}
		wantWithin(t, what+", WebSocket", since)
		f.streams[i].wantEnd(model.Unauthenticated)
		wantWithin(t, what+", event stream", since)
	}
}

func revoke(t *testing.T, nodes [2]*testGraph) {
	g := nodes[0]
	site, elsewhere := g.site("shop.example", "UTC"), g.site("other.example", "UTC")
	g.goal(site, "buy")
	revoked, secret, bearer := g.key(site)
	rotated, second, other := g.key(site)
	_, kept, _ := g.key(site)
	disabled, ann := g.user("Ann", site)
	lists := nodes[1].connect()
	lists.subscribe("1", `subscription($s: ID!) { definitionsChanged(siteId: $s) { site { goals { nodes { key } } } } }`, vars{"s": elsewhere})
	lists.wantData("1", `{"definitionsChanged":{"site":{"goals":{"nodes":[]}}}}`)
	g.goal(elsewhere, "look")
	lists.wantData("1", `{"definitionsChanged":{"site":{"goals":{"nodes":[{"key":"look"}]}}}}`)
	_, bob := g.user("Bob", site)
	moved, eve := g.user("Eve", site)
	var ofRevoked, ofRotated, ofAnn, ofBob, ofEve followers
	var others []*wire
	for _, node := range nodes {
		ofRevoked.follow(node, node.bear(secret), bearer, site)
		ofRotated.follow(node, node.bear(second), other, site)
		ofAnn.follow(node, node.as(ann).connect(), ann, site)
		ofBob.follow(node, node.as(bob).connect(), bob, site)
		ofEve.follow(node, node.as(eve).connect(), eve, site)
		w := node.bear(kept)
		w.subscribe("1", cards, vars{"site": site})
		w.want("next", "1")
		others = append(others, w)
	}

	begin := time.Now()
	g.must(`mutation($k: ID!) { revokeApiKey(id: $k) { apiKey { id } } }`, vars{"k": revoked})
	ofRevoked.wantGone(t, "a revoked key", begin)
	begin = time.Now()
	g.must(`mutation($k: ID!) { rotateApiKey(id: $k, overlap: "PT0S") { secret } }`, vars{"k": rotated})
	ofRotated.wantGone(t, "a rotated key", begin)
	begin = time.Now()
	g.must(`mutation($u: ID!) { disableUser(id: $u) { user { id } } }`, vars{"u": disabled})
	ofAnn.wantGone(t, "a disabled user", begin)
	begin = time.Now()
	if err := g.store.EndLogin(t.Context(), bob.Login); err != nil {
		t.Fatal(err)
	}
	ofBob.wantGone(t, "an ended login", begin)

	begin = time.Now()
	g.must(`mutation($u: ID!, $s: ID) { updateUserRoles(input: {id: $u, roles: [{site: $s, role: ADMIN}]}) { user { id } } }`, vars{"u": moved, "s": elsewhere})
	for i := range nodes {
		ofEve.sockets[i].wantError("1", "NOT_FOUND")
		wantWithin(t, "a changed role, WebSocket", begin)
		ofEve.streams[i].wantEnd(model.NotFound)
		wantWithin(t, "a changed role, event stream", begin)
		ofEve.sockets[i].subscribe("2", `{ sites { name } }`, nil)
		ofEve.sockets[i].wantData("2", `{"sites":[{"name":"other.example"}]}`)
	}

	g.write("shop.example", page("v1", "2026-05-17T10:00:00Z", "/"))
	for _, w := range others {
		w.wantData("1", `{"goalCards":[{"goal":{"name":"buy"},"cells":[{"segment":{"name":"All"},"sessions":1,"conversions":1}]}]}`)
	}
}

// A connection begins with a key, or is closed with a reason.
func TestConnectionInit(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), withDirectory)
	site := g.site("shop.example", "UTC")
	revoked, secret, _ := g.key(site)
	g.must(`mutation($k: ID!) { revokeApiKey(id: $k) { apiKey { id } } }`, vars{"k": revoked})
	_, good, _ := g.key(site)
	for _, test := range []struct {
		payload string
		code    websocket.StatusCode
	}{
		{`{}`, 4403}, {`null`, 4403}, {`{"authorization":"Bearer ` + secret + `"}`, 4403}, {`{"authorization":"Bearer nonsense"}`, 4403},
		{`{"authorization":"` + good + `"}`, 4403}, {`{"authorization":"Basic ` + good + `"}`, 4403}, {`{"authorization":7}`, 4400},
		{`{"authorization":"Bearer ` + good + `"}`, 0}, {`{"Authorization":"bearer ` + good + `"}`, 0},
	} {
		w := g.as(nobody).dial("graphql-transport-ws")
		w.send(`{"type":"connection_init","payload":` + test.payload + `}`)
		if test.code != 0 {
			w.wantClosed(test.code)
			continue
		}
		w.want("connection_ack", "")
		w.subscribe("1", `{ viewer { kind name } sites { name } }`, nil)
		w.wantData("1", `{"viewer":{"kind":"KEY","name":"key"},"sites":[{"name":"shop.example"}]}`)
	}
}

// A key ends by the clock when it expires.
func TestExpiry(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t), withDirectory)
	site := g.site("shop.example", "UTC")
	id, secret, _ := g.key(site)
	w := g.bear(secret)
	w.subscribe("1", cards, vars{"site": site})
	w.want("next", "1")
	begin := time.Now()
	g.must(`mutation($k: ID!) { rotateApiKey(id: $k, overlap: "PT1S") { secret } }`, vars{"k": id})
	w.wantClosed(4403)
	if took := time.Since(begin); took < time.Second || took > time.Second+within {
		t.Errorf("a key that works for a second more was taken for %v", took)
	}
}

// While principals cannot be looked up, connections keep what they have; it is tried again until it can be done.
func TestPrincipalsCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	var found *directory
	g := newGraph(t, storetest.SQLite(t), withDirectory, func(o *testOptions) { found = o.transport.Access.(*directory) })
	site := g.site("shop.example", "UTC")
	g.goal(site, "buy")
	id, _, p := g.key(site)
	w := g.as(p).connect()
	w.subscribe("1", cards, vars{"site": site})
	w.want("next", "1")
	found.setBroken(true)
	looked := found.looked()
	g.must(`mutation($k: ID!) { revokeApiKey(id: $k) { apiKey { id } } }`, vars{"k": id})
	await(t, "it is tried again", func() bool { return found.looked() >= looked+3 })
	g.write("shop.example", page("v1", "2026-05-17T10:00:00Z", "/"))
	w.want("next", "1")
	found.setBroken(false)
	w.wantClosed(4403)
}

// One principal is looked up once for all its connections.
func TestLookUpsAreShared(t *testing.T) {
	t.Parallel()
	var found *directory
	g := newGraph(t, storetest.SQLite(t), withDirectory, func(o *testOptions) { found = o.transport.Access.(*directory) })
	site := g.site("shop.example", "UTC")
	id, _, p := g.key(site)
	var wires []*wire
	for range 20 {
		wires = append(wires, g.as(p).connect())
	}
	looked := found.looked()
	g.must(`mutation($k: ID!) { revokeApiKey(id: $k) { apiKey { id } } }`, vars{"k": id})
	for _, w := range wires {
		w.wantClosed(4403)
	}
	if n := found.looked() - looked; n > 3 {
		t.Errorf("%d look-ups of one principal", n)
	}
}
