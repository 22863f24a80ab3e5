package ofrep_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allocation"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// variantOf returns the variant that the hash gives.
func variantOf(seed, visitor string) string {
	plan := allocation.Plan{Seed: seed, Weights: []float64{1, 1}, Share: 1}
	chosen, _ := plan.Allocate(visitor, allocation.None, true)
	return [2]string{"a", "b"}[chosen]
}

// Each state of an experiment has its answer, alone and among all.
func TestEvaluate(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		n := w.nodes[0]
		romanians := []model.FilterSpec{{Type: "country", Args: json.RawMessage(`{"is":["RO"]}`)}}
		w.running("plain", nil)
		w.running("seeded", func(e *model.Experiment) { e.Seed = "another" })
		w.running("valued", func(e *model.Experiment) {
			e.Variants = []model.Variant{{Key: "a", Weight: 1, Value: `{"color":"red","size":1.5}`}, {Key: "b", Weight: 1e-6, Value: `true`}}
		})
		w.running("nobody", func(e *model.Experiment) { e.TrafficShare = 0 })
		w.running("romanians", func(e *model.Experiment) { e.Audience = romanians })
		w.running("elsewhere", func(e *model.Experiment) { e.Layer = &model.Layer{Key: "l", To: 1e-9, From: 0} })
		w.running("forced", func(e *model.Experiment) {
			e.TrafficShare, e.Forced = 0, []model.ForcedVariant{{Visitor: "ada", Variant: "b"}}
		})
		w.experiment("draft", func(e *model.Experiment) { e.Forced = []model.ForcedVariant{{Visitor: "ada", Variant: "b"}} })
		w.stop(w.running("stopped", nil), "b")
		w.stop(w.running("rolled out", func(e *model.Experiment) { e.Rollout = true }), "b")
		w.stop(w.running("undecided", func(e *model.Experiment) { e.Rollout = true }), "")
		archived := w.running("archived", func(e *model.Experiment) { e.Rollout = true })
		w.stop(archived, "b")
		w.update(archived, (*model.Experiment).Archive)
		w.experiment("external", func(e *model.Experiment) { e.Assignment = model.ExternalAssignment })

		excluded := func(reason string, by allocation.Exclusion) flag {
			return flag{Reason: reason, Metadata: map[string]any{"excludedBy": string(by)}}
		}
		off := flag{Reason: "DISABLED"}
		want := map[string]flag{
			"plain":     {Reason: "SPLIT", Variant: variantOf("plain", "ada"), Value: variantOf("plain", "ada")},
			"seeded":    {Reason: "SPLIT", Variant: variantOf("another", "ada"), Value: variantOf("another", "ada")},
			"valued":    {Reason: "SPLIT", Variant: "a", Value: map[string]any{"color": "red", "size": 1.5}},
			"nobody":    excluded("SPLIT", allocation.ByShare),
			"romanians": excluded("UNKNOWN", allocation.ByAudience),
			"elsewhere": excluded("SPLIT", allocation.ByLayer),
			"forced":    {Reason: "TARGETING_MATCH", Variant: "b", Value: "b", Metadata: map[string]any{"forced": true}},
			"draft":     off, "stopped": off, "undecided": off, "archived": off,
			"rolled out": {Reason: "STATIC", Variant: "b", Value: "b"},
		}
		all := w.all(n, "ada", "")
		unlisted := map[string]bool{"draft": true, "archived": true} // which everybody could read otherwise
		if len(all) != len(want)-len(unlisted) {
			t.Errorf("there are %d flags", len(all))
		}
		for key, want := range want {
			want.Key = key
			if got := w.one(n, strings.ReplaceAll(key, " ", "%20"), "ada", ""); !reflect.DeepEqual(got, want) {
				t.Errorf("%s is %+v, want %+v", key, got, want)
			}
			if unlisted[key] {
				continue
			}
			got := all[key]
			if want.Reason == "SPLIT" && want.Variant != "" {
				if id, _ := got.Metadata["exposureId"].(string); len(id) != 36 {
					t.Errorf("%s has the metadata %v", key, got.Metadata)
				}
				got.Metadata = nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("among all, %s is %+v, want %+v", key, got, want)
			}
		}
		if got := w.one(n, "romanians", "ada", `, "country": "ro"`); got.Variant != variantOf("romanians", "ada") {
			t.Errorf("in Romania: %+v", got)
		}
		// Only who was given a variant was exposed, once, and not by the bulk.
		for key, count := range map[string]int{"plain": 1, "valued": 1, "romanians": 1, "nobody": 0, "forced": 0, "rolled out": 0, "draft": 0} {
			if variants, n := w.exposures(key); n != count || len(variants) != count {
				t.Errorf("%s has %d exposures: %v", key, n, variants)
			}
		}
		// Bots get variants, and nothing is kept of them. A library's own name says nothing.
		bot := w.ask(n, "", contextOf("bot", ""), "User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
		library := w.ask(n, "", contextOf("library", ""), "User-Agent", "Go-http-client/1.1")
		if strings.Contains(bot.body, "exposureId") || !strings.Contains(bot.body, `"variant"`) || !strings.Contains(library.body, "exposureId") {
			t.Errorf("a bot has %s\na library %s", bot.body, library.body)
		}
		// A site's holdout goes before everything.
		_, err := w.store.UpdateSite(t.Context(), w.site.ID, func(s *model.Site) error {
			s.Holdout = &model.Holdout{Share: 1}
			return nil
		})
		w.must(err)
		for _, key := range []string{"plain", "romanians", "elsewhere"} {
			if got := w.one(n, key, "ada", `, "country": "RO"`); got.Metadata["excludedBy"] != "HOLDOUT" || got.Value != nil {
				t.Errorf("held out, %s is %+v", key, got)
			}
		}
	})
}

