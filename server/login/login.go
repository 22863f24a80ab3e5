// Package login is how people log in: by a name and a password, or at an OpenID provider. It answers what is under /auth/.
//
// A login is a row of the store and a cookie. The cookie's value is random, and the store has its SHA-256 alone. A login
// ends when it is not used for a while, at a deadline, by logging out, and when the user is disabled or the password changes.
// It has a new value whenever someone logs in, so nobody can log others in by a cookie that was planted before.
//
// Passwords are hashed by argon2id, which is slow on purpose, so attempts are limited (attempt.go) and take turns (queue.go).
// Nothing is locked: no number of wrong passwords keeps out who is right and comes from elsewhere. A wrong name and a wrong
// password are told in the same words, after the same work.
//
// Administrators never know passwords: they pass on a link by which the user sets one, once. It has its secret behind the #,
// where it reaches no server's log and no Referer.
package login

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// The times of a login, unless Options says otherwise.
const (
	DefaultIdle     = 24 * time.Hour
	DefaultLifetime = 30 * 24 * time.Hour
)

const (
	// linkLimit is how long a link holds by which a password is set.
	linkLimit = 24 * time.Hour
	// touchPause is the time between two writings of when logins were last used.
	touchPause = time.Minute
	// prunePause is the time between two deletions of what has expired.
	prunePause = time.Hour
	// patience bounds a statement that no request waits for.
	patience = 5 * time.Second
)

