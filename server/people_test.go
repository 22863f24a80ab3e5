//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/server/browsertest"
)

const (
	somePassword  = "quartz-lantern-orbit"
	otherPassword = "basalt-window-comet"
)

func TestUserCommands(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")
	run := func(code int, args ...string) *process {
		t.Helper()
		return program(t, append([]string{"--database", database}, args...)...).mustRun(t, code)
	}
	link := func(p *process) string {
		t.Helper()
		text := strings.TrimSpace(p.stdout.String())
		if !strings.HasPrefix(text, "https://stats.example/auth/password#") || strings.Contains(text, "\n") {
			t.Errorf("the link is %q", text)
		}
		return text
	}
	says := func(p *process, text string) {
		t.Helper()
		if said := p.stderr.String(); !strings.Contains(said, text) {
			t.Errorf("%v says %q, want something about %q", p.Args[1:], said, text)
		}
	}
	// Commands that make nothing make no database either.
	for _, command := range []string{"user list", "user enable Ada", "key list", "key revoke 1", "audit"} {
		says(run(failed, strings.Fields(command)...), "there is no database of Goalgraph at "+database)
	}
	public := "--public-url=https://stats.example/"
	created := run(done, "user", "create", "Ada", "--role", "admin", public)
	first := link(created)
	says(created, database+" is a new database")
	if taken := run(failed, "user", "create", "ada", "--role", "admin", public); !strings.HasSuffix(taken.stderr.String(), "choose a different one\n") {
		t.Errorf("a taken name: %s", &taken.stderr)
	}
	says(run(done, "user", "create", "Eve", "--role", "viewer"), "warning: the link only works on this machine; pass --public-url")
	run(wrongUsage, "user", "create", "Bob", "--role", "owner", public)
	run(wrongUsage, "user", "create", "Bob", "--role", "viewer", "--site", "nowhere.example", public)
	run(wrongUsage, "user", "create", "Bob", "--role", "viewer", "--public-url", "stats.example")
	says(run(wrongUsage, "key", "create", "--scope", "write", "--site", "shop.example", "--site-origins", "shop.example", "Shop"), `--site-origins "shop.example" is not`)
	says(run(done, "key", "create", "--scope", "write", "--site", "shop.example", "Shop"), "created the site shop.example\n")
	link(run(done, "user", "create", "Bob", "--role", "viewer", "--site", "shop.example", public))
	if second := link(run(done, "user", "reset", "ADA", public)); second == first {
		t.Error("a reset gives the same link again")
	}
	run(done, "user", "roles", "bob", "--role", "editor", "--site", "shop.example")
	run(done, "user", "disable", "Bob")
	run(failed, "user", "reset", "Bob", public)
	list := run(done, "user", "list").stdout.String()
	for i, want := range []string{"NAME", "Ada   admin                   nothing yet", "Eve   viewer                  nothing yet", "Bob   editor of shop.example  nothing yet"} {
		if lines := strings.Split(list, "\n"); len(lines) < 5 || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d lacks %q:\n%s", i, want, list)
		}
	}
	run(done, "user", "enable", "Bob")
	for _, command := range []string{"reset", "disable", "enable"} {
		if said := run(failed, "user", command, "Nobody").stderr.String(); !strings.Contains(said, "user list") {
			t.Errorf("%s says %q", command, said)
		}
	}
	for _, flags := range []string{
		"--oidc-only", "--oidc-client-id=x", "--oidc-issuer=http://id.example --oidc-client-id=x", "--oidc-issuer=https://id.example", "--login-idle=1s", "--login-lifetime=1h",
		"--oidc-issuer=https://id.example --oidc-client-id=x --oidc-role-claim=groups --oidc-roles=staff",
	} {
		run(wrongUsage, append([]string{"serve", "--listen", "127.0.0.1:0"}, strings.Fields(flags)...)...)
	}
}

