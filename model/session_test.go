package model_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// randomHits returns hits of one visitor, with pauses near SessionGap, hits of
// one instant, session keys, and ids that occur twice.
func randomHits(r *rand.Rand, n int) []model.Hit {
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	var hits []model.Hit
	at := model.Millis(1_700_000_000_000)
	for i := range n {
		if i > 0 && r.IntN(6) == 0 {
			hits = append(hits, hits[r.IntN(i)])
			continue
		}
		switch r.IntN(5) {
		case 4:
			at += model.Millis(r.IntN(3)) * (model.MaxSessionLength/2 + model.Millis(r.IntN(2)))
		case 0: // one instant
		case 1:
			at += model.SessionGap + model.Millis(r.IntN(3)-1)
		default:
			at += model.Millis(r.IntN(int(model.SessionGap)))
		}
		hit := model.Hit{
			ID: model.MessageIDOf(fmt.Sprint(r.Uint64())), Visitor: "ann", At: at, Kind: model.HitKind(1 + r.IntN(3)),
			Place: int32(r.IntN(3)), Origin: model.Origin{Country: pick("RO", "US"), Referrer: pick("", "t.co"), Browser: pick("Chrome", "Firefox")},
			Knows: model.Knowledge(r.IntN(int(model.KnowsAll)+1)) &^ model.KnowsPage, Tags: []string{pick("x", "y", "z")},
		}
		switch hit.Kind {
		case model.PageView:
			hit.Name = pick("/", "/a", "/b")
			hit.Knows |= model.KnowsPage
		case model.Event:
			hit.Name, hit.Value, hit.HasValue = pick("buy", "look"), model.One/model.Decimal(1+r.IntN(10)), r.IntN(3) > 0
		case model.Traits:
			hit.Properties = map[string]string{pick("plan", "team"): pick("a", "b")}
		}
		if r.IntN(4) == 0 {
			hit.SessionKey = pick("k1", "k2")
		}
		hits = append(hits, hit)
	}
	return hits
}

func shuffled(r *rand.Rand, hits []model.Hit) []model.Hit {
	hits = slices.Clone(hits)
	r.Shuffle(len(hits), func(i, j int) { hits[i], hits[j] = hits[j], hits[i] })
	return hits
}

// foldNaively makes sessions by the words of the rules: each hit looks at all sessions there are.
func foldNaively(hits []model.Hit) []model.Session {
	byID := map[model.MessageID]model.Hit{}
	for _, hit := range hits {
		byID[hit.ID] = hit
	}
	all := slices.SortedFunc(maps.Values(byID), func(a, b model.Hit) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Place, b.Place), a.ID.Compare(b.ID))
	})
	type group struct {
		key    string
		hits   []model.Hit
		latest int // number of the last hit
	}
	var groups []*group
	const hour = 60 * 60 * 1000
	isOver := func(g *group, at model.Millis) bool { return len(g.hits) >= 10_000 || at >= g.hits[0].At+24*hour }
	for n, hit := range all {
		var open, newest *group
		for _, g := range groups {
			if last := g.hits[len(g.hits)-1].At; !isOver(g, hit.At) && hit.At <= last+hour/2 && (open == nil || g.latest > open.latest) {
				open = g
			}
			if hit.SessionKey != "" && g.key == hit.SessionKey {
				newest = g // they are in the order in which they began
			}
		}
		var to *group
		switch {
		case hit.SessionKey == "":
			to = open
		case newest != nil && !isOver(newest, hit.At):
			to = newest
		case newest == nil && open != nil && open.key == "":
			to = open
		}
		if to == nil {
			to = &group{}
			groups = append(groups, to)
		}
		to.hits, to.latest = append(to.hits, hit), n
		if hit.SessionKey != "" {
			to.key = hit.SessionKey
		}
	}
	var sessions []model.Session
	for _, g := range groups {
		sessions = append(sessions, sessionOf(g.hits, g.key))
	}
	return sessions
}

