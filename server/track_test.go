//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// recorded is a request as a real SDK sent it.
type recorded struct {
	Method, URL string
	Headers     map[string]string
	Body        json.RawMessage
}

// mustRecorded returns the requests of a file, with the key in place of theirs.
func mustRecorded(tb testing.TB, name, key string) (requests []recorded) {
	tb.Helper()
	file, err := os.Open(filepath.Join("ingest", "testdata", "wire", name+".jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		for _, old := range []string{`/projects/WK/`, `writeKey=WK`, `"writeKey":"WK"`} {
			text = strings.ReplaceAll(text, old, strings.ReplaceAll(old, "WK", key))
		}
		text = strings.ReplaceAll(text, base64.StdEncoding.EncodeToString([]byte("WK:")), base64.StdEncoding.EncodeToString([]byte(key+":")))
		var r recorded
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			tb.Fatal(err)
		}
		requests = append(requests, r)
	}
	return requests
}

// mustSend sends a request as it was recorded.
func (s *server) mustSend(tb testing.TB, r recorded) answer {
	tb.Helper()
	body := []byte(r.Body)
	if string(body) == `""` {
		body = nil
	}
	if r.Headers["content-encoding"] == "gzip" {
		body = packed(body)
	}
	request, err := http.NewRequest(r.Method, s.url+r.URL, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	for name, value := range r.Headers {
		switch name {
		case "host", "connection", "content-length", "accept-encoding":
		default:
			request.Header.Set(name, value)
		}
	}
	a, err := do(request, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func packed(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	w.Close()
	return b.Bytes()
}

// mustKey makes a write key of shop.example.
func mustKey(tb testing.TB, database string) string {
	tb.Helper()
	p := program(tb, "--database", database, "key", "create", "--scope", "write", "--site", "shop.example", "Web shop").mustRun(tb, done)
	return strings.TrimSpace(p.stdout.String())
}

// mustTrack sends a body to a path with a key, and returns the answer.
func (s *server) mustTrack(tb testing.TB, key, path string, body []byte, headers ...string) answer {
	tb.Helper()
	a, err := s.track(key, path, body, headers...)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func (s *server) track(key, path string, body []byte, headers ...string) (answer, error) {
	request, err := http.NewRequest(http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if key != "" {
		request.SetBasicAuth(key, "")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return do(request, nil)
}

// events returns what the site's events are, by name.
func (s *server) events(tb testing.TB) map[string]int {
	tb.Helper()
	var data struct {
		Site struct {
			Events struct {
				Nodes []struct {
					Name  string
					Count int
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(s.mustAsk(tb, `{ site(domain: "shop.example") { events { nodes { name count firstSeen lastSeen } } } }`)), &data); err != nil {
		tb.Fatal(err)
	}
	counts := map[string]int{}
	for _, node := range data.Site.Events.Nodes {
		counts[node.Name] = node.Count
	}
	return counts
}

// sessions returns how many sessions the site has.
func (s *server) sessions(tb testing.TB) (n int) {
	tb.Helper()
	var data struct{ Site struct{ SessionCount int } }
	if err := json.Unmarshal([]byte(s.mustAsk(tb, `{ site(domain: "shop.example") { sessionCount(range: { from: "1990-01-01T00:00:00Z" }) } }`)), &data); err != nil {
		tb.Fatal(err)
	}
	return data.Site.SessionCount
}

// Requests that real SDKs have sent are taken as they are, and what they say is
// counted at once; sent again, they change nothing.
func TestTrackRecorded(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		key := mustKey(t, database)
		s := mustServe(t, "--database", database)
		for range 2 {
			for _, name := range []string{"segment-browser", "segment-node", "rudder-browser-batch", "rudder-node"} {
				for _, r := range mustRecorded(t, name, key) {
					a := s.mustSend(t, r)
					want := http.StatusOK
					if r.Method == http.MethodOptions {
						want = http.StatusNoContent
						if got := a.header.Get("Access-Control-Allow-Headers"); got != r.Headers["access-control-request-headers"] {
							t.Errorf("%s %s: allowed headers %q", r.Method, r.URL, got)
						}
					}
					if a.status != want || a.header.Get("Access-Control-Allow-Origin") != "*" {
						t.Fatalf("%s: %s %s: status %d, %s", name, r.Method, r.URL, a.status, a.body)
					}
					if r.Method == http.MethodPost && strings.TrimSpace(a.body) != `{"success":true}` {
						t.Errorf("%s: %s: %s", name, r.URL, a.body)
					}
				}
			}
			got := s.events(t)
			if len(got) != 2 || got["Signed Up"] != 3 || got["Order Completed"] != 2 {
				t.Errorf("events %v, want 3 of Signed Up and 2 of Order Completed", got)
			}
		}
		// The goal is made after what it counts.
		made := s.mustAsk(t, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: "Order Completed", name: "Order" }) { goal { id } } }`, s.siteID(t)))
		if !strings.Contains(made, "id") {
			t.Fatal(made)
		}
		card := s.mustAsk(t, `{ site(domain: "shop.example") { goalCards(range: { from: "1990-01-01T00:00:00Z" }) { goal { key } cells { sessions conversions valueTotal visitors } } } }`)
		// Both servers name the user alone, whom a later alias links to a device: their orders, of one moment by
		// the senders' clocks, are of one session.
		if !strings.Contains(card, `"conversions":1,"valueTotal":19.98`) {
			t.Error(card)
		}
	})
}

func (s *server) siteID(tb testing.TB) string {
	tb.Helper()
	var data struct{ Site struct{ ID string } }
	if err := json.Unmarshal([]byte(s.mustAsk(tb, `{ site(domain: "shop.example") { id } }`)), &data); err != nil {
		tb.Fatal(err)
	}
	return data.Site.ID
}

func page(visitor, path string) []byte {
	return fmt.Appendf(nil, `{"type":"page","anonymousId":%q,"messageId":%q,"properties":{"path":%q}}`, visitor, visitor+path, path)
}

// A key is taken wherever SDKs put it, and no other one is.
func TestTrackKeys(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")
	key := mustKey(t, database)
	read := strings.TrimSpace(program(t, "--database", database, "key", "create", "--scope", "read", "Reader").mustRun(t, done).stdout.String())
	s := mustServe(t, "--database", database)
	withKey := func(key string) []byte {
		return fmt.Appendf(nil, `{"anonymousId":"a","properties":{"path":"/"},"writeKey":%q}`, key)
	}
	for _, test := range []struct {
		name, key, path string
		body            []byte
		headers         []string
		status          int
		says            string
	}{
		{"Basic", key, "/v1/page", page("a", "/1"), nil, 200, ""},
		{"Bearer", "", "/v1/p", page("a", "/2"), []string{"Authorization", "Bearer " + key}, 200, ""},
		{"in the body", "", "/v1/page", withKey(key), nil, 200, ""},
		{"in the query", "", "/v1/page?writeKey=" + key, page("a", "/3"), nil, 200, ""},
		{"the site's domain, without authentication", "shop.example", "/v1/page", page("a", "/4"), nil, 200, ""},
		{"none", "", "/v1/page", page("a", "/5"), nil, 401, "no write key"},
		{"unknown", "w_UNKNOWN", "/v1/page", page("a", "/6"), nil, 401, "unknown"},
		{"unknown in the body", "", "/v1/page", withKey("x"), nil, 401, "unknown"},
		{"of another scope", read, "/v1/page", page("a", "/7"), nil, 401, "READ"},
	} {
		a := s.mustTrack(t, test.key, test.path, test.body, test.headers...)
		if a.status != test.status || !strings.Contains(a.body, test.says) {
			t.Errorf("%s: status %d, %s", test.name, a.status, a.body)
		}
	}
	list := program(t, "--database", database, "key", "list").mustRun(t, done).stdout.String()
	if !strings.Contains(list, "Web shop") || strings.Contains(list, key) {
		t.Errorf("key list: %s", list)
	}
	program(t, "--database", database, "key", "revoke", "1").mustRun(t, done)
	await(t, "the revoked key is refused", func() bool {
		a := s.mustTrack(t, key, "/v1/page", page("b", "/"))
		return a.status == 401 && strings.Contains(a.body, "revoked")
	})
	program(t, "--database", database, "key", "create", "--scope", "write", "Nowhere", "--site", "bad_site!").mustRun(t, wrongUsage)
}

// What is wrong is refused with a reason, and takes nothing good with it.
func TestTrackRefusals(t *testing.T) {
	t.Parallel()
	// 400 MiB, as gzip's files may be joined.
	bomb := string(bytes.Repeat(packed(bytes.Repeat([]byte(" "), 1<<20)), 400))
	storetest.Databases(t, func(t *testing.T, database string) {
		key := mustKey(t, database)
		s := mustServe(t, "--database", database)
		long := strings.Repeat("x", 33<<10)
		tags := make([]string, 100_000)
		for i := range tags {
			tags[i] = fmt.Sprint(i)
		}
		manyTags, _ := json.Marshal(tags)
		for _, test := range []struct {
			name, path, body string
			headers          []string
			status           int
			says             string
		}{
			{"no JSON", "/v1/track", `{"event":`, nil, 400, "not JSON"},
			{"empty", "/v1/track", ``, nil, 400, "not JSON"},
			{"a list", "/v1/batch", `[]`, nil, 400, "not a JSON object"},
			{"no batch", "/v1/batch", `{}`, nil, 400, "no batch"},
			{"batch that is no list", "/v1/batch", `{"batch":{}}`, nil, 400, "not a list"},
			{"empty batch", "/v1/batch", `{"batch":[]}`, nil, 200, `"success":true`},
			{"no event", "/v1/track", `{"anonymousId":"a"}`, nil, 400, "event"},
			{"nobody", "/v1/track", `{"event":"E"}`, nil, 400, "anonymousId"},
			{"long message", "/v1/track", `{"event":"E","anonymousId":"a","x":"` + long + `"}`, nil, 413, "32 KiB"},
			{"long batch", "/v1/batch", `{"batch":[],"x":"` + strings.Repeat("x", 500<<10) + `"}`, nil, 413, "500 KiB"},
			{"bomb", "/v1/batch", bomb, []string{"Content-Encoding", "gzip"}, 413, "500 KiB"},
			{"no gzip", "/v1/batch", `{"batch":[]}`, []string{"Content-Encoding", "gzip"}, 400, "the body is not"},
			{"cut gzip", "/v1/batch", string(packed([]byte(`{"batch":[]}`))[:20]), []string{"Content-Encoding", "gzip"}, 400, "ends early"},
			{"other packing", "/v1/batch", `{"batch":[]}`, []string{"Content-Encoding", "br"}, 415, "br"},
			{"deep", "/v1/track", `{"event":"E","anonymousId":"a","x":` + strings.Repeat("[", 15_000) + strings.Repeat("]", 15_000) + `}`, nil, 400, "not JSON"},
			{"year 1", "/v1/track", `{"event":"E","anonymousId":"a","timestamp":"0001-01-01T00:00:00Z"}`, nil, 400, "more than 10 years ago"},
			{"year 2000", "/v1/track", `{"event":"E","anonymousId":"a","timestamp":"2000-12-31T23:59:59Z"}`, nil, 400, "more than 10 years ago"},
			{"value that is no number", "/v1/track", `{"event":"E","anonymousId":"a","properties":{"value":"cheap"}}`, nil, 400, "properties.value"},
			{"bot", "/v1/track", `{"event":"E","anonymousId":"a","context":{"userAgent":"Googlebot/2.1"}}`, nil, 200, `"bots":1`},
			{"many tags", "/v1/batch", `{"batch":[{"type":"page","anonymousId":"a","properties":{"path":"/","tags":` + string(manyTags) + `}}]}`, nil, 413, "500 KiB"},
		} {
			a := s.mustTrack(t, key, test.path, []byte(test.body), test.headers...)
			if a.status != test.status || !strings.Contains(a.body, test.says) {
				t.Errorf("%s: status %d, %.300s", test.name, a.status, a.body)
			}
		}
		if n := s.sessions(t); n != 0 {
			t.Fatalf("%d sessions of refused messages", n)
		}
		// Odd, and kept as far as it can be.
		odd := `{"batch":[
			{"type":"track","event":"E\u0000vent","anonymousId":"a","properties":{"ratio":1e999}},
			{"type":"unheard"},
			{"type":"track","event":"` + "\xff" + `é","anonymousId":"a","properties":{"tags":["` + strings.Repeat("t", 5000) + `"]}},
			{"type":"page","anonymousId":"b","x":"` + long + `","properties":{"path":"/"}},
			17
		]}`
		a := s.mustTrack(t, key, "/v1/batch", []byte(odd))
		var said struct {
			Success  bool
			Rejected []struct {
				Index  int
				Reason string
			}
		}
		if err := json.Unmarshal([]byte(a.body), &said); err != nil || a.status != 200 || !said.Success || len(said.Rejected) != 3 ||
			said.Rejected[0].Index != 1 || said.Rejected[1].Index != 3 || said.Rejected[2].Index != 4 {
			t.Fatalf("status %d, %s", a.status, a.body)
		}
		if got := s.events(t); len(got) != 2 || got["Event"] != 1 || got["é"] != 1 {
			t.Errorf("events %v", got)
		}
		get, err := do(http.NewRequest(http.MethodGet, s.url+"/v1/track", nil))
		if err != nil || get.status != http.StatusMethodNotAllowed || get.header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("GET: %v %+v", err, get)
		}
	})
}

// Of 100,000 distinct tags a site keeps as many as it may; the others are one, and told
// of. None of them costs a message.
func TestTrackManyValues(t *testing.T) {
	t.Parallel()
	const most = 300
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database, "--max-values", strconv.Itoa(most))
	const requests, each = 20, 50
	for request := range requests {
		var batch []string
		for i := range each {
			tags := make([]string, model.MaxTags)
			for tag := range tags {
				tags[tag] = fmt.Sprintf(`"%d-%d-%d"`, request, i, tag)
			}
			batch = append(batch, fmt.Sprintf(`{"type":"page","anonymousId":"v%d-%d","properties":{"path":"/","tags":[%s]}}`, request, i, strings.Join(tags, ",")))
		}
		if a := s.mustTrack(t, key, "/v1/batch", []byte(`{"batch":[`+strings.Join(batch, ",")+`]}`)); a.status != 200 || strings.Contains(a.body, "rejected") {
			t.Fatalf("status %d, %.300s", a.status, a.body)
		}
	}
	if n, others := s.sessions(t), s.count(t, `{ tags: { all: ["`+model.OtherValue+`"] } }`); n != requests*each || others != n-most/model.MaxTags {
		t.Errorf("%d sessions, %d of them with %s", n, others, model.OtherValue)
	}
	var data struct {
		Site struct{ Values []struct{ Value string } }
	}
	answer := s.mustAsk(t, `{ site(domain: "shop.example") { values(filterType: "tags", first: 500) { value } } }`)
	if err := json.Unmarshal([]byte(answer), &data); err != nil || len(data.Site.Values) != most+1 || data.Site.Values[0].Value != model.OtherValue {
		t.Errorf("%v; %d tags: %.300s", err, len(data.Site.Values), answer)
	}
	told := fmt.Sprintf(`goalgraph_tracking_overflow_values_total{dimension="tag"} %d`, requests*each*model.MaxTags-most)
	if metrics := s.get(t, "/metrics").body; !strings.Contains(metrics, told) {
		t.Errorf("the metrics do not say %s", told)
	}
}

// An acknowledged message is in the very next count, on every node, while many are
// sent at once.
func TestTrackIsCountedAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		key := mustKey(t, database)
		nodes := []*server{mustServe(t, "--database", database)}
		if strings.HasPrefix(database, "postgres") {
			nodes = append(nodes, mustServe(t, "--database", database))
		}
		const senders, each = 8, 12
		var sending sync.WaitGroup
		for sender := range senders {
			sending.Go(func() {
				for n := range each {
					event := fmt.Sprintf("event-%d-%d", sender, n)
					node := nodes[(sender+n)%len(nodes)]
					a, err := node.track(key, "/v1/track", fmt.Appendf(nil, `{"event":%q,"anonymousId":"v%d","properties":{"value":2.5}}`, event, sender))
					if err != nil || a.status != 200 {
						t.Errorf("%v %+v", err, a)
						return
					}
					for _, node := range nodes {
						a, err := do(graphQLRequest(node.url, fmt.Sprintf(`{ site(domain: "shop.example") { sessionCount(filters: [{ events: { all: [%q] } }], range: { from: "2020-01-01T00:00:00Z" }) } }`, event)))
						if err != nil || !strings.Contains(a.body, `"sessionCount":1`) {
							t.Errorf("%s is not counted: %v %+v", event, err, a)
							return
						}
					}
				}
			})
		}
		sending.Wait()
		if got := nodes[0].events(t); len(got) != min(50, senders*each) {
			t.Errorf("%d events", len(got))
		}
	})
}

// Addresses are kept as far as the site says; a forged X-Forwarded-For says nothing.
func TestTrackAddresses(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")
	key := mustKey(t, database)
	countries := filepath.Join(t.TempDir(), "countries.mmdb")
	copyFile(t, "ingest/testdata/GeoLite2-Country-Test.mmdb", countries)
	s := mustServe(t, "--database", database, "--geoip", countries)
	behind := mustServe(t, "--database", database, "--trusted-proxies", "127.0.0.1,10.0.0.0/8")
	st, err := store.Open(t.Context(), database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	originOf := func(visitor string) (found string) {
		site, err := st.SiteByDomain(t.Context(), "shop.example")
		if err != nil {
			t.Fatal(err)
		}
		partitions, err := st.Partitions(t.Context(), site.ID, model.Range{From: 0, To: model.Open})
		if err != nil {
			t.Fatal(err)
		}
		for _, partition := range partitions {
			if err := st.EachSession(t.Context(), partition.SiteID, partition.ID, true, func(session *model.Session) error {
				if session.VisitorKey == visitor {
					found = session.IP + " " + session.Country
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		return found
	}
	privacy := func(is string) {
		s.mustAsk(t, fmt.Sprintf(`mutation { updateSite(input: { id: %q, addresses: %s }) { site { addresses } } }`, s.siteID(t), is))
	}
	for i, test := range []struct {
		name    string
		to      *server
		privacy string
		body    string
		forward string
		want    string
	}{
		{"the connection's", s, "WHOLE", ``, "", "127.0.0.1 "},
		{"forged", s, "WHOLE", ``, "81.2.69.142", "127.0.0.1 "},
		{"by a proxy", behind, "WHOLE", ``, "6.6.6.6, 81.2.69.142, 10.1.2.3", "81.2.69.142 "},
		{"nonsense by a proxy", behind, "WHOLE", ``, "81.2.69.142, nonsense", "127.0.0.1 "},
		{"the message's", s, "WHOLE", `"ip":"81.2.69.142"`, "", "81.2.69.142 GB"},
		{"a server's library", s, "WHOLE", `"library":{"name":"@segment/analytics-node"}`, "", " "},
		{"truncated", s, "TRUNCATED", `"ip":"81.2.69.142"`, "", "81.2.69.0 GB"},
		{"truncated, IPv6", s, "TRUNCATED", `"ip":"2001:218:1:2::3"`, "", "2001:218:1:: JP"},
		{"none", s, "NONE", `"ip":"81.2.69.142"`, "", " GB"},
	} {
		privacy(test.privacy)
		visitor := fmt.Sprintf("v%d", i)
		a := test.to.mustTrack(t, key, "/v1/page", fmt.Appendf(nil, `{"anonymousId":%q,"properties":{"path":"/"},"context":{%s}}`, visitor, test.body), "X-Forwarded-For", test.forward)
		if a.status != 200 {
			t.Fatalf("%s: %+v", test.name, a)
		}
		if got := originOf(visitor); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}

	// The file of countries is damaged for a while, and then another one.
	if err := os.WriteFile(countries, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the damaged file is told of", func() bool { return strings.Contains(s.stderr.String(), "cannot reload the location database") })
	data, err := os.ReadFile("ingest/testdata/GeoLite2-Country-Test.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	// The code of a country is a text of two bytes, as the byte before it says.
	if err := os.WriteFile(countries, bytes.ReplaceAll(data, []byte("\x42GB"), []byte("\x42FR")), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the file is read again", func() bool { return strings.Contains(s.stderr.String(), "reloaded the location database") })
	s.mustTrack(t, key, "/v1/page", []byte(`{"anonymousId":"later","properties":{"path":"/"},"context":{"ip":"81.2.69.142"}}`))
	if got := originOf("later"); got != " FR" {
		t.Errorf("with the new file: %q", got)
	}
}

func copyFile(tb testing.TB, from, to string) {
	tb.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
