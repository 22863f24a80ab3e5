package login_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/login"
)

const good = "quartz-lantern-orbit"

func TestPasswordLink(t *testing.T) {
	s := newSite(t)
	user := s.mustCreate(t, "Ada", "")
	secret := s.mustLink(t, user.ID)
	b := newBrowser(t, s)
	got := b.post("/auth/password", map[string]string{"token": secret})
	mustStatus(t, got, http.StatusOK)
	if got.field("name") != "Ada" || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s, %v", got.body, got.Header)
	}
	for _, password := range []string{"short", strings.Repeat("a", 201), "password123", "goalgraphada", "aaaaaaaaaaaaaa", "1234567890123"} {
		got := b.post("/auth/password", map[string]string{"token": secret, "password": password})
		mustStatus(t, got, http.StatusBadRequest)
		if !strings.HasPrefix(got.field("error"), "password: ") {
			t.Errorf("%q: %s", password, got.body)
		}
	}
	mustStatus(t, b.logIn("Ada", ""), http.StatusUnauthorized) // no password yet
	mustStatus(t, b.post("/auth/password", map[string]string{"token": secret, "password": good}), http.StatusOK)
	mustStatus(t, b.post("/auth/password", map[string]string{"token": secret, "password": good + "!"}), http.StatusNotFound)
	mustStatus(t, b.post("/auth/password", map[string]string{"token": secret}), http.StatusNotFound)
	got = b.logIn(" aDA ", good)
	mustStatus(t, got, http.StatusOK)
	if got.field("name") != "Ada" || b.me() != "Ada" {
		t.Errorf("%s, me %q", got.body, b.me())
	}

	// A new link takes the password away and ends the logins, and an old one no longer holds.
	first := s.mustLink(t, user.ID)
	second := s.mustLink(t, user.ID)
	if me := b.me(); me != "401" {
		t.Errorf("after a new link, the login is of %q", me)
	}
	mustStatus(t, b.logIn("Ada", good), http.StatusUnauthorized)
	mustStatus(t, b.post("/auth/password", map[string]string{"token": first, "password": good}), http.StatusNotFound)
	s.pass(24*time.Hour - time.Millisecond)
	mustStatus(t, b.post("/auth/password", map[string]string{"token": second}), http.StatusOK)
	s.pass(time.Millisecond)
	mustStatus(t, b.post("/auth/password", map[string]string{"token": second, "password": good}), http.StatusNotFound)

	if _, err := s.NewLink(t.Context(), 999); model.CodeOf(err) != model.NotFound {
		t.Errorf("%v", err)
	}
	if text := s.log.String(); strings.Contains(text, secret) || strings.Contains(text, good) {
		t.Errorf("the log has secrets:\n%s", text)
	}
}

// Who is logged in changes the own password with the old one. That ends the user's other logins, and what changes it is known.
func TestChangePassword(t *testing.T) {
	s := newSite(t)
	user := s.mustCreate(t, "Ada", good)
	s.mustCreate(t, "Eve", good)
	here, there, eve := newBrowser(t, s), newBrowser(t, s), newBrowser(t, s)
	for b, name := range map[*browser]string{here: "Ada", there: "Ada", eve: "Eve"} {
		mustStatus(t, b.logIn(name, good), http.StatusOK)
	}
	const better = "violet-harbour-thimble"
	change := func(b *browser, old, new string) *response {
		t.Helper()
		return b.post("/auth/password", map[string]string{"old": old, "new": new})
	}
	before := s.Hashed()
	mustStatus(t, change(newBrowser(t, s), good, better), http.StatusUnauthorized)
	mustStatus(t, change(newBrowser(t, s).plant(strings.Repeat("A", 43)), good, better), http.StatusUnauthorized)
	if s.Hashed() != before {
		t.Error("passwords of nobody are hashed")
	}
	for _, test := range []struct{ old, new, says string }{
		{"wrong-password", better, "old: "}, {"", better, "old: "}, {good, good, "new: "}, {good, "short", "new: "}, {good, "", "new: "}, {good, "goalgraphada", "new: "},
	} {
		got := change(here, test.old, test.new)
		mustStatus(t, got, http.StatusBadRequest)
		if !strings.HasPrefix(got.field("error"), test.says) {
			t.Errorf("%q to %q: %s", test.old, test.new, got.body)
		}
	}
	stale := here.cookie()
	got := change(here, good, better)
	mustStatus(t, got, http.StatusOK)
	if got.field("name") != "Ada" || got.Header.Get("Cache-Control") != "no-store" || here.cookie() == stale {
		t.Errorf("%s, %v", got.body, got.Header)
	}
	if here.me() != "Ada" || there.me() != "401" || newBrowser(t, s).plant(stale).me() != "401" || eve.me() != "Eve" {
		t.Errorf("here it is %q, elsewhere %q, Eve is %q", here.me(), there.me(), eve.me())
	}
	mustStatus(t, there.logIn("Ada", good), http.StatusUnauthorized)
	mustStatus(t, there.logIn("Ada", better), http.StatusOK)
	changes, err := s.store.Changes(t.Context(), store.AuditQuery{}, store.Page{Descending: true, Limit: 1})
	if err != nil || len(changes) != 1 || changes[0].Action != model.Reset || changes[0].ActorName != "Ada" || changes[0].Address != "192.0.2.1" || changes[0].Object != user.ID {
		t.Errorf("%+v, %v", changes, err)
	}
	if text := s.log.String(); strings.Contains(text, good) || strings.Contains(text, better) {
		t.Errorf("the log has secrets:\n%s", text)
	}

	// Whoever finds a browser logged in has no more guesses than at the login.
	limited := 0
	for range 12 {
		if got := change(here, "wrong-password", good); got.StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("the old password may be guessed without end")
	}
}