func sessionOf(hits []model.Hit, key string) model.Session {
	first, last := hits[0], hits[len(hits)-1]
	s := model.Session{VisitorKey: first.Visitor, Key: key, Start: first.At, End: last.At, Hits: len(hits)}
	firstThat := func(part model.Knowledge) (hit model.Hit) {
		for _, hit := range hits {
			if hit.Knows&part != 0 {
				s.Knows |= part
				return hit
			}
		}
		return model.Hit{}
	}
	s.Referrer, s.EntryPage = firstThat(model.KnowsAcquisition).Origin.Referrer, firstThat(model.KnowsPage).Name
	s.Browser, s.Country = firstThat(model.KnowsAgent).Origin.Browser, firstThat(model.KnowsAddress).Origin.Country
	firstThat(model.KnowsLanguage)
	events := map[string]*model.EventSum{}
	var names []string
	for _, hit := range hits {
		s.Tags = append(s.Tags, hit.Tags...)
		if hit.Properties != nil && s.Properties == nil {
			s.Properties = map[string]string{}
		}
		maps.Copy(s.Properties, hit.Properties)
		switch hit.Kind {
		case model.PageView:
			s.PageViews++
			s.Pages, s.ExitPage = append(s.Pages, hit.Name), hit.Name
		case model.Event:
			if events[hit.Name] == nil {
				events[hit.Name] = &model.EventSum{Name: hit.Name}
				names = append(names, hit.Name)
			}
			events[hit.Name].Count++
			if hit.HasValue {
				events[hit.Name].Values++
				events[hit.Name].Sum = events[hit.Name].Sum.Add(hit.Value.Sum())
			}
		}
	}
	s.Pages, s.Tags = distinct(s.Pages), distinct(s.Tags)
	for _, name := range names {
		s.Events = append(s.Events, *events[name])
	}
	return s
}

func distinct(list []string) (kept []string) {
	for i, value := range list {
		if slices.Index(list, value) == i {
			kept = append(kept, value)
		}
	}
	return kept
}

func ordered(sessions []model.Session) []model.Session {
	slices.SortFunc(sessions, func(a, b model.Session) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Key, b.Key)) })
	return sessions
}

func sessionsOf(visits []model.Visit) []model.Session {
	var sessions []model.Session
	for _, visit := range visits {
		sessions = append(sessions, visit.Session)
	}
	return sessions
}

func mustEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\n got %+v\nwant %+v", what, got, want)
	}
}

func TestFoldIsAFunctionOfTheSet(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		hits := randomHits(r, 1+r.IntN(30))
		visits := model.Fold(shuffled(r, hits))
		mustEqual(t, fmt.Sprint("seed ", seed), ordered(sessionsOf(visits)), ordered(foldNaively(hits)))
		mustEqual(t, "in another order", model.Fold(shuffled(r, hits)), visits)
		mustEqual(t, "each hit twice", model.Fold(shuffled(r, append(hits, hits...))), visits)

		if !slices.IsSortedFunc(visits, func(a, b model.Visit) int { return cmp.Compare(a.Session.Start, b.Session.Start) }) {
			t.Fatal("the sessions are not ordered by start")
		}
		ids := map[model.MessageID]bool{}
		for _, visit := range visits {
			for i, hit := range visit.Hits {
				if ids[hit.ID] {
					t.Fatalf("hit %x counts twice", hit.ID)
				}
				ids[hit.ID] = true
				if i > 0 && hit.At < visit.Hits[i-1].At {
					t.Fatal("a visit's hits are not in order of time")
				}
			}
		}
	}
}

