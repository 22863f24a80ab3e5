package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/goalgraph/goalgraph/model"
)

const (
	startPath    = "/auth/oidc/start"
	callbackPath = "/auth/oidc/callback"
	// flowLimit is how long someone may take at the provider.
	flowLimit = 10 * time.Minute
	// mostFlows is how many tabs of a browser may be at the provider at once.
	mostFlows = 5
	// flowsValue is under which a login keeps them.
	flowsValue = "flows"
	// providerPatience bounds a request to the provider.
	providerPatience = 10 * time.Second
	// retryPause is how long after a failure nobody asks for the provider's configuration again.
	retryPause = 5 * time.Second
)

// OIDC are the settings of an OpenID provider.
type OIDC struct {
	// Issuer is the provider's address: its configuration is at /.well-known/openid-configuration under it.
	Issuer                 string
	ClientID, ClientSecret string
	// Scopes are asked for beside openid, profile and email. Some providers tell of groups only to those who ask.
	Scopes []string
	// RoleClaim is the claim with a user's groups or roles, of the ID token or else of the user's info. A dot leads into an
	// object: realm_access.roles.
	RoleClaim string
	// Roles says which values of the claim give which role. Without any, administrators give roles to users who have logged
	// in once.
	Roles []RoleRule
	// Client makes the requests to the provider; one with a time limit by default.
	Client *http.Client
}

// provider is an OpenID provider. Its configuration is read when it is first needed, so that a server starts without it.
type provider struct {
	o    *OIDC
	name string
	// callback is the address that it sends people back to.
	callback string

	mu     sync.Mutex
	found  *oidc.Provider
	client *oauth2.Config // remembers how the provider wants the secret
	failed time.Time
	err    error
}

func newProvider(o *OIDC, callback string) (*provider, error) {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Host == "" || issuer.Scheme != "https" && (issuer.Scheme != "http" || !isLoopback(issuer.Hostname())) {
		return nil, model.Invalid("--oidc-issuer", "%.100q is not an address with https; copy it from the provider, like https://id.example/realm", o.Issuer)
	}
	if o.ClientID == "" {
		return nil, model.Invalid("--oidc-client-id", "is missing; register the server at the provider, with the redirect URI %s", callback)
	}
	if (o.RoleClaim == "") != (len(o.Roles) == 0) {
		return nil, model.Invalid("--oidc-roles", "and --oidc-role-claim need each other; give both, or neither")
	}
	own := *o
	if own.Client == nil {
		own.Client = &http.Client{Timeout: providerPatience}
	}
	return &provider{o: &own, name: issuer.Host, callback: callback}, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// config returns the provider and how this server talks to it.
func (p *provider) config(ctx context.Context, now time.Time) (*oidc.Provider, *oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		if p.err != nil && now.Sub(p.failed) < retryPause {
			return nil, nil, p.err
		}
		// What is read now is for those who come later, too. go-oidc keeps the context for the keys.
		found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.o.Client), p.o.Issuer)
		if err != nil {
			p.failed, p.err = now, &model.Error{
				Code: model.Unavailable, Message: "the OpenID provider " + p.name + " does not answer as one; try again, or ask an administrator to look at --oidc-issuer", Cause: err,
			}
			return nil, nil, p.err
		}
		p.found, p.err = found, nil
		p.client = &oauth2.Config{
			ClientID: p.o.ClientID, ClientSecret: p.o.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.callback,
			Scopes: append([]string{oidc.ScopeOpenID, "profile", "email"}, p.o.Scopes...),
		}
	}
	return p.found, p.client, nil
}

// CheckProvider warns in the log if there is an OpenID provider and it does not answer as one. It keeps nothing of the
// answer: a login asks again.
func (l *Logins) CheckProvider(ctx context.Context) {
	if l.provider == nil {
		return
	}
	_, err := oidc.NewProvider(oidc.ClientContext(ctx, l.provider.o.Client), l.provider.o.Issuer)
	if err != nil && ctx.Err() == nil {
		l.o.Log.WarnContext(ctx, "the OpenID provider does not answer as one, so nobody can log in there; look at --oidc-issuer",
			"issuer", l.provider.o.Issuer, "error", err)
	}
}

// A flow is somebody's way to the provider and back. It is kept in the login of the browser that began it, so another
// browser cannot end it.
type flow struct {
	State    string       `json:"state"`
	Nonce    string       `json:"nonce"`
	Verifier string       `json:"verifier"`
	Next     string       `json:"next"`
	Begun    model.Millis `json:"begun"`
}

// flows returns what the login of the context keeps, without what took too long.
func (l *Logins) flows(ctx context.Context) (flows []flow) {
	// What does not parse is not of this version, and counts as none.
	_ = json.Unmarshal([]byte(l.sessions.GetString(ctx, flowsValue)), &flows)
	oldest := model.MillisOf(l.o.Now().Add(-flowLimit))
	return slices.DeleteFunc(flows, func(f flow) bool { return f.Begun < oldest })
}

func (l *Logins) keepFlows(ctx context.Context, flows []flow) error {
	text, err := json.Marshal(flows[max(0, len(flows)-mostFlows):])
	if err == nil {
		l.sessions.Put(ctx, flowsValue, string(text))
	}
	return err
}

// startOIDC sends the browser to the provider.
func (l *Logins) startOIDC(w http.ResponseWriter, r *http.Request) {
	address, err := l.startFlow(w, r)
	if err != nil {
		l.showError(w, r, err)
		return
	}
	http.Redirect(w, r, address, http.StatusFound)
}

