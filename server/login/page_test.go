package login_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/server/login"
)

// Pages load nothing from elsewhere, and have no script or style that the policy would have to let in.
var inline = regexp.MustCompile(`<style|<script[^>]*>[^<]|\sstyle=|\son[a-z]+=|(src|href|action)="(https?:)?//`)

func TestPages(t *testing.T) {
	plain := newSite(t)
	plain.mustCreate(t, `<b>"Ada"</b>`, good)
	both := newSite(t, func(o *login.Options) { o.OIDC = &login.OIDC{Issuer: "https://id.example", ClientID: "goalgraph"} })
	only := newSite(t, func(o *login.Options) {
		o.OIDC, o.OIDCOnly = &login.OIDC{Issuer: "https://id.example", ClientID: "goalgraph"}, true
	})
	in := newBrowser(t, plain)
	mustStatus(t, in.logIn(`<b>"Ada"</b>`, good), http.StatusOK)
	for _, test := range []struct {
		browser   *browser
		path      string
		status    int
		has, lack []string
	}{
		{newBrowser(t, plain), "/auth/login", 200, []string{`<label for="password">`, `data-next="/"`}, []string{"/auth/oidc/", "logout"}},
		{newBrowser(t, plain), "/auth/login?next=/graphiql/%3Fa%3D%22%3E%3Cscript%3E", 200, []string{`data-next="/graphiql/?a=&#34;&gt;&lt;script&gt;"`}, nil},
		{newBrowser(t, plain), "/auth/login?next=//evil.example", 200, []string{`data-next="/"`}, []string{"evil"}},
		{in, "/auth/login?next=/graphiql/", 200, []string{"&lt;b&gt;&#34;Ada&#34;&lt;/b&gt;", `href="/graphiql/"`, "logout-everywhere"}, []string{"<b>"}},
		{newBrowser(t, both), "/auth/login?next=/x", 200, []string{"Log in at id.example", `/auth/oidc/start?next=%2Fx"`, `id="password"`}, nil},
		{newBrowser(t, only), "/auth/login", 200, []string{"Log in at id.example"}, []string{"password"}},
		{newBrowser(t, plain), "/auth/password", 200, []string{`minlength="10"`}, nil},
		{newBrowser(t, only), "/auth/password", 200, []string{"switched off"}, []string{"<form"}},
		{newBrowser(t, plain), "/auth/oidc/start", 404, []string{"no OpenID provider"}, nil},
		{newBrowser(t, both), "/auth/oidc/callback?state=x&code=y", 400, []string{"not begun in this browser"}, nil},
	} {
		got := test.browser.get(test.path)
		mustStatus(t, got, test.status)
		for _, text := range test.has {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s lacks %s:\n%s", test.path, text, got.body)
			}
		}
		for _, text := range test.lack {
			if strings.Contains(got.body, text) {
				t.Errorf("%s has %s:\n%s", test.path, text, got.body)
			}
		}
		if found := inline.FindString(got.body); found != "" || !strings.HasSuffix(strings.TrimSpace(got.body), "</html>") {
			t.Errorf("%s has %q, or does not end:\n%s", test.path, found, got.body)
		}
		policy := got.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", test.path, got.Header)
		}
	}
	for name, kind := range map[string]string{"style.css": "text/css", "login.js": "text/javascript", "password.js": "text/javascript"} {
		got := newBrowser(t, plain).get("/auth/" + name)
		mustStatus(t, got, http.StatusOK)
		if !strings.HasPrefix(got.Header.Get("Content-Type"), kind) || got.body == "" {
			t.Errorf("%s: %v", name, got.Header)
		}
	}
	mustStatus(t, newBrowser(t, plain).get("/auth/login.html"), http.StatusNotFound)

	// Where passwords are switched off, none is taken, and no link is given.
	before := only.Hashed()
	mustStatus(t, newBrowser(t, only).logIn("Ada", good), http.StatusConflict)
	mustStatus(t, newBrowser(t, only).post("/auth/password", map[string]string{"token": "x", "password": good}), http.StatusConflict)
	if _, err := only.NewLink(t.Context(), 1); err == nil || only.Hashed() != before {
		t.Errorf("%v, %d hashes", err, only.Hashed()-before)
	}
}