// Whatever the batches, continuing where Continue can, and folding again where
// it says so, ends with the fold of all.
func TestContinueInBatches(t *testing.T) {
	refused, continued := 0, 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		// Ids that are known are the caller's to leave out.
		all := slices.CompactFunc(sortedByID(randomHits(r, 1+r.IntN(30))), func(a, b model.Hit) bool { return a.ID == b.ID })
		if r.IntN(2) == 0 {
			all = shuffled(r, all)
		} else {
			slices.SortStableFunc(all, func(a, b model.Hit) int { return cmp.Compare(a.At, b.At) })
		}
		var sessions []model.Session
		for from := 0; from < len(all); {
			to := min(len(all), from+1+r.IntN(8))
			batch := all[from:to]
			late := slices.ContainsFunc(batch, func(hit model.Hit) bool {
				return slices.ContainsFunc(sessions, func(s model.Session) bool { return hit.At <= s.End })
			})
			first := slices.MinFunc(batch, model.Hit.Compare).At
			byEnd := slices.SortedFunc(slices.Values(sessions), func(a, b model.Session) int { return cmp.Compare(a.End, b.End) })
			late = late || model.AreTied(byEnd, first)
			before := fmt.Sprintf("%+v", sessions)
			visits, ok := model.Continue(sessions, shuffled(r, batch))
			if ok == late {
				t.Fatalf("seed %d: a hit is not later than the sessions: %v; Continue says %v", seed, late, ok)
			}
			if after := fmt.Sprintf("%+v", sessions); after != before {
				t.Fatalf("seed %d: Continue changed the sessions\nfrom %s\n  to %s", seed, before, after)
			}
			want := model.Fold(shuffled(r, all[:to]))
			if ok {
				continued++
				mustEqual(t, fmt.Sprint("seed ", seed), ordered(sessionsOf(visits)), ordered(sessionsOf(want)))
				n := 0
				for _, visit := range visits {
					n += len(visit.Hits)
				}
				if n != len(batch) {
					t.Fatalf("seed %d: %d hits are given back, want those %d of the batch", seed, n, len(batch))
				}
			} else {
				refused++
			}
			sessions = sessionsOf(want)
			from = to
		}
	}
	if refused < 1000 || continued < 1000 {
		t.Errorf("Continue refused %d times and continued %d times", refused, continued)
	}
}

func sortedByID(hits []model.Hit) []model.Hit {
	slices.SortFunc(hits, func(a, b model.Hit) int { return a.ID.Compare(b.ID) })
	return hits
}

func TestFoldEdges(t *testing.T) {
	hit := func(id string, at model.Millis, key string) model.Hit {
		return model.Hit{ID: model.MessageIDOf(id), Visitor: "ann", At: at, SessionKey: key, Kind: model.PageView, Name: "/" + id}
	}
	for _, test := range []struct {
		name string
		hits []model.Hit
		want []string // start-end key: pages
	}{
		{"nothing", nil, nil},
		{"30 minutes exactly join", []model.Hit{hit("a", 0, ""), hit("b", 1_800_000, "")}, []string{"0-1800000 : [/a /b]"}},
		{"one millisecond more splits", []model.Hit{hit("a", 0, ""), hit("b", 1_800_001, "")}, []string{"0-0 : [/a]", "1800001-1800001 : [/b]"}},
		{"pauses count between neighbours, not from the start", []model.Hit{hit("a", 0, ""), hit("b", 1_800_000, ""), hit("c", 3_600_000, "")}, []string{"0-3600000 : [/a /b /c]"}},
		{"a late hit joins two", []model.Hit{hit("a", 0, ""), hit("c", 3_600_000, ""), hit("b", 1_800_000, "")}, []string{"0-3600000 : [/a /b /c]"}},
		{"a key groups whatever the gap", []model.Hit{hit("a", 0, "k"), hit("b", 86_399_999, "k")}, []string{"0-86399999 k: [/a /b]"}},
		{"until a day is over", []model.Hit{hit("a", 0, "k"), hit("b", 86_400_000, "k")}, []string{"0-0 k: [/a]", "86400000-86400000 k: [/b]"}},
		{"a new key is given to the open session", []model.Hit{hit("a", 0, ""), hit("b", 1, "k"), hit("c", 2, "")}, []string{"0-2 k: [/a /b /c]"}},
		{"which has one key alone", []model.Hit{hit("a", 0, ""), hit("b", 1, "k"), hit("c", 2, "l"), hit("d", 3, ""), hit("e", 4, "k"), hit("f", 5, "")},
			[]string{"0-5 k: [/a /b /e /f]", "2-3 l: [/c /d]"}},
		{"not to one that ended", []model.Hit{hit("a", 0, ""), hit("b", 1_800_001, "k")}, []string{"0-0 : [/a]", "1800001-1800001 k: [/b]"}},
		{"before 1970", []model.Hit{hit("b", 0, ""), hit("a", -1_800_000, "")}, []string{"-1800000-0 : [/a /b]"}},
		{"an id that is sent again, later", []model.Hit{hit("a", 5_000_000, ""), hit("a", 0, "")}, []string{"0-0 : [/a]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, visit := range model.Fold(test.hits) {
				s := visit.Session
				got = append(got, fmt.Sprintf("%d-%d %s: %v", s.Start, s.End, s.Key, s.Pages))
				if s.Length() != s.End-s.Start || s.VisitorKey != "ann" {
					t.Errorf("session %+v", s)
				}
			}
			mustEqual(t, "sessions", got, test.want)
		})
	}
}

