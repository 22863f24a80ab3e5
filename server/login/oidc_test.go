package login_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/server/login"
)

// newProvider starts an OpenID provider that gives roles by groups.
func newProvider(t *testing.T, rules ...login.RoleRule) (*mockoidc.MockOIDC, func(*login.Options)) {
	t.Helper()
	provider, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := provider.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	config := provider.Config()
	o := &login.OIDC{Issuer: provider.Issuer(), ClientID: config.ClientID, ClientSecret: config.ClientSecret, Scopes: []string{"groups"}}
	if len(rules) > 0 {
		o.RoleClaim, o.Roles = "groups", rules
	}
	return provider, func(options *login.Options) { options.OIDC, options.Now = o, nil }
}

// start begins a login at the provider, and returns the address that the browser is sent to.
func (b *browser) start(next string) *url.URL {
	b.t.Helper()
	got := b.get("/auth/oidc/start?next=" + url.QueryEscape(next))
	mustStatus(b.t, got, http.StatusFound)
	to, err := got.Location()
	if err != nil {
		b.t.Fatal(err)
	}
	return to
}

// come goes to the provider as a user, and returns where that sends the browser back to.
func (b *browser) come(provider *mockoidc.MockOIDC, user *mockoidc.MockUser, to *url.URL) *url.URL {
	b.t.Helper()
	provider.QueueUser(user)
	got, err := b.client.Get(to.String())
	if err != nil {
		b.t.Fatal(err)
	}
	defer got.Body.Close()
	back, err := got.Location()
	if err != nil {
		b.t.Fatal(err)
	}
	return back
}

// end comes back from the provider.
func (b *browser) end(back *url.URL) *response {
	b.t.Helper()
	return b.get(back.RequestURI())
}

func userAs(subject, email string, groups ...string) *mockoidc.MockUser {
	return &mockoidc.MockUser{Subject: subject, Email: email, EmailVerified: true, PreferredUsername: "user-" + subject, Groups: groups}
}