// Options are the settings of Logins.
type Options struct {
	Store *store.Store
	// Again returns a user as it is now, by the hash of the login in Principal.Login. The error is Unauthenticated if the
	// login has ended, or the user is disabled. It is called for each request with a cookie. By default it reads the store.
	Again func(context.Context, *model.Principal) (*model.Principal, error)
	// PublicURL is the address that people have of the server, like https://stats.example. Links begin with it. With https
	// cookies are sent by TLS only.
	PublicURL string
	// Idle is how long a login lasts that is not used, and Lifetime how long any lasts.
	Idle, Lifetime time.Duration
	// OIDC is the OpenID provider; nil for none. OIDCOnly switches passwords off.
	OIDC     *OIDC
	OIDCOnly bool
	// Metrics counts attempts to log in; nobody does by default.
	Metrics prometheus.Registerer
	// Log takes what went wrong; nobody does by default.
	Log *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Logins are the logins of people. They are safe for use by several goroutines.
type Logins struct {
	o        Options
	sessions *scs.SessionManager
	hasher   *hasher
	attempts *attempts
	provider *provider // nil without one
	counter  *prometheus.CounterVec

	mu   sync.Mutex
	used map[string]model.Millis
}

// New returns Logins. Run keeps them up to date. The error is BadInput for options that do not go together. Where passwords are
// switched off, logins by them end.
func New(ctx context.Context, o Options) (*Logins, error) {
	public, err := url.Parse(o.PublicURL)
	if err != nil || public.Host == "" || public.Scheme != "http" && public.Scheme != "https" {
		return nil, model.Invalid("--public-url", "%.100q is not a web address; write it like https://stats.example", o.PublicURL)
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	if o.Lifetime == 0 {
		o.Lifetime = DefaultLifetime
	}
	if o.Idle < 5*touchPause {
		return nil, model.Invalid("--login-idle", "is %s; give at least %s", o.Idle, 5*touchPause)
	}
	if o.Lifetime < o.Idle {
		return nil, model.Invalid("--login-lifetime", "is %s; give at least the %s of --login-idle", o.Lifetime, o.Idle)
	}
	if o.OIDCOnly && o.OIDC == nil {
		return nil, model.Invalid("--oidc-only", "needs an OpenID provider; give --oidc-issuer")
	}
	if o.Again == nil {
		o.Again = again(o.Store)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Logins{o: o, hasher: newHasher(parameters), attempts: newAttempts(o.Now), used: map[string]model.Millis{}}
	l.sessions = newSessions(public.Scheme == "https", o.Lifetime, records{o.Store, o.Now, o.Idle})
	if o.OIDC != nil {
		if l.provider, err = newProvider(o.OIDC, o.PublicURL+callbackPath); err != nil {
			return nil, err
		}
	}
	if o.OIDCOnly {
		if err := l.endPasswordLogins(ctx); err != nil {
			return nil, err
		}
	}
	l.counter = promauto.With(o.Metrics).NewCounterVec(prometheus.CounterOpts{
		Name: "goalgraph_logins_total",
		Help: "Attempts to log in, by what came of them: ok, wrong (name or password), limited (too many failures), busy, refused (by the OpenID provider or its roles).",
	}, []string{"result"})
	return l, nil
}

func (l *Logins) endPasswordLogins(ctx context.Context) error {
	users, err := l.o.Store.Users(ctx)
	for i := 0; err == nil && i < len(users); i++ {
		if users[i].Subject == "" {
			err = l.o.Store.EndLoginsOf(ctx, users[i].ID, "")
		}
	}
	return err
}

// Register adds the routes under /auth/.
func (l *Logins) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /auth/login", l.loginPage)
	mux.HandleFunc("POST /auth/login", l.logIn)
	mux.HandleFunc("POST /auth/logout", l.logOut)
	mux.HandleFunc("GET /auth/password", l.passwordPage)
	mux.HandleFunc("POST /auth/password", l.setPassword)
	mux.HandleFunc("GET "+startPath, l.startOIDC)
	mux.HandleFunc("GET "+callbackPath, l.endOIDC)
	for name := range assets {
		mux.HandleFunc("GET /auth/"+name, serveAsset(name))
	}
}

// Run notes when logins are used, and deletes those that have expired, until the context is done.
func (l *Logins) Run(ctx context.Context) {
	touches, prunes := time.NewTicker(touchPause), time.NewTicker(prunePause)
	defer touches.Stop()
	defer prunes.Stop()
	for {
		select {
		case <-ctx.Done():
			l.touch(context.WithoutCancel(ctx))
			return
		case <-touches.C:
			l.touch(ctx)
		case <-prunes.C:
			l.prune(ctx)
		}
	}
}

// Principal returns the user of the request's cookie: nil without a cookie. The error is Unauthenticated for a cookie whose
// login has ended.
func (l *Logins) Principal(ctx context.Context, r *http.Request) (*model.Principal, error) {
	token, isToken := l.token(r)
	if token == "" {
		return nil, nil
	}
	if !isToken {
		return nil, errEnded()
	}
	hash := hashOf(token)
	principal, err := l.o.Again(ctx, &model.Principal{Kind: model.UserPrincipal, Login: hash})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[hash] = model.MillisOf(l.o.Now())
	return principal, nil
}

// again looks users up in a store.
func again(st *store.Store) func(context.Context, *model.Principal) (*model.Principal, error) {
	return func(ctx context.Context, p *model.Principal) (*model.Principal, error) {
		known, err := st.Login(ctx, p.Login)
		if err != nil {
			return nil, endedIfGone(err)
		}
		user, err := st.User(ctx, known.UserID)
		switch {
		case err != nil:
			return nil, endedIfGone(err)
		case user.DisabledAt != 0:
			return nil, errEnded()
		}
		principal := user.Principal()
		principal.Login, principal.Expires = p.Login, known.ExpiresAt
		return principal, nil
	}
}

func endedIfGone(err error) error {
	if model.CodeOf(err) == model.NotFound {
		return errEnded()
	}
	return err
}

func errEnded() error {
	return model.Errorf(model.Unauthenticated, "the login has ended; log in again")
}

// touch writes when logins were last used. One that is used for a minute costs one write, not one a request.
func (l *Logins) touch(ctx context.Context) {
	l.mu.Lock()
	used := l.used
	l.used = map[string]model.Millis{}
	l.mu.Unlock()
	for hash, at := range used {
		limited, cancel := context.WithTimeout(ctx, patience)
		err := l.o.Store.TouchLogin(limited, hash, at, l.o.Idle, l.o.Lifetime)
		cancel()
		if err != nil && model.CodeOf(err) != model.NotFound {
			l.o.Log.WarnContext(ctx, "cannot note which logins are used; they may end too early", "error", err)
			return
		}
	}
}

func (l *Logins) prune(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := l.o.Store.PruneLogins(ctx); err != nil {
		l.o.Log.WarnContext(ctx, "cannot delete logins that have expired", "error", err)
	}
}

// NewLink returns a link by which a user sets a password, once, within a day. It takes the place of earlier ones and of the
// password, and the user's logins end. The error is NotFound if there is no such user, and FailedPrecondition for one who is
// disabled or logs in at an OpenID provider.
func (l *Logins) NewLink(ctx context.Context, user int64) (string, error) {
	if l.o.OIDCOnly {
		return "", errOIDCOnly()
	}
	secret := rand.Text() // 130 bits
	if err := l.o.Store.CreatePasswordLink(ctx, user, model.HashOf(secret), model.MillisOf(l.o.Now().Add(linkLimit))); err != nil {
		return "", err
	}
	return l.o.PublicURL + "/auth/password#" + secret, nil
}

// NoLinks returns why there are no links where passwords are switched off; nil where they are not.
func NoLinks(oidcOnly bool) error {
	if !oidcOnly {
		return nil
	}
	return errOIDCOnly()
}

func errOIDCOnly() error {
	return model.Errorf(model.FailedPrecondition, "passwords are switched off on this server; log in at the OpenID provider")
}