func (l *Logins) startFlow(w http.ResponseWriter, r *http.Request) (address string, err error) {
	if l.provider == nil {
		return "", errNoProvider()
	}
	if wait := l.attempts.flow(addressIn(r.Context())); wait > 0 {
		return "", &limited{wait}
	}
	_, config, err := l.provider.config(r.Context(), l.o.Now())
	if err != nil {
		return "", err
	}
	ctx, _, err := l.load(r)
	if err != nil {
		return "", err
	}
	f := flow{rand.Text(), rand.Text(), oauth2.GenerateVerifier(), localPath(r.URL.Query().Get("next")), model.MillisOf(l.o.Now())}
	if err := l.keepFlows(ctx, append(l.flows(ctx), f)); err != nil {
		return "", err
	}
	if err := l.commit(ctx, w); err != nil {
		return "", err
	}
	return config.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), nil
}

func errNoProvider() error {
	return model.Errorf(model.NotFound, "this server has no OpenID provider; log in by a password, or start it with --oidc-issuer")
}

// endOIDC takes the browser back from the provider, and logs its user in.
func (l *Logins) endOIDC(w http.ResponseWriter, r *http.Request) {
	next, err := l.endFlow(w, r)
	if err != nil {
		l.counter.WithLabelValues("refused").Inc()
		l.showError(w, r, err)
		return
	}
	l.counter.WithLabelValues("ok").Inc()
	http.Redirect(w, r, next, http.StatusFound)
}

func (l *Logins) endFlow(w http.ResponseWriter, r *http.Request) (next string, err error) {
	if l.provider == nil {
		return "", errNoProvider()
	}
	f, err := l.takeFlow(r)
	if err != nil {
		return "", err
	}
	claims, err := l.claims(r, f)
	if err != nil {
		return "", err
	}
	user, err := l.userOf(r.Context(), claims)
	if err != nil {
		return "", err
	}
	return f.Next, l.begin(w, r, user)
}

// takeFlow returns the flow that the request ends, which no other request can end after it.
func (l *Logins) takeFlow(r *http.Request) (f flow, err error) {
	ctx, v, err := l.load(r)
	if err != nil {
		return f, err
	}
	state := r.URL.Query().Get("state")
	flows := l.flows(ctx)
	i := slices.IndexFunc(flows, func(f flow) bool { return f.State == state })
	if i < 0 || v.found == "" {
		return f, model.Errorf(model.BadInput, "this login was not begun in this browser, or took longer than %d minutes; begin it again", int(flowLimit.Minutes()))
	}
	f = flows[i]
	if err := l.keepFlows(ctx, slices.Delete(flows, i, i+1)); err != nil {
		return f, err
	}
	if _, _, err := l.sessions.Commit(ctx); err != nil {
		return f, err
	}
	return f, nil
}

// claims returns what the provider says of the user who comes back from it.
func (l *Logins) claims(r *http.Request, f flow) (claims, error) {
	query := r.URL.Query()
	if refused := query.Get("error"); refused != "" {
		if refused == "access_denied" {
			return claims{}, model.Errorf(model.Forbidden, "the OpenID provider %s refused access; ask its administrator for it", l.provider.name)
		}
		return claims{}, l.refused(r, "the provider answers "+clip(refused, 100), nil)
	}
	ctx := oidc.ClientContext(r.Context(), l.provider.o.Client)
	found, config, err := l.provider.config(r.Context(), l.o.Now())
	if err != nil {
		return claims{}, err
	}
	token, err := config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return claims{}, l.refused(r, "the code cannot be exchanged", err)
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := found.VerifierContext(ctx, &oidc.Config{ClientID: l.provider.o.ClientID, Now: l.o.Now}).Verify(ctx, raw)
	switch {
	case err != nil:
		return claims{}, l.refused(r, "the ID token does not hold", err)
	case idToken.Nonce != f.Nonce:
		return claims{}, l.refused(r, "the ID token is for another login", nil)
	}
	c := claims{issuer: idToken.Issuer, subject: idToken.Subject}
	if err := idToken.Claims(&c.values); err != nil {
		return claims{}, l.refused(r, "the ID token has no claims", err)
	}
	if l.provider.o.RoleClaim != "" && c.at(l.provider.o.RoleClaim) != nil || found.UserInfoEndpoint() == "" {
		return c, nil
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return claims{}, l.refused(r, "the user's info cannot be read", err)
	}
	if info.Subject != idToken.Subject {
		return claims{}, l.refused(r, "the user's info is of another user", nil)
	}
	var more map[string]any
	if err := info.Claims(&more); err != nil {
		return claims{}, l.refused(r, "the user's info has no claims", err)
	}
	for name, value := range more {
		if _, known := c.values[name]; !known {
			c.values[name] = value
		}
	}
	return c, nil
}

// refused logs why a login at the provider failed, and returns what people are told. Errors of requests for tokens are told by
// their codes alone: the rest of them may hold secrets.
func (l *Logins) refused(r *http.Request, why string, err error) error {
	if failed, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		err = errors.New("error " + cmp.Or(clip(failed.ErrorCode, 100), "without a code") + ", status " + failed.Response.Status)
	}
	l.o.Log.WarnContext(r.Context(), "a login at the OpenID provider failed", "provider", l.provider.name, "reason", why, "error", err)
	return model.Errorf(model.Unauthenticated, "the login at %s failed; begin it again, and ask an administrator if it fails once more (%s)", l.provider.name, strings.TrimSpace(why))
}
