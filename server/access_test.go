//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"fmt"
	"net/http"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// mustCreateKey runs key create, and returns the key: the last word of the last line.
func mustCreateKey(tb testing.TB, database string, args ...string) string {
	tb.Helper()
	p := program(tb, append([]string{"--database", database, "key", "create"}, args...)...).mustRun(tb, done)
	return lastWord(p.stdout.String())
}

func lastWord(text string) string {
	words := strings.Fields(text)
	return words[len(words)-1]
}

// mustServeKeys starts a server that asks for keys.
func mustServeKeys(tb testing.TB, database string, args ...string) *server {
	tb.Helper()
	p := program(tb, append([]string{"serve", "--listen", "127.0.0.1:0", "--database", database}, args...)...)
	p.Path = checked
	return p.mustServe(tb)
}

// withHeaders sends a request with headers, as pairs of names and values; Host is the request's.
func withHeaders(tb testing.TB, request *http.Request, err error, headers ...string) answer {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if request.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	a, err := do(request, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// ask asks the graph who it is, with headers.
func (s *server) asksAs(tb testing.TB, headers ...string) answer {
	tb.Helper()
	request, err := graphQLRequest(s.url, "{ __typename }")
	return withHeaders(tb, request, err, headers...)
}

func TestServeWithKeys(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		read := mustCreateKey(t, database, "--scope", "read", "Dashboard")
		write := mustCreateKey(t, database, "--scope", "write", "--site", "shop.example", "--site-origins", "https://shop.example", "Web shop")
		s := mustServeKeys(t, database, "--public-url", "https://stats.example", "--allowed-origins", "https://app.example", "--key-rate", "1")
		for _, test := range []struct {
			name    string
			headers []string
			status  int
			says    string
		}{
			{"a key", []string{"Authorization", "Bearer " + read}, 200, `"Query"`},
			{"a wrong key", []string{"Authorization", "Bearer wrong"}, 401, `"UNAUTHENTICATED"`},
			{"a key that is cut off", []string{"Authorization", "Bearer " + read[:9]}, 401, "cut off"},
			{"a key at the public name", []string{"Authorization", "Bearer " + read, "Host", "stats.example"}, 200, `"Query"`},
			{"a key at another name", []string{"Authorization", "Bearer " + read, "Host", "attacker.example"}, 421, "--public-url"},
			{"nobody, for an allowed page", []string{"Origin", "https://app.example"}, 200, ""},
			{"nobody, for a foreign page", []string{"Origin", "https://attacker.example"}, 403, "--allowed-origins"},
		} {
			a := s.asksAs(t, test.headers...)
			if a.status != test.status || !strings.Contains(a.body, test.says) {
				t.Errorf("%s: %d %s", test.name, a.status, a.body)
			}
			if test.status != 421 && a.header.Get("Cache-Control") != "no-store" || a.header.Get("Strict-Transport-Security") == "" {
				t.Errorf("%s: %v", test.name, a.header)
			}
		}
		event := []byte(`{"event":"purchase","anonymousId":"v1"}`)
		for _, test := range []struct {
			key, origin string
			status      int
		}{
			{write, "https://shop.example", 200}, {write, "", 200}, {write, "https://attacker.example", 403}, {read, "", 401}, {"shop.example", "", 401}, {write + "A", "", 401},
		} {
			headers := []string{"Origin", test.origin}
			if test.origin == "" {
				headers = nil
			}
			if a := s.mustTrack(t, test.key, "/v1/track", event, headers...); a.status != test.status || a.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%.6s from %s: %d %s", test.key, test.origin, a.status, a.body)
			}
		}
		// A second's worth of messages is little, but a batch fits in always.
		batch := func(messages int) []byte {
			return []byte(`{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"group"},`, messages), ",") + `]}`)
		}
		if a := s.mustTrack(t, write, "/v1/batch", batch(19_990)); a.status != 200 {
			t.Errorf("a large batch: %d %s", a.status, a.body)
		}
		a := s.mustTrack(t, write, "/v1/batch", batch(500))
		if retry, err := strconv.Atoi(a.header.Get("Retry-After")); a.status != 429 || err != nil || retry < 400 || retry > 500 || !strings.Contains(a.body, "nothing was kept") {
			t.Errorf("too many messages: %d, Retry-After %d: %s", a.status, retry, a.body)
		}

		list := program(t, "--database", database, "key", "list").mustRun(t, done).stdout.String()
		account, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		line := regexp.MustCompile(`(?m)^2 .*Web shop.*write.*shop\.example.*https://shop\.example.*$`).FindString(list)
		if line == "" || !strings.Contains(line, account.Username) || strings.Contains(list, read) || strings.Contains(list, write) {
			t.Errorf("key list: %s", list)
		}

		rotated := program(t, "--database", database, "key", "rotate", "1", "--overlap", "12h").mustRun(t, done).stdout.String()
		successor := lastWord(rotated)
		if !strings.HasPrefix(rotated, "key 3 is the successor of key 1, which expires at ") {
			t.Errorf("key rotate: %s", rotated)
		}
		for _, key := range []string{read, successor} {
			if a := s.asksAs(t, "Authorization", "Bearer "+key); a.status != 200 {
				t.Errorf("after a rotation: %d %s", a.status, a.body)
			}
		}
		program(t, "--database", database, "key", "revoke", "3").mustRun(t, done)
		begin := time.Now()
		await(t, "the key is refused", func() bool { return s.asksAs(t, "Authorization", "Bearer "+successor).status == 401 })
		if took := time.Since(begin); took > 10*time.Second { // 2 s, or more on a loaded machine
			t.Errorf("a revocation takes %v", took)
		}
		if a := s.asksAs(t, "Authorization", "Bearer "+read); a.status != 200 {
			t.Errorf("another key: %d %s", a.status, a.body)
		}
		s.mustStop(t)
		list = program(t, "--database", database, "key", "list").mustRun(t, done).stdout.String()
		if today := time.Now().UTC().Format(time.DateOnly); strings.Count(regexp.MustCompile(`(?m)^2 .*$`).FindString(list), today) != 2 {
			t.Errorf("the write key was created and last used today: %s", list)
		}
	})
}