// A session's sums are exact, whatever the order of its hits, and may pass 64 bits.
func TestFoldSumsExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var hits []model.Hit
	for _, test := range []struct{ values, want string }{
		{"10.10 20.20", "30.3"},
		{"0.1 0.2 -0.3", "0"},
		{"8999999999999.999999 8999999999999.999999 0.000002 8e12", "26000000000000"},
		{"-8e12 -8e12 -8e12 8e12", "-16000000000000"},
	} {
		hits = []model.Hit{{ID: model.MessageIDOf("none"), Visitor: "ann", At: 2, Kind: model.Event, Name: "buy"}}
		for i, value := range strings.Fields(test.values) {
			decimal, err := model.ParseDecimal(value)
			if err != nil {
				t.Fatal(err)
			}
			hits = append(hits, model.Hit{ID: model.MessageIDOf(fmt.Sprint(i)), Visitor: "ann", At: model.Millis(i), Kind: model.Event, Name: "buy", Value: decimal, HasValue: true})
		}
		for range 20 {
			event, ok := model.Fold(shuffled(r, hits))[0].Session.Event("buy")
			if !ok || event.Sum.String() != test.want || event.Count != len(hits) || event.Values != len(hits)-1 {
				t.Fatalf("%s: event %+v, want the sum %s", test.values, event, test.want)
			}
		}
	}
	if _, ok := model.Fold(hits)[0].Session.Event("look"); ok {
		t.Error("an event that did not happen is there")
	}
}

// A session has each part of its origin from the first hit that knows it, even if that is nothing.
func TestFoldTakesWhatHitsKnow(t *testing.T) {
	hits := []model.Hit{
		{ID: model.MessageIDOf("a"), At: 1, Kind: model.Event, Name: "Experiment Viewed", Origin: model.Origin{Referrer: "other.example", Country: "US"}},
		{ID: model.MessageIDOf("b"), At: 2, Kind: model.PageView, Name: "/b", Origin: model.Origin{Country: "RO", Browser: "Chrome"},
			Knows: model.KnowsPage | model.KnowsAcquisition | model.KnowsAddress},
		{ID: model.MessageIDOf("c"), At: 3, Kind: model.PageView, Name: "/c", Origin: model.Origin{Referrer: "t.co", Country: "DE", Browser: "Firefox"}, Knows: model.KnowsAll},
	}
	s := model.Fold(hits)[0].Session
	if want := (model.Origin{Country: "RO", Browser: "Firefox", EntryPage: "/b"}); s.Start != 1 || s.End != 3 || s.Origin != want || s.ExitPage != "/c" {
		t.Errorf("session %+v", s)
	}
}

