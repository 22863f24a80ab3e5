//go:build system

// The tests in this file run the server and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
)

// newPage serves an empty page of another origin.
func newPage(tb testing.TB) string {
	tb.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>page</title><body>") // a browser that has gone
	}))
	tb.Cleanup(page.Close)
	return page.URL
}

// attack is what a page tries with a server at base. Each attempt tells what came of it: "read …" for an answer that the
// page could read, and anything else for none. key is what it sends as a write key, of a site that is to be changed.
const attack = `
	const attempts = {}, mutation = JSON.stringify({ query: 'mutation { createSite(input: { name: "attacked", domains: ["attacked.example"] }) { site { id } } }' })
	const query = encodeURIComponent('{ sites { domains } }'), event = JSON.stringify({ event: 'attacked', anonymousId: 'a' })
	const attempt = async (name, what) => {
		try { attempts[name] = await what() } catch (e) { attempts[name] = 'failed: ' + e }
	}
	const read = async (response) => response.type === 'opaque' ? 'opaque' : (response.ok ? 'read ' : 'refused ') + response.status + ' ' + (await response.text()).slice(0, 100)
	const graphql = (init) => fetch(base + '/graphql', { credentials: 'include', ...init }).then(read)
	await attempt('query', () => fetch(base + '/graphql?query=' + query, { credentials: 'include' }).then(read))
	await attempt('query, not cors', () => fetch(base + '/graphql?query=' + query, { credentials: 'include', mode: 'no-cors' }).then(read))
	await attempt('mutation', () => graphql({ method: 'POST', headers: { 'content-type': 'application/json' }, body: mutation }))
	await attempt('mutation as text', () => graphql({ method: 'POST', headers: { 'content-type': 'text/plain' }, body: mutation }))
	await attempt('mutation as text, not cors', () => graphql({ method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body: mutation }))
	await attempt('mutation by GET', () => fetch(base + '/graphql?query=' + encodeURIComponent(JSON.parse(mutation).query), { mode: 'no-cors' }).then(read))
	await attempt('beacon', async () => String(navigator.sendBeacon(base + '/graphql', new Blob([mutation], { type: 'text/plain' }))))
	await attempt('event', () => fetch(base + '/v1/track', { method: 'POST', headers: { authorization: 'Basic ' + btoa(key + ':') }, body: event }).then(read))
	await attempt('event as text', () => fetch(base + '/v1/track?writeKey=' + key, { method: 'POST', mode: 'no-cors', body: event }).then(read))
	await attempt('event beacon', async () => String(navigator.sendBeacon(base + '/v1/track?writeKey=' + key, event)))
	await attempt('settings', () => fetch(base + '/v1/projects/' + key + '/settings').then(read))
	await attempt('log out', () => fetch(base + '/auth/logout', { method: 'POST', credentials: 'include', mode: 'no-cors' }).then(read))
	for (const [kind, type, text, name, value] of [
		['event form', 'text/plain', '', '{"event":"attacked","anonymousId":"a","x":"', '"}'],
		['mutation form', 'text/plain', '', mutation.slice(0, -1) + ',"x":"', '"}'],
		['mutation urlencoded', 'application/x-www-form-urlencoded', '', 'query', JSON.parse(mutation).query],
	]) {
		await attempt(kind, () => new Promise((resolve) => {
			const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), { name: 'frame ' + kind }))
			const form = document.body.appendChild(Object.assign(document.createElement('form'), { method: 'POST', enctype: type, target: frame.name,
				action: base + (kind.startsWith('event') ? '/v1/track?writeKey=' + key : '/graphql') }))
			form.append(Object.assign(document.createElement('input'), { name, value }))
			frame.onload = () => {
				let text = 'hidden'
				try { text = frame.contentDocument.body.textContent ? 'read ' + frame.contentDocument.body.textContent.slice(0, 100) : 'empty' } catch {}
				resolve(text)
			}
			form.submit()
		}))
	}
	await attempt('WebSocket', () => new Promise((resolve) => {
		const socket = new WebSocket(base.replace('http', 'ws') + '/graphql', 'graphql-transport-ws')
		socket.onopen = () => socket.send(JSON.stringify({ type: 'connection_init', payload: bearer ? { authorization: 'Bearer ' + bearer } : undefined }))
		socket.onmessage = ({ data }) => {
			if (JSON.parse(data).type === 'connection_ack') socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '{ __typename }' } }))
			else { resolve('read ' + data); socket.close() }
		}
		socket.onerror = () => resolve('failed')
		socket.onclose = ({ code }) => resolve('closed ' + code)
	}))
	await attempt('EventSource', () => new Promise((resolve) => {
		const source = new EventSource(base + '/graphql?query=' + encodeURIComponent('{ __typename }'), { withCredentials: true })
		source.addEventListener('next', ({ data }) => { resolve('read ' + data); source.close() })
		source.onerror = () => { resolve('failed'); source.close() }
	}))
	await attempt('frame', () => new Promise((resolve) => {
		const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), { src: base + '/graphiql/' }))
		frame.onload = () => {
			let text = 'hidden'
			try { text = frame.contentDocument.querySelector('script') ? 'read' : 'empty' } catch {}
			resolve(text)
		}
	}))
	window.attempts = attempts
`