// A visitor keeps the variant when the share shrinks and when it logs in, on every server, for as long as it is in the audience.
func TestKeep(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		first, second := w.nodes[0], w.node()
		e := w.running("x", func(e *model.Experiment) {
			e.Audience = []model.FilterSpec{{Type: "country", Args: json.RawMessage(`{"is":["RO"]}`)}}
		})
		const romania = `, "country": "RO"`
		had := map[string]string{}
		for i := range 20 {
			visitor := fmt.Sprint("v", i)
			had[visitor] = w.one([]*node{first, second}[i%2], "x", visitor, romania).Variant
		}
		w.await("all is kept", func() bool {
			n := 0
			for visitor := range had {
				assignee, err := w.store.Assignee(t.Context(), w.site.ID, visitor, model.Open)
				w.must(err)
				n += len(assignee.Kept)
			}
			return n == len(had)
		})
		w.update(e, func(e *model.Experiment) error {
			e.TrafficShare = 0
			return nil
		})
		w.ask(second, "?flagConfigEtag=another", contextOf("german", `, "country": "DE"`)) // which has it look
		if got := w.one(second, "x", "new", romania); got.Metadata["excludedBy"] != "SHARE" {
			t.Errorf("when nobody new takes part, somebody has %+v", got)
		}
		for visitor, variant := range had {
			for _, n := range w.nodes {
				if got := w.one(n, "x", visitor, romania); got.Variant != variant {
					t.Errorf("%s had %s, and has %+v", visitor, variant, got)
				}
			}
			if got := w.one(first, "x", visitor, `, "country": "DE"`); got.Metadata["excludedBy"] != "AUDIENCE" {
				t.Errorf("in Germany, %s has %+v", visitor, got)
			}
		}
		_, err := w.store.Write(t.Context(), w.site.ID, []model.Message{{
			AnonymousID: "v3", UserID: "user", Hit: model.Hit{ID: model.MessageIDOf("login"), At: model.MillisOf(time.Now()), Kind: model.Traits},
		}})
		w.must(err)
		if got := w.one(second, "x", "user", romania); got.Variant != had["v3"] {
			t.Errorf("with a login, v3 has %+v, and had %s", got, had["v3"])
		}
		if variants, n := w.exposures("x"); n != len(had) || len(variants) != len(had) {
			t.Errorf("%d visitors have %d exposures", len(variants), n)
		}
		if n, err := w.store.CountUnjoined(t.Context(), w.site.ID, e.ID, e.StartedAt); err != nil || n != len(had)-1 {
			t.Errorf("%d assignments are joined by no event, of %d and a login: %v", n, len(had), err)
		}
	})
}

