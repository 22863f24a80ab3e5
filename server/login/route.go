package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goalgraph/goalgraph/model"
)

// mostBody is how long a body may be: a name and a password, in JSON.
const mostBody = 8 << 10

// maxUserAgent is how much of a User-Agent is kept.
const maxUserAgent = 300

// logIn takes a name and a password, and answers with a cookie and the user's name.
func (l *Logins) logIn(w http.ResponseWriter, r *http.Request) {
	var credentials struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	if err := readJSON(w, r, &credentials); err != nil {
		l.refuse(w, r, err)
		return
	}
	user, err := l.check(r.Context(), credentials.Name, credentials.Password)
	if err == nil {
		err = l.begin(w, r, user)
	}
	if err != nil {
		l.refuse(w, r, err)
		return
	}
	l.counter.WithLabelValues("ok").Inc()
	answer(w, http.StatusOK, map[string]string{"name": user.Name})
}

// check returns the user with the name and the password.
func (l *Logins) check(ctx context.Context, name, password string) (*model.User, error) {
	if l.o.OIDCOnly {
		return nil, errOIDCOnly()
	}
	address := addressIn(ctx)
	attempt, wait := l.attempts.begin(name, address)
	if wait > 0 {
		l.counter.WithLabelValues("limited").Inc()
		return nil, &limited{wait}
	}
	id, hash, err := l.o.Store.Password(ctx, name)
	if err != nil && model.CodeOf(err) != model.NotFound {
		attempt.undo()
		return nil, err
	}
	ok, err := l.hasher.matches(ctx, attempt.rank, networkOf(address), password, hash)
	if err != nil {
		if model.CodeOf(err) == model.ResourceExhausted {
			l.counter.WithLabelValues("busy").Inc()
		}
		attempt.undo()
		return nil, err
	}
	if !ok {
		l.counter.WithLabelValues("wrong").Inc()
		l.o.Log.InfoContext(ctx, "a name and a password were refused", "address", address, "user", id)
		return nil, model.Errorf(model.Unauthenticated, "the name or the password is wrong")
	}
	attempt.succeeded()
	user, err := l.o.Store.User(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case user.DisabledAt != 0:
		return nil, model.Errorf(model.Forbidden, "this user is disabled; ask an administrator")
	}
	// What is stored now is what must be stored still when the login is.
	user.Password = hash
	return user, nil
}

// begin begins a login with a new cookie. The one that the request came with ends.
func (l *Logins) begin(w http.ResponseWriter, r *http.Request, user *model.User) error {
	ctx, v, err := l.load(r)
	if err != nil {
		return err
	}
	if err := l.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := l.sessions.RenewToken(ctx); err != nil {
		return err
	}
	v.user = user
	l.sessions.SetDeadline(ctx, l.o.Now().Add(l.o.Lifetime))
	return l.commit(ctx, w)
}

// load returns a context with the login of the request's cookie, or a new one.
func (l *Logins) load(r *http.Request) (context.Context, *visit, error) {
	v := &visit{userAgent: clip(r.UserAgent(), maxUserAgent)}
	if address := addressIn(r.Context()); address.IsValid() {
		v.address = address.String()
	}
	token, isToken := l.token(r)
	if !isToken {
		token = ""
	}
	ctx, err := l.sessions.Load(context.WithValue(r.Context(), visitKey{}, v), token)
	return ctx, v, err
}

// commit stores the login and sets its cookie. The browser keeps the cookie until the login's deadline: that it is used meanwhile
// is for the server to see.
func (l *Logins) commit(ctx context.Context, w http.ResponseWriter) error {
	token, deadline, err := l.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	l.sessions.WriteSessionCookie(ctx, w, token, deadline)
	w.Header().Set("Cache-Control", "no-store")
	return nil
}

