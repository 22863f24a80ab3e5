package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/ingest"
)

func TestGeneratorIsDeterminedByItsSeed(t *testing.T) {
	const sessions, days = 3000, 9
	a, b, other := newGenerator(1, sessions, days), newGenerator(1, sessions, days), newGenerator(2, sessions, days)
	total := 0
	for day := days - 1; day >= 0; day-- { // in any order
		if !reflect.DeepEqual(a.day(day), b.day(day)) {
			t.Fatalf("day %d is not the same again", day)
		}
		if reflect.DeepEqual(a.day(day), other.day(day)) {
			t.Errorf("day %d is the same for two seeds", day)
		}
		total += len(a.day(day))
	}
	if total != sessions {
		t.Errorf("%d sessions, want %d", total, sessions)
	}
}

func TestVisitorsAreDenseAndFirstOnce(t *testing.T) {
	g := newGenerator(1, 5000, 7)
	first := map[int64]model.Millis{}
	var all []codedSession
	for day := range g.perDay {
		for _, s := range g.day(day) {
			if got, want := s.start.Day(), firstDay+model.Day(day); got != want {
				t.Fatalf("a session of day %d starts on day %d", want, got)
			}
			if s.first {
				if _, again := first[s.visitor]; again {
					t.Fatalf("visitor %d comes for the first time twice", s.visitor)
				}
				first[s.visitor] = s.start
			}
			all = append(all, s)
		}
	}
	if len(first) != 3000 {
		t.Errorf("%d visitors, want 3000", len(first))
	}
	for _, s := range all {
		if at, ok := first[s.visitor]; !ok || s.start < at || s.visitor < 1 || s.visitor > 3000 {
			t.Fatalf("visitor %d comes at %d, and first at %d", s.visitor, s.start, at)
		}
	}
}

func TestSessionsLookLikeThoseOfASite(t *testing.T) {
	g := newGenerator(1, 20_000, 2)
	var pages, direct, top, usual float64
	sessions := g.day(0)
	for _, s := range sessions {
		pages += float64(len(s.pages))
		if s.referrer == 0 {
			direct++
		}
		if s.country == 0 {
			top++
		}
		if s.pageViews >= len(s.pages) && s.length >= 0 {
			usual++
		}
	}
	n := float64(len(sessions))
	if pages /= n; pages < 2.5 || pages > 3.5 {
		t.Errorf("%.2f pages a session", pages)
	}
	if direct /= n; direct < 0.38 || direct > 0.42 {
		t.Errorf("%.3f of the sessions are direct", direct)
	}
	if top /= n; top < 0.1 || top > 0.4 {
		t.Errorf("%.3f of the sessions are of the first country", top)
	}
	if usual != n {
		t.Errorf("%v of %v sessions make sense", usual, n)
	}
	if len(g.countries) < 190 || len(slices.Compact(slices.Sorted(slices.Values(g.countries)))) != len(g.countries) || len(g.countries) > 255 {
		t.Errorf("%d countries", len(g.countries))
	}
}