// mustServePeople starts a server that asks who comes, with a user who has a password.
func mustServePeople(t *testing.T, args ...string) (s *server, link string) {
	t.Helper()
	database := "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")
	p := program(t, append([]string{"serve", "--auth", "keys", "--listen", "127.0.0.1:0", "--database", database}, args...)...)
	s = p.mustServe(t)
	created := program(t, "--database", database, "user", "create", "Ada", "--role", "admin", "--public-url", s.url).mustRun(t, done)
	return s, strings.TrimSpace(created.stdout.String())
}

// mustPost posts JSON as from an address.
func mustPost(t *testing.T, url, address string, body any) *http.Response {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-For", address)
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, got.Body); err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	return got
}

// In a browser, someone follows a link, sets a password, logs in, and out again. GOALGRAPH_SCREENSHOTS names a folder for
// pictures of the pages.
func TestPeopleInBrowser(t *testing.T) {
	t.Parallel()
	s, link := mustServePeople(t)
	ctx := browsertest.New(t)
	run := func(actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	shoot := func(name string) {
		t.Helper()
		folder := os.Getenv("GOALGRAPH_SCREENSHOTS")
		if folder == "" {
			return
		}
		for _, width := range []int64{320, 1200} {
			for _, scheme := range []string{"light", "dark"} {
				var picture []byte
				run(chromedp.EmulateViewport(width, 700), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}), chromedp.CaptureScreenshot(&picture))
				if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var address, who, said string
	run(chromedp.Navigate(link), chromedp.WaitVisible("#password"), chromedp.Text("#who", &who), chromedp.Location(&address))
	if who != "Ada" || strings.Contains(address, "#") {
		t.Errorf("the link is for %q; the address keeps %s", who, address)
	}
	shoot("password")
	run(chromedp.SendKeys("#password", "aaaaaaaaaaaa"), chromedp.SendKeys("#again", "aaaaaaaaaaaa\r"), chromedp.WaitVisible("#error"), chromedp.Text("#error", &said))
	if !strings.Contains(said, "easy to guess") {
		t.Errorf("it says %q", said)
	}
	run(chromedp.SetValue("#password", somePassword), chromedp.SetValue("#again", somePassword), chromedp.Click("#set button"), chromedp.WaitVisible("#state a"))
	run(chromedp.Navigate(s.url+"/auth/login?next=/healthz"), chromedp.WaitVisible("#login"))
	shoot("login")
	run(chromedp.SendKeys("#name", "ada"), chromedp.SendKeys("#password", "wrong-password\r"), chromedp.WaitVisible("#error"), chromedp.Text("#error", &said))
	if said != "The name or the password is wrong." {
		t.Errorf("it says %q", said)
	}
	shoot("wrong")
	run(chromedp.SetValue("#password", somePassword), chromedp.Click("#login button"), chromedp.WaitReady("pre"), chromedp.Location(&address))
	if address != s.url+"/healthz" {
		t.Errorf("it leads to %s", address)
	}
	run(chromedp.Navigate(s.url+"/auth/login"), chromedp.WaitVisible("#logout"))
	shoot("in")
	// The dashboard says who has logged in, and leads to where the password is changed.
	person := `//header//*[text()="Ada"]`
	run(chromedp.Navigate(s.url+"/"), chromedp.WaitVisible(person, chromedp.BySearch), chromedp.Click(`//header//a[text()="Password"]`, chromedp.BySearch))
	run(chromedp.WaitVisible("#old"), chromedp.SendKeys("#old", somePassword), chromedp.SendKeys("#password", otherPassword), chromedp.SendKeys("#again", otherPassword+"\r"), chromedp.WaitVisible("#state a"))
	run(chromedp.Navigate(s.url+"/"), chromedp.WaitVisible(person, chromedp.BySearch), chromedp.Click(`//header//button[text()="Log out"]`, chromedp.BySearch))
	// Who is nobody is led to the login, and from there back to where they wanted to go.
	run(chromedp.WaitVisible("#login"), chromedp.Navigate(s.url+"/sites/shop.example/goals"), chromedp.WaitVisible("#login"))
	run(chromedp.SendKeys("#name", "ada"), chromedp.SendKeys("#password", otherPassword+"\r"), chromedp.WaitVisible(person, chromedp.BySearch), chromedp.Location(&address))
	if address != s.url+"/sites/shop.example/goals" {
		t.Errorf("the login leads to %s", address)
	}
	run(chromedp.Navigate(s.url+"/auth/login"), chromedp.WaitVisible("#logout"), chromedp.Click("#logout"), chromedp.WaitNotPresent("#logout"))
	run(chromedp.Navigate(link), chromedp.WaitVisible("#state.error"), chromedp.Text("#state", &said))
	if !strings.Contains(said, "used before") {
		t.Errorf("a used link says %q", said)
	}
}

// While somebody guesses a hundred passwords a second, from one address and from many, nobody who is right is kept out, and
// others are served. GOALGRAPH_GUESSES is for how long.
func TestGuesses(t *testing.T) {
	s, link := mustServePeople(t, "--trusted-proxies", "127.0.0.1")
	_, secret, _ := strings.Cut(link, "#")
	if got := mustPost(t, s.url+"/auth/password", "192.0.2.1", map[string]string{"token": secret, "password": somePassword}); got.StatusCode != http.StatusOK {
		t.Fatal(got.Status)
	}
	lasts := 3 * time.Second
	if text := os.Getenv("GOALGRAPH_GUESSES"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	logIn := func(address, password string) *http.Response {
		t.Helper()
		return mustPost(t, s.url+"/auth/login", address, map[string]string{"name": "Ada", "password": password})
	}
	cookie := logIn("192.0.2.1", somePassword).Cookies()[0]
	ask := func() {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, s.url+"/graphql", strings.NewReader(`{"query": "{ sites { nodes { id } } }"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.AddCookie(cookie)
		got, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, got.Body); err != nil || got.StatusCode != http.StatusOK {
			t.Errorf("a question: %s, %v", got.Status, err)
		}
		got.Body.Close()
	}
	// p99 is how long others wait: 99 of 100 of their questions.
	p99 := func(until time.Time) time.Duration {
		t.Helper()
		var took []time.Duration
		for time.Now().Before(until) {
			begin := time.Now()
			ask()
			took = append(took, time.Since(begin))
			<-time.After(10 * time.Millisecond)
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	idle := p99(time.Now().Add(lasts))

	end := time.Now().Add(lasts)
	var guesses, limited, right atomic.Int64
	var slowest time.Duration
	var wg sync.WaitGroup
	for i := range 100 { // each guesses once a second
		wg.Go(func() {
			for round := 0; time.Now().Before(end); round++ {
				address := "198.51.100.1"
				if i%2 == 1 {
					address = fmt.Sprintf("203.0.%d.%d", round%250, i)
				}
				next := time.After(time.Second)
				switch got := logIn(address, fmt.Sprintf("guess %d of %d", round, i)); got.StatusCode {
				case http.StatusUnauthorized:
				case http.StatusTooManyRequests:
					limited.Add(1)
					if got.Header.Get("Retry-After") == "" {
						t.Error("429 without Retry-After")
					}
				default:
					t.Errorf("a guess is answered %s", got.Status)
				}
				guesses.Add(1)
				<-next
			}
		})
	}
	wg.Go(func() { // from where Ada was before, and from where she never was
		for i := 0; time.Now().Before(end); i++ {
			address := "192.0.2.1"
			if i%2 == 1 {
				address = fmt.Sprintf("192.0.2.%d", 2+i%250)
			}
			begin := time.Now()
			if got := logIn(address, somePassword); got.StatusCode != http.StatusOK {
				t.Errorf("who is right is answered %s from %s", got.Status, address)
			}
			slowest = max(slowest, time.Since(begin))
			right.Add(1)
			<-time.After(250 * time.Millisecond)
		}
	})
	busy := p99(end)
	wg.Wait()
	if limited.Load() == 0 || right.Load() == 0 {
		t.Errorf("%d guesses were limited, %d logins", limited.Load(), right.Load())
	}
	t.Logf("%d guesses in %s, %d of them limited; %d right logins, the slowest in %s; others' p99 %s, idle %s", guesses.Load(), lasts, limited.Load(), right.Load(), slowest, busy, idle)
}