// Of two who change a password at the same time, with the same old one, one does.
func TestChangePasswordOnce(t *testing.T) {
	s := newSite(t)
	s.mustCreate(t, "Ada", good)
	var wg sync.WaitGroup
	var browsers [4]*browser
	for i := range browsers {
		browsers[i] = newBrowser(t, s)
		mustStatus(t, browsers[i].logIn("Ada", good), http.StatusOK)
	}
	statuses := make(chan int, len(browsers))
	for i, b := range browsers {
		wg.Go(func() {
			statuses <- b.post("/auth/password", map[string]string{"old": good, "new": good + strings.Repeat("x", i+1)}).StatusCode
		})
	}
	wg.Wait()
	close(statuses)
	changed := 0
	for status := range statuses {
		switch status {
		case http.StatusOK:
			changed++
		case http.StatusConflict, http.StatusUnauthorized, http.StatusBadRequest: // at the same time, or after it
		default:
			t.Errorf("status %d", status)
		}
	}
	if changed != 1 {
		t.Errorf("%d changed the password", changed)
	}
}

// Of several who use a link at the same time, one sets the password.
func TestPasswordLinkOnce(t *testing.T) {
	s := newSite(t)
	secret := s.mustLink(t, s.mustCreate(t, "Ada", "").ID)
	var wg sync.WaitGroup
	statuses := make(chan int, 8)
	for i := range cap(statuses) {
		wg.Go(func() {
			statuses <- newBrowser(t, s).post("/auth/password", map[string]string{"token": secret, "password": good + strings.Repeat("x", i)}).StatusCode
		})
	}
	wg.Wait()
	close(statuses)
	set := 0
	for status := range statuses {
		if status == http.StatusOK {
			set++
		} else if status != http.StatusNotFound {
			t.Errorf("status %d", status)
		}
	}
	if set != 1 {
		t.Errorf("%d set the password", set)
	}
}

func TestLogin(t *testing.T) {
	s := newSite(t)
	s.mustCreate(t, "Ada", "pässwörter-im-regal")
	b := newBrowser(t, s)
	// Keyboards differ in how they write ä and ö.
	mustStatus(t, b.logIn("Ada", "pa\u0308sswo\u0308rter-im-regal"), http.StatusOK)

	// A wrong name and a wrong password are told, and cost, the same.
	var bodies []string
	for _, name := range []string{"Ada", "Nobody", "Ada\x00", strings.Repeat("n", 1000)} {
		before := s.Hashed()
		got := newBrowser(t, s).logIn(name, "wrong-password")
		mustStatus(t, got, http.StatusUnauthorized)
		if hashed := s.Hashed() - before; hashed != 1 {
			t.Errorf("%.10q: %d hashes", name, hashed)
		}
		if got.Header.Get("Set-Cookie") != "" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%.10q: %v", name, got.Header)
		}
		bodies = append(bodies, got.body)
	}
	for _, body := range bodies {
		if body != bodies[0] {
			t.Errorf("%s is not %s", body, bodies[0])
		}
	}

	for _, test := range []struct {
		kind, body string
		want       int
	}{
		{"text/plain", `{"name": "Ada", "password": "x"}`, http.StatusUnsupportedMediaType},
		{"application/x-www-form-urlencoded", "name=Ada&password=x", http.StatusUnsupportedMediaType},
		{"", "", http.StatusUnsupportedMediaType},
		{"application/json", "", http.StatusBadRequest},
		{"application/json", "[]", http.StatusBadRequest},
		{"application/json", `{"name": 1}`, http.StatusBadRequest},
		{"application/json", `{"name": "Ada", "password": "x", "admin": true}`, http.StatusBadRequest},
		{"application/json", `{"name": "Ada"} {}`, http.StatusBadRequest},
		{"application/json; charset=utf-8", `{"name": "` + strings.Repeat("a", 9000) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		before := s.Hashed()
		got := b.send("/auth/login", test.kind, test.body)
		mustStatus(t, got, test.want)
		if got.field("error") == "" || got.field("code") != "BAD_USER_INPUT" || s.Hashed() != before {
			t.Errorf("%.40s: %s", test.body, got.body)
		}
	}
	mustStatus(t, b.get("/auth/logout"), http.StatusMethodNotAllowed)
}

