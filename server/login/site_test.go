package login_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/login"
)

// A site is a server that people log in at.
type site struct {
	*login.Logins
	store *store.Store
	url   string
	log   *bytes.Buffer

	mu  sync.Mutex
	now time.Time
}

// newSite starts a server on a new database, with hashing that is fast.
func newSite(t *testing.T, change ...func(*login.Options)) *site {
	t.Helper()
	s := &site{now: time.Now().Truncate(time.Millisecond), log: new(bytes.Buffer)}
	st, err := store.Open(t.Context(), storetest.SQLite(t), store.Options{Now: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.store = st
	mux := http.NewServeMux()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor := model.Actor{Principal: &model.Principal{Kind: model.AnonymousPrincipal}, Address: "192.0.2.1"}
		mux.ServeHTTP(w, r.WithContext(model.WithActor(r.Context(), actor)))
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	o := login.Options{Store: st, PublicURL: s.url, Now: s.clock, Log: slog.New(slog.NewTextHandler(&lockedWriter{w: s.log}, nil))}
	for _, change := range change {
		change(&o)
	}
	if s.Logins, err = login.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.Cheap().Register(mux)
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		principal, err := s.Principal(r.Context(), r)
		switch {
		case model.CodeOf(err) == model.Unauthenticated:
			http.Error(w, err.Error(), http.StatusUnauthorized)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case principal == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, principal.Name)
		}
	})
	return s
}

// lockedWriter lets handlers log at the same time.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// mustCreate creates a user with a password, unless that is empty.
func (s *site) mustCreate(t *testing.T, name, password string) *model.User {
	t.Helper()
	user := &model.User{Name: name, Roles: []model.SiteRole{{Site: model.AllSites, Role: model.Viewer}}}
	if err := s.store.CreateUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if password != "" {
		mustStatus(t, newBrowser(t, s).post("/auth/password", map[string]any{"token": s.mustLink(t, user.ID), "password": password}), http.StatusOK)
	}
	return user
}

// mustLink returns the secret of a new link.
func (s *site) mustLink(t *testing.T, user int64) string {
	t.Helper()
	link, err := s.NewLink(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	address, secret, ok := strings.Cut(link, "#")
	if !ok || !strings.HasSuffix(address, "/auth/password") || len(secret) < 26 {
		t.Fatalf("the link is %q", link)
	}
	return secret
}

// A browser keeps cookies.
type browser struct {
	t      *testing.T
	client *http.Client
	url    string
}

func newBrowser(t *testing.T, s *site) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, url: s.url, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// response is an answer whose body has been read.
type response struct {
	*http.Response
	body string
}

func (r *response) field(name string) string {
	var object map[string]any
	_ = json.Unmarshal([]byte(r.body), &object)
	text, _ := object[name].(string)
	return text
}

func (b *browser) do(r *http.Request) *response {
	b.t.Helper()
	got, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &response{got, string(body)}
}

func (b *browser) post(path string, body any) *response {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(path, "application/json", string(text))
}

func (b *browser) send(path, kind, body string) *response {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	return b.do(r)
}

func (b *browser) get(path string) *response {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) logIn(name, password string) *response {
	b.t.Helper()
	return b.post("/auth/login", map[string]string{"name": name, "password": password})
}

// me is who the server says it is: empty for nobody, "401" for a cookie that does not hold.
func (b *browser) me() string {
	b.t.Helper()
	got := b.get("/me")
	if got.StatusCode == http.StatusUnauthorized {
		return "401"
	}
	return got.body
}

// cookie is the value of the login's cookie.
func (b *browser) cookie() string {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, cookie := range b.client.Jar.Cookies(r.URL) {
		if cookie.Name == "goalgraph" {
			return cookie.Value
		}
	}
	return ""
}

// plant puts a cookie into the browser, as a neighbouring server or an attacker might.
func (b *browser) plant(value string) *browser {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.client.Jar.SetCookies(r.URL, []*http.Cookie{{Name: "goalgraph", Value: value, Path: "/"}})
	return b
}

func mustStatus(t *testing.T, got *response, want int) {
	t.Helper()
	if got.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s", got.Request.Method, got.Request.URL.Path, got.StatusCode, want, got.body)
	}
}