// An audience is asked of the visitor's session where there is one: its entry page stays the first.
func TestAudienceOfSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.running("landed", func(e *model.Experiment) {
		e.Audience = []model.FilterSpec{{Type: "entryPage", Args: json.RawMessage(`{"is":["/landing"]}`)}, {Type: "visitor", Args: json.RawMessage(`{"kind":"NEW"}`)}}
	})
	for key, address := range map[string]string{"at": "203.0.113.7", "near": "203.0.113.0/24"} {
		w.running(key, func(e *model.Experiment) {
			e.Audience = []model.FilterSpec{{Type: "ip", Args: json.RawMessage(`{"is":["` + address + `"]}`)}}
		})
	}
	page := func(visitor, path string, ago time.Duration) {
		_, err := w.store.Write(t.Context(), w.site.ID, []model.Message{{AnonymousID: visitor, Hit: model.Hit{
			ID: model.MessageIDOf(visitor, path), At: model.MillisOf(time.Now().Add(-ago)), Kind: model.PageView, Name: path, Knows: model.KnowsAcquisition | model.KnowsPage,
			Origin: model.Origin{EntryPage: path, Hostname: "shop.example"},
		}}})
		w.must(err)
	}
	page("in", "/landing", time.Minute)
	page("elsewhere", "/about", time.Minute)
	page("back", "/landing", 3*time.Hour)
	for visitor, isIn := range map[string]bool{"in": true, "elsewhere": false, "back": false, "unseen": true} {
		path := "/landing"
		if visitor == "in" {
			path = "/basket" // where it is now
		}
		if got := w.one(w.nodes[0], "landed", visitor, `, "url": "https://shop.example`+path+`"`); (got.Variant != "") != isIn {
			t.Errorf("%s is %+v", visitor, got)
		}
	}
	// Of an address it sees what the site keeps, as the results do.
	const ip = `, "ip": "203.0.113.7"`
	if at, near := w.one(w.nodes[0], "at", "a", ip), w.one(w.nodes[0], "near", "a", ip); at.Variant == "" || near.Variant == "" {
		t.Errorf("by whole addresses, at %+v, near %+v", at, near)
	}
	_, err := w.store.UpdateSite(t.Context(), w.site.ID, func(s *model.Site) error {
		s.Addresses = model.TruncatedAddress
		return nil
	})
	w.must(err)
	if at, near := w.one(w.nodes[0], "at", "b", ip), w.one(w.nodes[0], "near", "b", ip); at.Variant != "" || near.Variant == "" {
		t.Errorf("by truncated addresses, at %+v, near %+v", at, near)
	}
}

// What is wrong with a request is told in the form of the protocol.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	n := w.nodes[0]
	w.running("x", nil)
	ada := contextOf("ada", "")
	for name, test := range map[string]struct {
		path, body string
		headers    []string
		status     int
		code, says string
	}{
		"no flag":             {path: "/y", body: ada, status: 404, code: "FLAG_NOT_FOUND", says: "assignment: GOALGRAPH"},
		"no JSON":             {path: "/x", body: `{`, status: 400, code: "PARSE_ERROR"},
		"no JSON for all":     {body: `nothing`, status: 400, code: "PARSE_ERROR"},
		"no context":          {path: "/x", body: `{}`, status: 400, code: "TARGETING_KEY_MISSING"},
		"no name":             {path: "/x", body: `{"context": {"country": "RO"}}`, status: 400, code: "TARGETING_KEY_MISSING", says: "anonymousId or the userId"},
		"no name for all":     {body: `{"context": {}}`, status: 400, code: "TARGETING_KEY_MISSING"},
		"a context of a kind": {path: "/x", body: `{"context": ["ada"]}`, status: 400, code: "INVALID_CONTEXT"},
		"too large":           {path: "/x", body: contextOf("ada", `, "x": "`+strings.Repeat("x", 40_000)+`"`), status: 400, code: "INVALID_CONTEXT", says: "32 KiB"},
		"no key":              {path: "/x", body: ada, headers: []string{"Authorization", ""}, status: 401, says: "scope WRITE"},
		"an unknown key":      {body: ada, headers: []string{"Authorization", "Bearer other"}, status: 401, says: "unknown"},
		"a key to read":       {body: ada, headers: []string{"Authorization", "Bearer read"}, status: 403, says: "READ"},
		"the other header":    {path: "/x", body: ada, headers: []string{"Authorization", "", "X-API-Key", "write"}, status: 200},
		"of several sites":    {body: contextOf("ada", `, "hostname": "shop.example"`), headers: []string{"X-API-Key", "several", "Authorization", ""}, status: 200},
		"by the page":         {body: ada, headers: []string{"X-API-Key", "several", "Authorization", "", "Origin", "https://shop.example"}, status: 200},
		"of which site":       {body: ada, headers: []string{"X-API-Key", "several", "Authorization", ""}, status: 400, code: "INVALID_CONTEXT", says: "hostname"},
		"of another site":     {body: contextOf("ada", `, "hostname": "other.example"`), headers: []string{"X-API-Key", "several", "Authorization", ""}, status: 400, code: "INVALID_CONTEXT", says: "none of the key's"},
	} {
		got := w.ask(n, test.path, test.body, test.headers...)
		var problem struct{ ErrorCode, ErrorDetails, Key string }
		w.must(json.Unmarshal([]byte(got.body), &problem))
		if got.status != test.status || problem.ErrorCode != test.code || !strings.Contains(problem.ErrorDetails, test.says) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.url+"/ofrep/v1/evaluate/flags", nil)
	w.must(err)
	response, err := http.DefaultClient.Do(request)
	w.must(err)
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered %d", response.StatusCode)
	}
}