// logOut ends the login of the request's cookie, or all of its user, and takes the cookie away.
func (l *Logins) logOut(w http.ResponseWriter, r *http.Request) {
	var what struct {
		Everywhere bool `json:"everywhere"`
	}
	if r.ContentLength != 0 {
		if err := readJSON(w, r, &what); err != nil {
			l.refuse(w, r, err)
			return
		}
	}
	if err := l.end(r, what.Everywhere); err != nil {
		l.refuse(w, r, err)
		return
	}
	l.sessions.WriteSessionCookie(r.Context(), w, "", time.Time{})
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

func (l *Logins) end(r *http.Request, everywhere bool) error {
	token, isToken := l.token(r)
	if !isToken {
		return nil
	}
	hash := hashOf(token)
	if everywhere {
		login, err := l.o.Store.Login(r.Context(), hash)
		switch {
		case model.CodeOf(err) == model.NotFound:
			return nil
		case err != nil:
			return err
		case login.UserID != 0:
			return l.o.Store.EndLoginsOf(r.Context(), login.UserID, "")
		}
	}
	return l.o.Store.EndLogin(r.Context(), hash)
}

// setPassword sets the password of a link's user, or with the old password, that of who is logged in. With a link and without
// a password it answers whether the link holds, and for whom.
func (l *Logins) setPassword(w http.ResponseWriter, r *http.Request) {
	var given struct {
		Token    string `json:"token"`
		Password string `json:"password"`
		Old      string `json:"old"`
		New      string `json:"new"`
	}
	err := readJSON(w, r, &given)
	if err == nil && l.o.OIDCOnly {
		err = errOIDCOnly()
	}
	var name string
	switch {
	case err != nil:
	case given.Token == "" && given.Old+given.New != "":
		name, err = l.changePassword(w, r, given.Old, given.New)
	default:
		name, err = l.useLink(r.Context(), given.Token, given.Password)
	}
	if err != nil {
		l.refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusOK, map[string]string{"name": name})
}

// useLink sets a password, if there is one, and returns the name of the link's user.
func (l *Logins) useLink(ctx context.Context, secret, password string) (name string, err error) {
	hash := model.HashOf(secret)
	// It is looked up before anything is computed for a stranger.
	user, err := l.o.Store.PasswordLink(ctx, hash)
	if err != nil || password == "" {
		return nameOf(user), err
	}
	hashed, err := l.newHash(ctx, "password", password, user)
	if err != nil {
		return "", err
	}
	user, err = l.o.Store.UsePasswordLink(asUser(ctx, user), hash, hashed)
	return nameOf(user), err
}

// changePassword sets another password of the user who is logged in, and returns the user's name. All of the user's logins end;
// this browser has a new one.
func (l *Logins) changePassword(w http.ResponseWriter, r *http.Request, old, password string) (name string, err error) {
	ctx := r.Context()
	principal, err := l.Principal(ctx, r)
	switch {
	case err != nil:
		return "", err
	case principal == nil:
		return "", model.Errorf(model.Unauthenticated, "log in first, or ask an administrator for a link that sets a new password")
	}
	switch user, err := l.o.Store.User(ctx, principal.ID); {
	case err != nil:
		return "", endedIfGone(err)
	case user.Subject != "":
		return "", model.Errorf(model.FailedPrecondition, "%q logs in at the OpenID provider; change the password there", user.Name)
	}
	user, err := l.check(ctx, principal.Name, old)
	switch {
	case model.CodeOf(err) == model.Unauthenticated:
		return "", model.Invalid("old", "is not your password; type it again")
	case err != nil:
		return "", err
	case old == password:
		return "", model.Invalid("new", "is the old one; choose another")
	}
	hashed, err := l.newHash(ctx, "new", password, user)
	if err != nil {
		return "", err
	}
	changed, err := l.o.Store.UpdateUser(asUser(ctx, user), user.ID, func(u *model.User) error {
		if u.Password != user.Password {
			return model.Errorf(model.Conflict, "the password was changed elsewhere at the same time; log in again")
		}
		u.Password = hashed
		return nil
	})
	if err != nil {
		return "", err
	}
	return changed.Name, l.begin(w, r, changed)
}

// newHash returns the hash of a password that a user has chosen, in a field of the request.
func (l *Logins) newHash(ctx context.Context, field, password string, user *model.User) (string, error) {
	if err := checkPassword(field, password, user.Name, "goalgraph", hostOf(l.o.PublicURL)); err != nil {
		return "", err
	}
	return l.hasher.hash(ctx, networkOf(addressIn(ctx)), password)
}

// asUser is the context of what a user does who has shown to be the one.
func asUser(ctx context.Context, user *model.User) context.Context {
	return model.WithActor(ctx, model.Actor{Principal: user.Principal(), Address: model.ActorOf(ctx).Address})
}

func nameOf(user *model.User) string {
	if user == nil {
		return ""
	}
	return user.Name
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// addressIn is where the request comes from; the zero address if that is not known.
func addressIn(ctx context.Context) netip.Addr {
	address, _ := netip.ParseAddr(model.ActorOf(ctx).Address) // the error is for none
	return address
}

// localPath returns the path of this server to go to, or "/" for what may lead elsewhere.
func localPath(next string) string {
	const mostNext = 2000
	// Browsers take \ for /, and leave control characters out.
	if len(next) > mostNext || strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
		return "/"
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.HasPrefix(u.Path, "/auth/") {
		return "/"
	}
	return next
}

// readJSON reads a body. It must say that it is JSON: a form of another site cannot.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &refusal{http.StatusUnsupportedMediaType, "send JSON, with Content-Type: application/json"}
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); more == io.EOF {
			return nil
		}
		return model.Errorf(model.BadInput, "the body has more than one JSON value")
	}
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return &refusal{http.StatusRequestEntityTooLarge, "the body is too long"}
	}
	if r.Context().Err() != nil {
		return r.Context().Err()
	}
	return model.Errorf(model.BadInput, "the body is not what is expected here: %s", clip(strings.TrimPrefix(err.Error(), "json: "), 200))
}

