//go:build system

// The tests in this file run the server, an OpenID provider from npm and Chromium, so they have the tag system: see
// main_test.go.
package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
	"github.com/goalgraph/goalgraph/server/nodetest"
)

const (
	// oidctest is the folder of the OpenID provider. Its packages are installed once.
	oidctest   = "oidctest"
	oidcSecret = "a secret of both"
)

// issuer is the name of the provider behind a relay. It is another site than the server's, 127.0.0.1, for a browser's cookies.
func (r *relay) issuer() string { return "http://localhost:" + r.port() }

// mustProvide starts an OpenID provider behind the relay, for some servers. It says of each user what is in the accounts: in
// the ID token, or to those who ask for the user's info.
func (r *relay) mustProvide(t *testing.T, inToken bool, accounts map[string]any, servers ...*server) {
	t.Helper()
	nodetest.Install(t, oidctest)
	var callbacks []string
	for _, s := range servers {
		callbacks = append(callbacks, s.url+"/auth/oidc/callback")
	}
	settings, err := json.Marshal(map[string]any{
		"issuer": r.issuer(), "callbacks": callbacks, "secret": oidcSecret, "accounts": accounts, "inToken": inToken,
	})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "provider.mjs", string(settings))
	node.Dir = oidctest
	var problems output
	node.Stderr = &problems
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Wait() }) // the test's context has ended it
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the provider says nothing: %v\n%s", err, &problems)
	}
	r.lead("127.0.0.1:" + strings.TrimSpace(port))
}

// mustServeOIDC starts a server with the provider behind a relay.
func (r *relay) mustServeOIDC(t *testing.T, database, secret string, args ...string) *server {
	t.Helper()
	p := program(t, append([]string{
		"serve", "--listen", "127.0.0.1:0", "--database", database, "--oidc-issuer", r.issuer(), "--oidc-client-id", "goalgraph", "--oidc-scopes", "groups",
	}, args...)...)
	p.Path = checked
	p.Env = append(p.Env, "GOALGRAPH_OIDC_CLIENT_SECRET="+secret)
	return p.mustServe(t)
}

// visitor is a browser without a screen: it keeps cookies, and follows where it is told to.
type visitor struct {
	tb     testing.TB
	client *http.Client
}

func newVisitor(tb testing.TB) *visitor {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &visitor{tb, &http.Client{Jar: jar, Timeout: limit, CheckRedirect: client.CheckRedirect}}
}

// do sends a request, and returns the answer.
func (v *visitor) do(request *http.Request, err error) answer {
	v.tb.Helper()
	a, err := doBy(v.client, request, err)
	if err != nil {
		v.tb.Fatal(err)
	}
	return a
}

func (v *visitor) get(address string) answer {
	v.tb.Helper()
	return v.do(http.NewRequest(http.MethodGet, address, nil))
}

// start begins a login at the provider, and returns where that is.
func (v *visitor) start(s *server, next string) string {
	v.tb.Helper()
	a := v.get(s.url + "/auth/oidc/start?next=" + url.QueryEscape(next))
	if a.status != http.StatusFound {
		v.tb.Fatalf("status %d: %s", a.status, a.body)
	}
	return a.header.Get("Location")
}