// A page of another origin in the operator's browser reads nothing and changes nothing, whether it is at another port, or
// makes a name of its own lead to the server; whether the server asks for keys or not, and when the operator is logged in.
func TestForeignPagesInABrowser(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"none", "keys", "login"} {
		t.Run(auth, func(t *testing.T) {
			t.Parallel()
			database := storetest.SQLite(t)
			mustKey(t, database) // and its site, shop.example
			s := mustServeKeys(t, database, "--auth", map[bool]string{true: "none", false: "keys"}[auth == "none"])
			if auth == "login" {
				s.mustCreateUser(t, database)
			}
			target, err := url.Parse(s.url)
			if err != nil {
				t.Fatal(err)
			}
			foreign, rebound := newPage(t), "http://attacker.example:"+target.Port()
			for name, page := range map[string]struct{ open, base string }{
				"another port":      {foreign, s.url},
				"another name":      {strings.Replace(foreign, "127.0.0.1", "attacker.example", 1), s.url},
				"localhost by name": {strings.Replace(foreign, "127.0.0.1", "attacker.example", 1), "http://localhost:" + target.Port()},
				"DNS rebinding":     {rebound, rebound},
			} {
				browser := browsertest.OpenWithHosts(t, "MAP attacker.example 127.0.0.1", s.url+"/auth/login")
				if auth == "login" {
					browser.Do(fmt.Sprintf(`const { ok } = await fetch("/auth/login", { method: "POST", headers: { "content-type": "application/json" }, body: %q }); if (!ok) throw "no login"`, credentials))
				}
				if page.open != page.base {
					browser.Run(chromedp.Navigate(page.open))
				} else {
					// Before its name leads to the server, the page came from elsewhere, without the policy of the refusal.
					browser.Run(cdppage.SetBypassCSP(true), chromedp.Navigate(page.open))
				}
				browser.Do(fmt.Sprintf("const base = %q, key = 'shop.example', bearer = '';", page.base) + attack)
				for _, attempt := range strings.Split(browser.Text("Object.entries(attempts).map(([name, came]) => name + ' = ' + came).join('\\n')"), "\n") {
					t.Logf("%s: %s", name, attempt)
					if strings.Contains(attempt, "= read") {
						t.Errorf("%s: %s", name, attempt)
					}
				}
				if n := browser.Text("Object.keys(attempts).length"); n != "18" {
					t.Errorf("%s: %s attempts were made", name, n)
				}
				if query := browser.Text("attempts.query"); name == "DNS rebinding" && !strings.HasPrefix(query, "refused 421") {
					t.Errorf("%s: a query is %s", name, query)
				}
				if auth == "login" {
					browser.Run(chromedp.Navigate(s.url + "/graphiql/"))
					browser.Do(`const { status } = await fetch("/graphql?query=%7B__typename%7D"); if (status !== 200) throw "logged out: " + status`)
				}
			}
			// Nothing was written, by whichever way.
			db := openSQL(t, database)
			for query, want := range map[string]int{"SELECT count(*) FROM sites": 1, "SELECT count(*) FROM hits": 0, "SELECT count(*) FROM messages": 0} {
				if got := number(t, db, query); got != want {
					t.Errorf("%s: %d, want %d", query, got, want)
				}
			}
		})
	}
}

const credentials = `{"name":"ann","password":"a horse of correct batteries"}`

// mustCreateUser creates an administrator, who has the credentials.
func (s *server) mustCreateUser(tb testing.TB, database string) {
	tb.Helper()
	link := lastWord(program(tb, "--database", database, "user", "create", "--role", "admin", "ann").mustRun(tb, done).stdout.String())
	_, token, _ := strings.Cut(link, "#")
	request, err := http.NewRequest(http.MethodPost, s.url+"/auth/password", strings.NewReader(fmt.Sprintf(`{"token":%q,"password":"a horse of correct batteries"}`, token)))
	if a := withHeaders(tb, request, err, "Content-Type", "application/json"); a.status != 200 {
		tb.Fatalf("%d %s", a.status, a.body)
	}
}

// A page of an allowed origin queries, changes and subscribes, with a key, or as everybody.
func TestAllowedPagesInABrowser(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"none", "keys"} {
		t.Run("--auth "+auth, func(t *testing.T) {
			t.Parallel()
			database := storetest.SQLite(t)
			mustKey(t, database)
			edit := mustCreateKey(t, database, "--scope", "edit", "Front end")
			page := newPage(t)
			s := mustServeKeys(t, database, "--auth", auth, "--allowed-origins", page)
			browser := browsertest.Open(t, page)
			browser.Do(fmt.Sprintf(`const base = %q, bearer = %q`, s.url, edit) + `
				const ask = async (query, init) => (await fetch(base + '/graphql', { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json', authorization: 'Bearer ' + bearer },
					body: JSON.stringify({ query }) })).json()
				const { data: { site: { id } } } = await ask('{ site(domain: "shop.example") { id } }')
				const subscription = 'subscription { goalCards(siteId: "' + id + '", range: { from: "2020-01-01T00:00:00Z" }) { goal { key } } }'
				const socket = new WebSocket(base.replace('http', 'ws') + '/graphql', 'graphql-transport-ws')
				const answers = []
				socket.onopen = () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: 'Bearer ' + bearer } }))
				socket.onmessage = ({ data }) => {
					if (JSON.parse(data).type === 'connection_ack') socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: subscription } }))
					else answers.push(data)
				}
				window.answers = answers
				window.made = JSON.stringify(await ask('mutation { createGoal(input: { siteId: "' + id + '", key: "bought", name: "Bought" }) { goal { id } } }'))
			`)
			if made := browser.Text("made"); !strings.Contains(made, `"id"`) {
				t.Errorf("the mutation answers %s", made)
			}
			browser.Await("answers.some((answer) => answer.includes('bought'))")
		})
	}
}