// The product reads the sessions that fill copied as if it had stored them itself.
func TestFilledSessionsAreTheProductsOwn(t *testing.T) {
	ctx, database := t.Context(), storetest.PostgreSQL(t)
	g := newGenerator(3, 400, 3)
	if err := fill(ctx, g, database, t.TempDir(), io.Discard); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(ctx, database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	partitions, err := s.Partitions(ctx, 1, model.Range{From: firstDay.Start(), To: model.Open})
	if err != nil || len(partitions) != 3 {
		t.Fatalf("%d partitions, %v", len(partitions), err)
	}
	for day, partition := range partitions {
		sessions := g.day(day)
		if int(partition.Sessions) != len(sessions) || partition.ID != partitionID(day) {
			t.Errorf("partition %+v, want %d sessions", partition, len(sessions))
		}
		var got []*model.Session
		if err := s.EachSession(ctx, partition.SiteID, partition.ID, false, func(session *model.Session) error {
			got = append(got, session)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for ordinal := range sessions {
			want := g.session(&sessions[ordinal], model.SessionID{Site: partition.SiteID, Partition: partition.ID, Ordinal: int32(ordinal)})
			if !reflect.DeepEqual(want, got[ordinal]) {
				t.Fatalf("got  %+v\nwant %+v", got[ordinal], want)
			}
		}
	}
	subject, err := engine.New(s, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer subject.Close()
	if totals, err := subject.Totals(ctx, 1); err != nil || totals.Sessions != 400 || totals.Visitors > 240 {
		t.Errorf("%+v, %v", totals, err)
	}

	// The store turns the messages of traffic into the sessions that the other systems get.
	live := traffic{generator: g, r: rand.New(rand.NewPCG(1, 1))}
	messages, sessions := live.visits(2, hitsOfRefresh)
	if len(messages) != hitsOfRefresh {
		t.Errorf("%d messages, want %d", len(messages), hitsOfRefresh)
	}
	if _, err := s.Write(ctx, 1, mustDecode(t, messages)); err != nil {
		t.Fatal(err)
	}
	written := map[string]int{}
	for i := range sessions {
		written[shape(g.session(&sessions[i], model.SessionID{}))]++
	}
	err = s.EachSession(ctx, partitions[2].SiteID, partitions[2].ID, false, func(session *model.Session) error {
		if int(session.ID.Ordinal) >= g.perDay[2] {
			written[shape(session)]--
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for shape, n := range written {
		if n != 0 {
			t.Errorf("%+d of %s", n, shape)
		}
	}
}

// mustDecode returns the messages that a server reads in the requests that send them.
func mustDecode(t *testing.T, messages []model.Message) (decoded []model.Message) {
	t.Helper()
	decoder, err := ingest.NewDecoder(nil)
	if err != nil {
		t.Fatal(err)
	}
	bodies, err := bodies(messages)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		if len(body) > ingest.MaxBatchBytes {
			t.Errorf("a request of %d bytes", len(body))
		}
		var batch struct{ Batch []json.RawMessage }
		if err := json.Unmarshal(body, &batch); err != nil {
			t.Fatal(err)
		}
		for _, raw := range batch.Batch {
			message, kept, err := decoder.Message(raw, ingest.Envelope{})
			if err != nil || !kept {
				t.Fatalf("%s: kept is %t, %v", raw, kept, err)
			}
			decoded = append(decoded, message)
		}
	}
	return decoded
}

// shape is a session without its ids.
func shape(s *model.Session) string {
	copied := *s
	copied.ID, copied.Visitor, copied.First = model.SessionID{}, 0, false
	text, err := json.Marshal(copied)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestQuestionsShareNoLeaf(t *testing.T) {
	a := newAsker(newGenerator(1, 1000, 3))
	seen := map[string]bool{}
	for _, q := range a.questions(30) {
		for _, d := range slices.Concat([]definition{q.one}, q.segments, q.goal) {
			for _, c := range d.conditions {
				leaf, err := json.Marshal([]any{c.field, c.any, c.min, c.max})
				if err != nil {
					t.Fatal(err)
				}
				if seen[string(leaf)] {
					t.Errorf("%s twice", leaf)
				}
				seen[string(leaf)] = true
			}
		}
	}
}

func TestGlob(t *testing.T) {
	names := []string{"", "/", "/blog/a", "/docs/a.b", "/docs/acb"}
	for pattern, want := range map[string][]int{"*": {0, 1, 2, 3, 4}, "/*/a*": {2, 3, 4}, "/docs/a.b": {3}, "*a": {2}, "blog": nil} {
		if got := glob(names, pattern); !slices.Equal(got, want) {
			t.Errorf("%q matches %v, want %v", pattern, got, want)
		}
	}
}

func TestFoldMask(t *testing.T) {
	a := newAnswer(2, 2)
	a.foldMask(0b0101, 3) // the first segment and the first goal
	a.foldMask(0b1011, 4) // both segments, the second goal
	a.foldMask(0b1100, 9) // no segment
	want := answer{Sessions: []int{7, 4}, Conversions: [][]int{{3, 4}, {0, 4}}}
	if !a.equal(want) || !a.plus(a, -1).equal(newAnswer(2, 2)) || a.equal(newAnswer(2, 2)) {
		t.Errorf("%v, want %v", a, want)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string][]int{"90": {90}, "100, 300,1000": {100, 300, 1000}, "89": nil, "300,100": nil, "100,100": nil, "": nil, "ten": nil} {
		o := options{days: 90, scale: text}
		if got, err := o.sizes(); !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestLineThrough(t *testing.T) {
	of := func(p point) float64 { return p.Count }
	first, last := point{Sessions: 10_000_000, Count: 7}, point{Sessions: 100_000_000, Count: 52}
	for sessions, want := range map[int]float64{10_000_000: 7, 30_000_000: 17, 100_000_000: 52, 0: 2} {
		if got := lineThrough(first, last, of).at(sessions); got != want {
			t.Errorf("%d sessions: %v, want %v", sessions, got, want)
		}
	}
	if got := lineThrough(first, first, of).at(30_000_000); got != 7 {
		t.Errorf("one point: %v", got)
	}
}
