package login

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// The cookie's name. With the prefix, browsers take it from this host alone, by HTTPS alone, and send it to no other host:
// neither a neighbouring domain nor a page without TLS can plant one. They refuse the prefix without TLS.
const (
	secureName = "__Host-goalgraph"
	plainName  = "goalgraph"
)

// tokenLength is that of a cookie's value: 256 random bits in base64.
const tokenLength = 43

func newSessions(secure bool, lifetime time.Duration, records scs.Store) *scs.SessionManager {
	sessions := scs.New()
	sessions.Lifetime, sessions.Store, sessions.Codec, sessions.HashTokenInStore = lifetime, records, codec{}, true
	sessions.Cookie.Name = plainName
	if secure {
		sessions.Cookie.Name, sessions.Cookie.Secure = secureName, true
	}
	return sessions
}

// hashOf is the hash by which a cookie's login is stored.
func hashOf(token string) string {
	hash := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// token returns the value of the request's cookie. It is empty without one, and isToken is false for what no login has.
func (l *Logins) token(r *http.Request) (token string, isToken bool) {
	cookie, err := r.Cookie(l.sessions.Cookie.Name)
	if err != nil {
		return "", false
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(cookie.Value)
	return cookie.Value, err == nil && len(cookie.Value) == tokenLength && len(decoded) == sha256.Size
}

// record is what is stored of a login.
type record struct {
	Deadline time.Time         `json:"deadline"`
	Values   map[string]string `json:"values"`
}

// codec writes records as JSON. All values are strings.
type codec struct{}

// Encode returns the record of a login.
func (codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	r := record{deadline, make(map[string]string, len(values))}
	for name, value := range values {
		r.Values[name], _ = value.(string)
	}
	return json.Marshal(r)
}

// Decode reads a record.
func (codec) Decode(data []byte) (time.Time, map[string]any, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return time.Time{}, nil, err
	}
	values := make(map[string]any, len(r.Values))
	for name, value := range r.Values {
		values[name] = value
	}
	return r.Deadline, values, nil
}

// visit is the request that a login is read and written for. It travels in the context, past scs.
type visit struct {
	address, userAgent string
	// user is who logs in, with the password that was checked; nil for nobody, or nobody yet.
	user *model.User
	// found is the hash of the login that was found; empty for none.
	found string
}

type visitKey struct{}

// records keeps logins in the store. It is a scs.CtxStore.
type records struct {
	store *store.Store
	now   func() time.Time
	idle  time.Duration
}

// FindCtx returns the record of a login that has not ended.
func (s records) FindCtx(ctx context.Context, hash string) (data []byte, found bool, err error) {
	login, err := s.store.Login(ctx, hash)
	switch {
	case model.CodeOf(err) == model.NotFound:
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	visitOf(ctx).found = hash
	return login.Data, true, nil
}

// CommitCtx stores the record of a new login, or of the one that was found.
func (s records) CommitCtx(ctx context.Context, hash string, data []byte, deadline time.Time) error {
	v := visitOf(ctx)
	if v.found == hash {
		return s.store.UpdateLogin(ctx, hash, data)
	}
	login, idle, password := &store.Login{Hash: hash, Data: data, Address: v.address, UserAgent: v.userAgent}, flowLimit, ""
	if v.user != nil {
		login.UserID, idle, password = v.user.ID, s.idle, v.user.Password
	}
	login.ExpiresAt = min(model.MillisOf(s.now().Add(idle)), model.MillisOf(deadline))
	return s.store.CreateLogin(ctx, login, password)
}

// DeleteCtx ends a login.
func (s records) DeleteCtx(ctx context.Context, hash string) error {
	return s.store.EndLogin(ctx, hash)
}

func visitOf(ctx context.Context) *visit {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v
	}
	return new(visit)
}

// scs asks for these too, and calls them only where there is no context.

// Find is FindCtx.
func (s records) Find(hash string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), hash)
}

// Commit is CommitCtx.
func (s records) Commit(hash string, data []byte, deadline time.Time) error {
	return s.CommitCtx(context.Background(), hash, data, deadline)
}

// Delete is DeleteCtx.
func (s records) Delete(hash string) error { return s.DeleteCtx(context.Background(), hash) }