// come logs in at the provider, and returns where that leads back to.
func (v *visitor) come(to, name string) string {
	v.tb.Helper()
	for range 10 {
		at, err := url.Parse(to)
		if err != nil {
			v.tb.Fatal(err)
		}
		a := v.get(to)
		if a.status == http.StatusOK { // the provider's form
			form := url.Values{"prompt": {"login"}, "login": {name}, "password": {"any"}}
			request, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
			if err == nil {
				request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			a = v.do(request, err)
		}
		next, err := at.Parse(a.header.Get("Location"))
		if err != nil || a.status < 300 || a.status >= 400 {
			v.tb.Fatalf("%s: status %d: %s; %v", to, a.status, a.body, err)
		}
		if to = next.String(); next.Path == "/auth/oidc/callback" {
			return to
		}
	}
	v.tb.Fatal("it leads nowhere")
	return ""
}

// viewer is who the server says it is, with what it may do; empty for nobody.
func (v *visitor) viewer(s *server) string {
	v.tb.Helper()
	a := v.do(graphQLRequest(s.url, `{ viewer { name grants { site { domains } scope } } }`))
	if a.status == http.StatusUnauthorized {
		return ""
	}
	var body struct {
		Data struct {
			Viewer *struct {
				Name   string
				Grants []struct {
					Site  *struct{ Domains []string }
					Scope string
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != http.StatusOK {
		v.tb.Fatalf("status %d, %s; %v", a.status, a.body, err)
	}
	if body.Data.Viewer == nil {
		return ""
	}
	words := []string{body.Data.Viewer.Name}
	for _, grant := range body.Data.Viewer.Grants {
		word := grant.Scope
		if grant.Site != nil {
			word += "@" + grant.Site.Domains[0]
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// change returns an address with another value in its query; without one for an empty value.
func change(tb testing.TB, address, name, value string) string {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	query := u.Query()
	if query.Set(name, value); value == "" {
		query.Del(name)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// A server starts without its provider, and says so to those who want to log in. When the provider is there, people log in
// at it, and what it says of them gives their roles. Whatever does not belong to a login is refused, by the server or by the
// provider. Then somebody does it all in a browser.
func TestOIDCProvider(t *testing.T) {
	t.Parallel()
	database, r := storetest.SQLite(t), newRelay(t)
	mustKey(t, database) // makes the site
	roles := []string{"--oidc-role-claim", "groups", "--oidc-roles", "staff=VIEWER,shop-team=EDITOR@shop.example,root=ADMIN"}
	s := r.mustServeOIDC(t, database, oidcSecret, roles...)
	mistaken := r.mustServeOIDC(t, database, "a secret of nobody", roles...)

	away := newVisitor(t).get(s.url + "/auth/oidc/start")
	if away.status != http.StatusServiceUnavailable || away.header.Get("Retry-After") == "" || !strings.Contains(away.body, "does not answer") {
		t.Errorf("without the provider: %d %v %s", away.status, away.header, away.body)
	}
	if status, checks := s.ready(t); status != http.StatusOK {
		t.Errorf("without the provider it is not ready: %v", checks)
	}
	r.mustProvide(t, false, map[string]any{
		"ada": map[string]any{"groups": []string{"staff", "shop-team"}}, "bob": map[string]any{"groups": "staff"}, "eve": map[string]any{"groups": []string{"visitors"}},
	}, s, mistaken)
	// It looks for the provider again after some seconds. Whoever asks more often is told to wait, too.
	await(t, "the provider is found", func() bool {
		<-time.After(250 * time.Millisecond)
		return newVisitor(t).get(s.url+"/auth/oidc/start").status == http.StatusFound
	})

	ada := newVisitor(t)
	back := ada.come(ada.start(s, "/graphiql/?a=b"), "ada")
	if viewer := newVisitor(t); viewer.get(back).status != http.StatusBadRequest || viewer.viewer(s) != "" {
		t.Error("another browser ends the login")
	}
	if a := ada.get(change(t, back, "state", "x")); a.status != http.StatusBadRequest || !strings.Contains(a.body, "begin it again") || ada.viewer(s) != "" {
		t.Errorf("another state: %d %s", a.status, a.body)
	}
	if a := ada.get(back); a.status != http.StatusFound || a.header.Get("Location") != "/graphiql/?a=b" {
		t.Errorf("the login ends with %d at %s: %s", a.status, a.header.Get("Location"), a.body)
	}
	if viewer := ada.viewer(s); viewer != "ada@shop.example READ EDIT@shop.example" {
		t.Errorf("it is %q", viewer)
	}
	if a := ada.get(back); a.status != http.StatusBadRequest {
		t.Errorf("the same again: %d", a.status)
	}
	bob := newVisitor(t)
	if bob.get(bob.come(bob.start(s, "/"), "bob")); bob.viewer(s) != "bob@shop.example READ" {
		t.Errorf("it is %q", bob.viewer(s))
	}

	refused := func(name, says string, status int, v *visitor, back string) {
		t.Helper()
		if a := v.get(back); a.status != status || !strings.Contains(a.body, says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	eve := newVisitor(t)
	refused("no role", "add you to a group", http.StatusForbidden, eve, eve.come(eve.start(s, "/"), "eve"))
	// The provider keeps codes to the verifiers that they were asked for with: whoever plants a code logs nobody in.
	planted, err := url.Parse(eve.come(eve.start(s, "/"), "eve"))
	if err != nil {
		t.Fatal(err)
	}
	victim := newVisitor(t)
	refused("a planted code", "code cannot be exchanged", http.StatusUnauthorized, victim,
		change(t, victim.come(victim.start(s, "/"), "bob"), "code", planted.Query().Get("code")))
	// It wants PKCE of all, so the server does have it.
	refused("without PKCE", "invalid_request", http.StatusUnauthorized, victim, victim.come(change(t, victim.start(s, "/"), "code_challenge", ""), "bob"))
	refused("a wrong secret of the server", "code cannot be exchanged", http.StatusUnauthorized, victim, victim.come(victim.start(mistaken, "/"), "bob"))
	await(t, "the log says why", func() bool { return strings.Contains(mistaken.stderr.String(), "invalid_client") })
	if log := mistaken.stderr.String(); strings.Contains(log, "a secret of nobody") {
		t.Errorf("the log has a secret:\n%s", log)
	}
	if viewer := victim.viewer(s) + eve.viewer(s); viewer != "" {
		t.Errorf("somebody is %q", viewer)
	}

	browser := browsertest.Open(t, s.url+"/auth/login?next=/graphiql/")
	browser.Run(chromedp.Click(`a[href^="/auth/oidc/start"]`), chromedp.WaitVisible(`input[name="login"]`))
	if at := browser.Text("location.origin"); at != r.issuer() {
		t.Errorf("it leads to %s", at)
	}
	browser.Run(chromedp.SendKeys(`input[name="login"]`, "bob"), chromedp.SendKeys(`input[name="password"]`, "any\r"))
	browser.Await("location.href === '" + s.url + "/graphiql/'")
	browser.Run(chromedp.Navigate(s.url+"/auth/login"), chromedp.WaitVisible("#logout"))
	if text := browser.Text("document.body.innerText"); !strings.Contains(text, "logged in as bob@shop.example") {
		t.Errorf("the page says %s", text)
	}

	// What the provider says in time is known to those who are logged in when it goes.
	late := victim.come(victim.start(s, "/"), "bob")
	r.lead("")
	refused("the provider has gone", "begin it again", http.StatusUnauthorized, victim, late)
	if viewer := ada.viewer(s); viewer != "ada@shop.example READ EDIT@shop.example" {
		t.Errorf("when the provider has gone it is %q", viewer)
	}
	s.mustStop(t)
	mistaken.mustStop(t)
}

// A claim with objects in it gives roles as well, and what the ID token says is enough.
func TestOIDCProviderNestedClaim(t *testing.T) {
	t.Parallel()
	database, r := storetest.SQLite(t), newRelay(t)
	s := r.mustServeOIDC(t, database, oidcSecret, "--oidc-only", "--oidc-role-claim", "realm_access.roles", "--oidc-roles", "goalgraph-admin=ADMIN")
	r.mustProvide(t, true, map[string]any{"ada": map[string]any{"realm_access": map[string]any{"roles": []string{"offline_access", "goalgraph-admin"}}}}, s)
	ada := newVisitor(t)
	if ada.get(ada.come(ada.start(s, "/"), "ada")); ada.viewer(s) != "ada@shop.example ADMIN" {
		t.Errorf("it is %q", ada.viewer(s))
	}
	s.mustStop(t)
}