func rule(t *testing.T, text string) login.RoleRule {
	t.Helper()
	r, err := login.ParseRoleRule(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOIDC(t *testing.T) {
	provider, at := newProvider(t, rule(t, "staff=viewer"), rule(t, "shop-team=EDITOR@shop.example"), rule(t, "nowhere=ADMIN@nowhere.example"), rule(t, "root=ADMIN"))
	s := newSite(t, at)
	shop := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := s.store.CreateSite(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	ada, b := userAs("1", "ada@shop.example", "staff", "shop-team"), newBrowser(t, s)
	to := b.start("/graphiql/?a=b")
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if to.Query().Get(name) == "" {
			t.Errorf("%s lacks %s", to, name)
		}
	}
	if to.Query().Get("code_challenge_method") != "S256" || to.Query().Get("response_type") != "code" {
		t.Error(to)
	}
	before := b.cookie()
	if me := b.me(); me != "401" {
		t.Errorf("on the way to the provider it is %q", me)
	}
	back := b.come(provider, ada, to)
	got := b.end(back)
	mustStatus(t, got, http.StatusFound)
	if got.Header.Get("Location") != "/graphiql/?a=b" || b.me() != "ada@shop.example" || b.cookie() == before {
		t.Errorf("to %s as %q", got.Header.Get("Location"), b.me())
	}
	// What it came with is used up, and of no use to others.
	mustStatus(t, b.end(back), http.StatusBadRequest)
	mustStatus(t, newBrowser(t, s).end(back), http.StatusBadRequest)

	roles := func() []model.SiteRole {
		t.Helper()
		user, err := s.store.UserByName(t.Context(), "ada@shop.example")
		if err != nil {
			t.Fatal(err)
		}
		if user.Subject != provider.Issuer()+" 1" || user.CreatedBy != strings.TrimPrefix(provider.Addr(), "http://") {
			t.Errorf("%+v", user)
		}
		return user.Roles
	}
	if got := roles(); !slices.Equal(got, []model.SiteRole{{Site: 0, Role: model.Viewer}, {Site: shop.ID, Role: model.Editor}}) {
		t.Errorf("roles %v", got)
	}
	// They follow the claim, down to none, in logins that there are already.
	logIn := func(b *browser, user *mockoidc.MockUser, status int) *response {
		t.Helper()
		got := b.end(b.come(provider, user, b.start("/")))
		mustStatus(t, got, status)
		return got
	}
	logIn(newBrowser(t, s), userAs("1", "ada@shop.example", "staff", "root", "nowhere"), http.StatusFound)
	if got := roles(); !slices.Equal(got, []model.SiteRole{{Site: 0, Role: model.Admin}}) {
		t.Errorf("roles %v", got)
	}
	refused := logIn(newBrowser(t, s), userAs("1", "ada@shop.example", "visitors"), http.StatusForbidden)
	if got := roles(); len(got) != 0 || !strings.Contains(refused.body, "add you to a group") {
		t.Errorf("roles %v, %s", got, refused.body)
	}
	logIn(newBrowser(t, s), userAs("2", "nobody@shop.example"), http.StatusForbidden)
	if _, err := s.store.UserByName(t.Context(), "nobody@shop.example"); model.CodeOf(err) != model.NotFound {
		t.Errorf("a user without a role was created: %v", err)
	}

	// A name gives nobody the account of another: neither one with a password, nor another subject's.
	s.mustCreate(t, "eve@shop.example", good)
	for _, subject := range []string{"3", "4", "5"} {
		other := newBrowser(t, s)
		logIn(other, userAs(subject, "Eve@shop.example", "staff"), http.StatusFound)
		if me := other.me(); me == "eve@shop.example" || me == "" || me == "401" {
			t.Errorf("subject %s is %q", subject, me)
		}
	}
	mustStatus(t, newBrowser(t, s).logIn("ada@shop.example", ""), http.StatusUnauthorized)
	if user, err := s.store.UserByName(t.Context(), "ada@shop.example"); err != nil {
		t.Error(err)
	} else if _, err := s.NewLink(t.Context(), user.ID); model.CodeOf(err) != model.FailedPrecondition {
		t.Errorf("a link for a user of the provider: %v", err)
	}

	// Whoever is disabled here stays out, with the cookie of before as well.
	user, err := s.store.UserBySubject(t.Context(), provider.Issuer()+" 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.UpdateUser(t.Context(), user.ID, func(u *model.User) error { u.DisabledAt = 1; return nil }); err != nil {
		t.Fatal(err)
	}
	logIn(newBrowser(t, s), ada, http.StatusForbidden)
	if me := b.me(); me != "401" {
		t.Errorf("the cookie of a disabled user is of %q", me)
	}
}

// Two tabs go to the provider, and come back in any order. A login that there is stays until one of them is back.
func TestOIDCTabs(t *testing.T) {
	provider, at := newProvider(t)
	s := newSite(t, at)
	s.mustCreate(t, "Eve", good)
	b := newBrowser(t, s)
	mustStatus(t, b.logIn("Eve", good), http.StatusOK)
	first, second := b.start("/first"), b.start("/second")
	if me := b.me(); me != "Eve" {
		t.Errorf("on the way it is %q", me)
	}
	ada := userAs("1", "ada@shop.example")
	for i, to := range []*url.URL{second, first} {
		back := b.come(provider, ada, to)
		got := b.end(back)
		if i == 1 { // the first one back has begun another login
			mustStatus(t, got, http.StatusBadRequest)
			continue
		}
		mustStatus(t, got, http.StatusFound)
		if got.Header.Get("Location") != "/second" || b.me() != "ada@shop.example" {
			t.Errorf("to %s as %q", got.Header.Get("Location"), b.me())
		}
	}
	// Without rules, administrators give roles: there are none at first.
	if user, err := s.store.UserByName(t.Context(), "ada@shop.example"); err != nil || len(user.Roles) != 0 {
		t.Errorf("%+v, %v", user, err)
	}
}

func TestOIDCRefused(t *testing.T) {
	provider, at := newProvider(t)
	s := newSite(t, at)
	ada := userAs("1", "ada@shop.example")
	change := func(back *url.URL, name, value string) *url.URL {
		query, changed := back.Query(), *back
		query.Set(name, value)
		changed.RawQuery = query.Encode()
		return &changed
	}
	b := newBrowser(t, s)
	for _, test := range []struct {
		name   string
		back   func(*url.URL) *url.URL
		status int
		says   string
	}{
		{"another state", func(back *url.URL) *url.URL { return change(back, "state", "x") }, 400, "begin it again"},
		{"another code", func(back *url.URL) *url.URL { return change(back, "code", "secret-code") }, 401, "code cannot be exchanged"},
		{"refused", func(back *url.URL) *url.URL { return change(back, "error", "access_denied") }, 403, "refused access"},
		{"an error", func(back *url.URL) *url.URL { return change(back, "error", "<script>") }, 401, "&lt;script&gt;"},
	} {
		got := b.end(test.back(b.come(provider, ada, b.start("/"))))
		if got.StatusCode != test.status || !strings.Contains(got.body, test.says) {
			t.Errorf("%s: status %d: %s", test.name, got.StatusCode, got.body)
		}
	}
	// A code of another flow does not fit the verifier of this one: whoever plants a code logs nobody in.
	planted := newBrowser(t, s)
	eves := planted.come(provider, userAs("6", "eve@shop.example"), planted.start("/"))
	victims := b.come(provider, ada, b.start("/"))
	mustStatus(t, b.end(change(victims, "code", eves.Query().Get("code"))), http.StatusUnauthorized)

	for _, code := range []string{"invalid_client", "server_error"} {
		back := b.come(provider, ada, b.start("/"))
		for range 2 { // the client may try both ways to send its secret
			provider.QueueError(&mockoidc.ServerError{Code: http.StatusInternalServerError, Error: code, Description: "the secret is hunter2"})
		}
		mustStatus(t, b.end(back), http.StatusUnauthorized)
	}
	if me := b.me(); me != "401" {
		t.Errorf("logged in as %q", me)
	}
	users, err := s.store.Users(t.Context())
	if err != nil || len(users) != 0 {
		t.Errorf("users %+v, %v", users, err)
	}
	log := s.log.String()
	if !strings.Contains(log, "invalid_client") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	for _, secret := range []string{"hunter2", "secret-code", provider.Config().ClientSecret, victims.Query().Get("code")} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
}

// A server starts without its provider, says so to those who want to log in, and goes on when it is there.
func TestOIDCAway(t *testing.T) {
	s := newSite(t, func(o *login.Options) {
		o.OIDC = &login.OIDC{Issuer: "http://127.0.0.1:1", ClientID: "goalgraph", Client: &http.Client{Timeout: time.Second}}
	})
	for range 2 {
		got := newBrowser(t, s).get("/auth/oidc/start")
		mustStatus(t, got, http.StatusServiceUnavailable)
		if !strings.Contains(got.body, "--oidc-issuer") {
			t.Error(got.body)
		}
	}
	s.mustCreate(t, "Ada", good)
	mustStatus(t, newBrowser(t, s).logIn("Ada", good), http.StatusOK)
	s.CheckProvider(t.Context())
	if log := s.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "issuer=http://127.0.0.1:1") {
		t.Errorf("it does not warn: %s", log)
	}
}

func TestOIDCOptions(t *testing.T) {
	role := []login.RoleRule{{Value: "staff", Role: model.Viewer}}
	for name, o := range map[string]login.OIDC{
		"issuer without TLS": {Issuer: "http://id.example", ClientID: "x"}, "no issuer": {ClientID: "x"}, "no client": {Issuer: "https://id.example"},
		"roles without a claim": {Issuer: "https://id.example", ClientID: "x", Roles: role}, "claim without roles": {Issuer: "https://id.example", ClientID: "x", RoleClaim: "groups"},
	} {
		if _, err := login.New(t.Context(), login.Options{PublicURL: "https://stats.example", OIDC: &o}); model.CodeOf(err) != model.BadInput {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]login.RoleRule{
		"staff=viewer": {Value: "staff", Role: model.Viewer}, "*=EDITOR": {Value: "*", Role: model.Editor},
		"cn=team,dc=x=admin@shop.example": {Value: "cn=team,dc=x", Role: model.Admin, Domain: "shop.example"},
	} {
		if got := rule(t, text); got != want {
			t.Errorf("%s is %+v", text, got)
		}
	}
	for _, text := range []string{"", "staff", "=ADMIN", "staff=", "staff=OWNER", "staff=ADMIN@", " =ADMIN"} {
		if got, err := login.ParseRoleRule(text); model.CodeOf(err) != model.BadInput {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}