// A key of several sites sends to the site of the page that a message is about.
func TestTrackingOfSeveralSites(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustCreateKey(t, database, "--scope", "write", "--site", "shop.example", "--site", "blog.example", "Both")
	admin := mustCreateKey(t, database, "--scope", "admin", "Operator")
	s := mustServe(t, "--database", database)
	a := s.mustTrack(t, key, "/v1/batch", []byte(`{"batch":[
		{"type":"track","event":"a","anonymousId":"v1","context":{"page":{"url":"https://shop.example/"}}},
		{"type":"track","event":"b","anonymousId":"v1","context":{"page":{"url":"https://www.blog.example/"}}},
		{"type":"page","anonymousId":"v2","properties":{"url":"https://shop.example/pricing"}},
		{"type":"track","event":"c","anonymousId":"v1"},
		{"type":"track","event":"d","anonymousId":"v1","context":{"page":{"url":"https://other.example/"}}}
	]}`))
	if a.status != 200 || !strings.Contains(a.body, `"index":3`) || !strings.Contains(a.body, `"index":4`) || strings.Count(a.body, "index") != 2 || !strings.Contains(a.body, "other.example") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.mustTrack(t, key, "/v1/track", []byte(`{"event":"a","anonymousId":"v3"}`)); a.status != 400 || !strings.Contains(a.body, "context.page.url") {
		t.Errorf("without a page: %d %s", a.status, a.body)
	}
	if a := s.mustTrack(t, admin, "/v1/track", []byte(`{"event":"a","anonymousId":"v3","context":{"page":{"url":"https://blog.example/"}}}`)); a.status != 200 {
		t.Errorf("by an ADMIN key: %d %s", a.status, a.body)
	}
	for domain, want := range map[string]int{"shop.example": 2, "blog.example": 2} {
		answer := s.mustAsk(t, fmt.Sprintf(`{ site(domain: %q) { sessionCount(range: { from: "2020-01-01T00:00:00Z" }) } }`, domain))
		if !strings.Contains(answer, fmt.Sprintf(`"sessionCount":%d`, want)) {
			t.Errorf("%s: %s, want %d", domain, answer, want)
		}
	}
}

// Without authentication a page of another origin can do nothing, unless it has a key.
func TestForeignPagesWithoutAuthentication(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	event := []byte(`{"event":"purchase","anonymousId":"v1"}`)
	foreign := []string{"Origin", "https://attacker.example", "Content-Type", "text/plain"}
	if a := s.mustTrack(t, "shop.example", "/v1/track", event, foreign...); a.status != 401 {
		t.Errorf("a foreign page with the domain: %d %s", a.status, a.body)
	}
	if a := s.mustTrack(t, "", "/v1/track?writeKey=shop.example", event, foreign...); a.status != 401 {
		t.Errorf("a foreign page with the domain in the query: %d %s", a.status, a.body)
	}
	if a := s.mustTrack(t, "shop.example", "/v1/track", event, "Origin", s.url); a.status != 200 {
		t.Errorf("one's own page with the domain: %d %s", a.status, a.body)
	}
	if a := s.mustTrack(t, key, "/v1/track", event, foreign...); a.status != 200 {
		t.Errorf("a page with a key: %d %s", a.status, a.body)
	}
	if a := s.asksAs(t, "Origin", "https://attacker.example"); a.status != 403 {
		t.Errorf("a foreign page asks: %d %s", a.status, a.body)
	}
}