// A session takes 10,000 hits, whatever comes then begins another.
func TestFoldBoundsHits(t *testing.T) {
	var hits []model.Hit
	for i := range 2*model.MaxSessionHits + 1 {
		hits = append(hits, model.Hit{ID: model.MessageIDOf(fmt.Sprint(i)), At: model.Millis(i), Kind: model.PageView, Name: "/"})
	}
	visits := model.Fold(hits)
	if len(visits) != 3 || len(visits[0].Hits) != model.MaxSessionHits || len(visits[2].Hits) != 1 || !visits[1].Session.IsTruncated() || visits[2].Session.IsTruncated() {
		t.Errorf("%d sessions, of which the first has %d hits", len(visits), len(visits[0].Hits))
	}
}

// A session lists so many different values of a kind, and no more, whether it is folded at once or goes on.
func TestFoldBoundsLists(t *testing.T) {
	for name, test := range map[string]struct {
		hit  func(i int) model.Hit
		list func(s *model.Session) []string
		want int // without model.OtherValue
	}{
		"pages": {
			func(i int) model.Hit { return model.Hit{Kind: model.PageView, Name: fmt.Sprint("/", i)} },
			func(s *model.Session) []string { return s.Pages }, 1000,
		},
		"long pages": {
			func(i int) model.Hit {
				return model.Hit{Kind: model.PageView, Name: fmt.Sprintf("/%0*d", model.MaxTextBytes-1, i)}
			},
			func(s *model.Session) []string { return s.Pages }, 32,
		},
		"tags": {
			func(i int) model.Hit {
				return model.Hit{Kind: model.Event, Name: "e", Tags: []string{fmt.Sprint("t", i), fmt.Sprint("u", i)}}
			},
			func(s *model.Session) []string { return s.Tags }, 1000,
		},
		"events": {
			func(i int) model.Hit {
				return model.Hit{Kind: model.Event, Name: fmt.Sprint("e", i), Value: model.One, HasValue: true}
			},
			func(s *model.Session) (names []string) {
				for _, e := range s.Events {
					names = append(names, e.Name)
				}
				return names
			}, 1000,
		},
		"properties": {
			func(i int) model.Hit {
				return model.Hit{Kind: model.Event, Name: "e", Properties: map[string]string{fmt.Sprintf("%04d", i%1500): fmt.Sprint(i)}}
			},
			func(s *model.Session) []string {
				return append(slices.Sorted(maps.Keys(s.Properties)), model.OtherValue)
			}, 1000,
		},
		"long properties": {
			func(i int) model.Hit {
				return model.Hit{Kind: model.Event, Name: "e", Properties: map[string]string{fmt.Sprintf("%048d", i): strings.Repeat("x", 2000)}}
			},
			func(s *model.Session) []string {
				return append(slices.Sorted(maps.Keys(s.Properties)), model.OtherValue)
			}, 32,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var hits []model.Hit
			for i := range 2000 {
				hit := test.hit(i)
				hit.ID, hit.At = model.MessageIDOf(fmt.Sprint(i)), model.Millis(i)
				hits = append(hits, hit)
			}
			session := model.Fold(slices.Clone(hits))[0].Session
			if list := test.list(&session); len(list) != test.want+1 || list[test.want] != model.OtherValue {
				t.Errorf("%d values, the last one is %q; want %d, and %q", len(list), list[len(list)-1], test.want, model.OtherValue)
			}
			if session.Hits != 2000 {
				t.Errorf("%d hits", session.Hits)
			}
			var sessions []model.Session
			for part := range slices.Chunk(hits, 700) {
				visits, ok := model.Continue(sessions, part)
				if !ok {
					t.Fatal("cannot go on")
				}
				sessions = []model.Session{visits[0].Session}
			}
			if !reflect.DeepEqual(sessions[0], session) {
				t.Error("folded in parts it is another session")
			}
		})
	}
}