// A page of any origin may ask, and reads the tag, by which it is told that nothing has changed.
func TestTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	n := w.nodes[0]
	e := w.running("x", nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, n.url+"/ofrep/v1/evaluate/flags", nil)
	w.must(err)
	request.Header.Set("Origin", "https://shop.example")
	request.Header.Set("Access-Control-Request-Method", "POST")
	request.Header.Set("Access-Control-Request-Headers", "authorization,content-type,if-none-match")
	response, err := http.DefaultClient.Do(request)
	w.must(err)
	response.Body.Close()
	if header := response.Header; response.StatusCode != http.StatusNoContent || header.Get("Access-Control-Allow-Origin") != "*" ||
		header.Get("Access-Control-Allow-Headers") != "authorization,content-type,if-none-match" || !strings.Contains(header.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("the preflight is answered %d, %v", response.StatusCode, header)
	}
	got := w.ask(n, "", contextOf("ada", ""))
	tag := got.header.Get("ETag")
	if tag == "" || got.header.Get("Access-Control-Expose-Headers") != "ETag, Retry-After" {
		t.Errorf("the answer has the headers %v", got.header)
	}
	for known, status := range map[string]int{tag: 304, "W/" + tag: 304, `"other", ` + tag: 304, strings.Trim(tag, `"`): 304, `"other"`: 200} {
		if again := w.ask(n, "", contextOf("ada", ""), "If-None-Match", known); again.status != status || status == 304 && again.body != "" {
			t.Errorf("with %s: %d %s", known, again.status, again.body)
		}
	}
	w.stop(e, "")
	if again := w.ask(n, "", contextOf("ada", ""), "If-None-Match", tag); again.status != http.StatusOK {
		t.Errorf("after a change: %d", again.status)
	}
}

// Streams tell of changes of the flags within a second, and of nothing else.
func TestStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	e := w.running("x", nil)
	second := w.node()
	var answer struct {
		EventStreams []struct {
			Type, URL          string
			InactivityDelaySec int
		}
	}
	w.must(json.Unmarshal([]byte(w.ask(second, "", contextOf("ada", "")).body), &answer))
	if len(answer.EventStreams) != 1 || answer.EventStreams[0].Type != "sse" || answer.EventStreams[0].InactivityDelaySec != 120 {
		t.Fatalf("the streams are %+v", answer)
	}
	open := func(last, key string) (*bufio.Scanner, int) {
		address := strings.Replace(answer.EventStreams[0].URL, "writeKey=write", "writeKey="+key, 1)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		w.must(err)
		if last != "" {
			request.Header.Set("Last-Event-ID", last)
		}
		response, err := http.DefaultClient.Do(request)
		w.must(err)
		t.Cleanup(func() { response.Body.Close() })
		return bufio.NewScanner(response.Body), response.StatusCode
	}
	next := func(lines *bufio.Scanner) (id string, change struct {
		Type, ETag   string
		LastModified int64
	}) {
		for lines.Scan() {
			if text, is := strings.CutPrefix(lines.Text(), "id: "); is {
				id = text
			}
			if text, is := strings.CutPrefix(lines.Text(), "data: "); is {
				w.must(json.Unmarshal([]byte(text), &change))
				return id, change
			}
		}
		t.Fatal("the stream has ended")
		return id, change
	}
	lines, _ := open("", "write")
	lines.Scan() // it is open
	if _, err := w.store.UpdateExperiment(t.Context(), e.ID, func(e *model.Experiment) error {
		e.Description = "which no client sees"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	w.update(e, func(e *model.Experiment) error {
		e.TrafficShare = 0.5
		return nil
	})
	id, change := next(lines)
	if took := time.Since(begin); took > time.Second {
		t.Logf("it took %v", took) // the machine may be busy
	}
	if change.Type != "refetchEvaluation" || change.ETag != id || id == "" || change.LastModified < begin.Unix()-60 {
		t.Errorf("the event %q says %+v", id, change)
	}
	// Who comes back is told what it has missed.
	again, _ := open(id, "write")
	again.Scan()
	w.stop(e, "")
	if missed, _ := next(again); missed == id {
		t.Errorf("two versions are %s", id)
	}
	late, _ := open(id, "write")
	if missed, _ := next(late); missed == id {
		t.Errorf("two versions are %s", id)
	}
	// A key's streams are a quarter of all, and a site's a half.
	if _, status := open("", "write"); status != http.StatusTooManyRequests {
		t.Errorf("one more stream of the key: %d", status)
	}
	revoked, status := open("", "revoked")
	if status != http.StatusOK {
		t.Errorf("a stream of another key: %d", status)
	}
	revoked.Scan() // it is open
	begin = time.Now()
	w.keys.revoke()
	for revoked.Scan() {
	}
	if took := time.Since(begin); took > 10*time.Second { // and not with the next ping; the machine may be busy
		t.Errorf("the stream of a revoked key ended after %v", took)
	}
}