// refusal is an error with a status of HTTP that no code stands for.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

// limited is an error for an attempt after too many.
type limited struct{ wait time.Duration }

// seconds is how many one must wait, at least one.
func (l *limited) seconds() int { return max(1, int(math.Ceil(l.wait.Seconds()))) }

func (l *limited) Error() string {
	return fmt.Sprintf("too many attempts to log in; wait %s and try again", time.Duration(l.seconds())*time.Second)
}

var statuses = map[model.Code]int{
	model.BadInput: http.StatusBadRequest, model.Unauthenticated: http.StatusUnauthorized, model.Forbidden: http.StatusForbidden,
	model.NotFound: http.StatusNotFound, model.Conflict: http.StatusConflict, model.FailedPrecondition: http.StatusConflict,
	model.ResourceExhausted: http.StatusTooManyRequests, model.Unavailable: http.StatusServiceUnavailable,
}

// describe returns what a client is told about an error. It logs what a client is not to know.
func (l *Logins) describe(w http.ResponseWriter, r *http.Request, err error) (status int, code model.Code, message string) {
	if own, ok := errors.AsType[*refusal](err); ok {
		return own.status, model.BadInput, own.message
	}
	if own, ok := errors.AsType[*limited](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(own.seconds()))
		return http.StatusTooManyRequests, model.ResourceExhausted, own.Error()
	}
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	known, ok := errors.AsType[*model.Error](err)
	if !ok || statuses[known.Code] == 0 {
		id := w.Header().Get("X-Request-Id")
		l.o.Log.ErrorContext(r.Context(), "cannot answer a request about logins", "path", r.URL.Path, "error", err, "request", id)
		return http.StatusInternalServerError, model.Internal, "internal error; the server's log has more about the request " + id
	}
	if known.Code == model.Unavailable {
		l.o.Log.WarnContext(r.Context(), "cannot answer a request about logins", "path", r.URL.Path, "error", err)
	}
	if known.Code == model.Unavailable || known.Code == model.ResourceExhausted {
		w.Header().Set("Retry-After", "5")
	}
	return statuses[known.Code], known.Code, known.Error()
}

// refuse answers a request with an error.
func (l *Logins) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, code, message := l.describe(w, r, err)
	w.Header().Set("Cache-Control", "no-store")
	answer(w, status, map[string]string{"code": string(code), "error": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// What fails here is the client's connection.
	_ = json.NewEncoder(w).Encode(body)
}

// clip shortens a text to so many bytes.
func clip(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}