func TestLoginCookie(t *testing.T) {
	for _, test := range []struct {
		url, name string
		secure    bool
	}{
		{"http://127.0.0.1:8080", "goalgraph", false},
		{"https://stats.example", "__Host-goalgraph", true},
		{"https://stats.example/", "__Host-goalgraph", true},
	} {
		s := newSite(t, func(o *login.Options) { o.PublicURL = test.url })
		s.mustCreate(t, "Ada", good)
		got := newBrowser(t, s).logIn("Ada", good)
		mustStatus(t, got, http.StatusOK)
		cookies := got.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%s: cookies %v", test.url, cookies)
		}
		c := cookies[0]
		if c.Name != test.name || c.Secure != test.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Value) != 43 {
			t.Errorf("%s: %s", test.url, c)
		}
		if lasts := time.Duration(c.MaxAge) * time.Second; lasts < 30*24*time.Hour-time.Minute || lasts > 30*24*time.Hour+time.Minute {
			t.Errorf("the cookie lasts %s", lasts)
		}
		// The store has no secret: who reads it cannot log in.
		logins, err := s.store.Logins(t.Context(), 1)
		if err != nil || len(logins) != 1 || logins[0].Hash != login.HashOf(c.Value) || bytes.Contains(logins[0].Data, []byte(c.Value)) || logins[0].Address != "192.0.2.1" {
			t.Errorf("%+v, %v", logins, err)
		}
	}
	for _, url := range []string{"", "stats.example", "ftp://stats.example", "https://", ":"} {
		if _, err := login.New(t.Context(), login.Options{PublicURL: url}); model.CodeOf(err) != model.BadInput {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// The value that a browser comes with is never the one that it is logged in by, and the one before no longer holds.
func TestLoginFixation(t *testing.T) {
	s := newSite(t)
	s.mustCreate(t, "Ada", good)
	s.mustCreate(t, "Eve", good)
	eve := newBrowser(t, s)
	mustStatus(t, eve.logIn("Eve", good), http.StatusOK)
	for name, planted := range map[string]string{
		"made up": strings.Repeat("A", 43), "no token": "hello", "of Eve's": eve.cookie(),
	} {
		victim := newBrowser(t, s).plant(planted)
		mustStatus(t, victim.logIn("Ada", good), http.StatusOK)
		if victim.cookie() == planted || victim.me() != "Ada" {
			t.Errorf("%s: cookie %q of %q", name, victim.cookie(), victim.me())
		}
		if me := newBrowser(t, s).plant(planted).me(); me != "401" {
			t.Errorf("%s: the planted cookie is of %q", name, me)
		}
	}
	// One browser, one login after another.
	b := newBrowser(t, s)
	mustStatus(t, b.logIn("Ada", good), http.StatusOK)
	first := b.cookie()
	mustStatus(t, b.logIn("Ada", good), http.StatusOK)
	if b.cookie() == first || newBrowser(t, s).plant(first).me() != "401" {
		t.Error("the cookie of the earlier login still holds")
	}
}

func TestLoginCookieOfAnother(t *testing.T) {
	s, other := newSite(t), newSite(t)
	for _, s := range []*site{s, other} {
		s.mustCreate(t, "Ada", good)
	}
	b := newBrowser(t, other)
	mustStatus(t, b.logIn("Ada", good), http.StatusOK)
	for name, value := range map[string]string{
		"another server's": b.cookie(), "empty": "", "huge": strings.Repeat("A", 100_000), "cut off": b.cookie()[:42], "longer": b.cookie() + "A",
		"a hash": login.HashOf(b.cookie()), "SQL": "' OR 1=1 --", "not base64": strings.Repeat("*", 43),
	} {
		r, err := http.NewRequest(http.MethodGet, s.url+"/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", "goalgraph="+value)
		got := newBrowser(t, s).do(r)
		want := http.StatusUnauthorized
		if name == "empty" {
			want = http.StatusNoContent
		}
		if got.StatusCode != want {
			t.Errorf("%s: status %d, %s", name, got.StatusCode, got.body)
		}
	}
	// It keeps nobody from logging in.
	here := newBrowser(t, s).plant(b.cookie())
	mustStatus(t, here.get("/auth/login"), http.StatusOK)
	mustStatus(t, here.logIn("Ada", good), http.StatusOK)
	if here.me() != "Ada" {
		t.Error("not logged in")
	}
}

func TestLogout(t *testing.T) {
	s := newSite(t)
	user := s.mustCreate(t, "Ada", good)
	var tabs [3]*browser
	for i := range tabs {
		tabs[i] = newBrowser(t, s)
		mustStatus(t, tabs[i].logIn("Ada", good), http.StatusOK)
	}
	stale := tabs[0].cookie()
	mustStatus(t, tabs[0].post("/auth/logout", map[string]any{}), http.StatusNoContent)
	if tabs[0].cookie() != "" || tabs[0].me() != "" || tabs[1].me() != "Ada" || newBrowser(t, s).plant(stale).me() != "401" {
		t.Errorf("after a logout: %q, %q, %q", tabs[0].cookie(), tabs[0].me(), tabs[1].me())
	}
	mustStatus(t, newBrowser(t, s).post("/auth/logout", map[string]bool{"everywhere": true}), http.StatusNoContent)
	mustStatus(t, newBrowser(t, s).plant(strings.Repeat("A", 43)).post("/auth/logout", map[string]bool{"everywhere": true}), http.StatusNoContent)
	if tabs[1].me() != "Ada" {
		t.Error("somebody else logged Ada out")
	}
	mustStatus(t, tabs[1].post("/auth/logout", map[string]bool{"everywhere": true}), http.StatusNoContent)
	if tabs[1].me() != "" || tabs[2].me() != "401" {
		t.Errorf("after a logout everywhere: %q, %q", tabs[1].me(), tabs[2].me())
	}

	// Whoever is disabled is out, and stays out when enabled again, by that cookie.
	mustStatus(t, tabs[2].logIn("Ada", good), http.StatusOK)
	for _, at := range []model.Millis{1, 0} {
		if _, err := s.store.UpdateUser(t.Context(), user.ID, func(u *model.User) error { u.DisabledAt = at; return nil }); err != nil {
			t.Fatal(err)
		}
		if me := tabs[2].me(); me != "401" {
			t.Errorf("disabled at %d: %q", at, me)
		}
		want := http.StatusForbidden
		if at == 0 {
			want = http.StatusOK
		}
		mustStatus(t, newBrowser(t, s).logIn("Ada", good), want)
		mustStatus(t, newBrowser(t, s).logIn("Ada", "wrong-password"), http.StatusUnauthorized)
	}
}

func TestLoginExpiry(t *testing.T) {
	ctx := context.Background()
	s := newSite(t, func(o *login.Options) { o.Idle, o.Lifetime = time.Hour, 3*time.Hour })
	s.mustCreate(t, "Ada", good)
	b, idle := newBrowser(t, s), newBrowser(t, s)
	mustStatus(t, b.logIn("Ada", good), http.StatusOK)
	mustStatus(t, idle.logIn("Ada", good), http.StatusOK)
	use := func(want string) {
		t.Helper()
		if me := b.me(); me != want {
			t.Errorf("after %s: %q", s.now, me)
		}
		s.Touch(ctx)
	}
	s.pass(59 * time.Minute)
	use("Ada")
	s.pass(time.Minute)
	use("Ada")
	if me := idle.me(); me != "401" {
		t.Errorf("a login that was not used for an hour: %q", me)
	}
	s.pass(59 * time.Minute)
	use("Ada")
	s.pass(59 * time.Minute)
	use("Ada") // 2 h 57 min
	s.pass(3 * time.Minute)
	use("401")

	for _, o := range []login.Options{{Idle: time.Minute}, {Idle: time.Hour, Lifetime: time.Minute}, {OIDCOnly: true}} {
		o.PublicURL = "https://stats.example"
		if _, err := login.New(ctx, o); model.CodeOf(err) != model.BadInput {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
