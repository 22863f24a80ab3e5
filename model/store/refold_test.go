package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// transactions counts writing transactions: each notes the ids of its messages.
type transactions struct{ n int }

func (*transactions) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (c *transactions) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	if strings.HasPrefix(event.Query, "INSERT INTO messages") {
		c.n++
	}
}

// pageOf is a view of a page by the one visitor of a test.
func pageOf(id string, at model.Millis, key string) model.Message {
	return model.Message{AnonymousID: "constant", Hit: model.Hit{ID: model.MessageIDOf(id), At: at, SessionKey: key, Kind: model.PageView, Name: "/", Knows: model.KnowsAll}}
}

func mustWriteAll(t *testing.T, st *store.Store, site int64, messages ...model.Message) {
	t.Helper()
	for batch := range slices.Chunk(messages, 5000) {
		if _, err := st.Write(t.Context(), site, batch); err != nil {
			t.Fatal(err)
		}
	}
}

// Sessions of years overlap one by one. A late hit before them does not look at them all.
func TestWriteOverlappingForYears(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		const hour = model.Millis(60 * 60 * 1000)
		site := mustCreateSite(t, st, "shop.example")
		var messages []model.Message
		for i := range 4 * store.MaxRounds {
			begin := aDay + model.Millis(i)*20*hour
			messages = append(messages, pageOf(fmt.Sprint("a", i), begin, fmt.Sprint("k", i)), pageOf(fmt.Sprint("b", i), begin+23*hour, fmt.Sprint("k", i)))
		}
		mustWriteAll(t, st, site.ID, messages...)
		var ran statements
		late := pageOf("late", aDay+1000, "")
		mustWriteAll(t, st.WithHook(&ran), site.ID, late)
		if ran.n.Load() > 4*store.MaxRounds {
			t.Errorf("%d statements", ran.n.Load())
		}
		messages = append(messages, late)
		modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(messages))
		mustHaveHits(t, st, site.ID, messages)
	})
}

// Many sessions begin at one moment. Which one is the first is not asked for each.
func TestWriteManyFirstsOfOneMoment(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		var messages []model.Message
		for i := range 300 {
			messages = append(messages, pageOf(fmt.Sprint(i), aDay, fmt.Sprint("k", i)))
		}
		mustWriteAll(t, st, site.ID, messages...)
		var ran statements
		late := pageOf("late", aDay, "another")
		mustWriteAll(t, st.WithHook(&ran), site.ID, late)
		if ran.n.Load() > 100 {
			t.Errorf("%d statements", ran.n.Load())
		}
		modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(append(messages, late)))
	})
}

// Hits of a batch that lie far apart among very many of a visitor are written in parts, and the sessions are those of the set.
func TestWriteFarApart(t *testing.T) {
	// It takes long, and the parts are made before any statement: one database is enough.
	t.Run("sqlite", func(t *testing.T) {
		st := mustOpen(t, storetest.SQLite(t))
		site := mustCreateSite(t, st, "shop.example")
		var messages []model.Message
		const visit, visits, pause = model.MaxSessionHits - 500, store.MaxRefolded/(model.MaxSessionHits-500) + 1, 10 * 60 * 60 * 1000
		at := func(i int) model.Millis { return aDay + model.Millis(i/visit)*pause + model.Millis(i%visit)*1000 }
		for i := range visits * visit {
			messages = append(messages, pageOf(fmt.Sprint(i), at(i), ""))
		}
		mustWriteAll(t, st, site.ID, messages...)
		other := model.Message{AnonymousID: "other", Hit: model.Hit{ID: model.MessageIDOf("o"), At: aDay, Kind: model.Event, Name: "buy"}}
		late := []model.Message{
			pageOf("x", at(visits*visit-3)+1, ""), other, pageOf("y", at(visits*visit-2)+1, ""), pageOf("z", at(7)+1, ""), messages[7],
			pageOf("v", at(visits*visit-5)+2, ""),
		}
		var began transactions
		written, err := st.WithHook(&began).Write(t.Context(), site.ID, late)
		if began.n != 3 { // one finds that two are needed
			t.Errorf("%d transactions", began.n)
		}
		if err != nil || written.Duplicates != 1 || len(written.Partitions) != 2 {
			t.Errorf("written %+v, %v", written, err)
		}
		messages = append(messages, late[0], late[1], late[2], late[3], late[5])
		modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(messages))
		mustHaveHits(t, st, site.ID, messages)
	})
}

func TestWindows(t *testing.T) {
	const day = model.Millis(24 * 60 * 60 * 1000)
	var sessions []model.Session
	for i := range model.Millis(100) {
		sessions = append(sessions, model.Session{Start: i * day, End: i*day + day - 1, Hits: store.MaxRefolded / 4})
	}
	at := func(times ...model.Millis) (hits []model.Hit) {
		for _, at := range times {
			hits = append(hits, model.Hit{At: at})
		}
		return hits
	}
	for _, test := range []struct {
		hits []model.Hit
		want string
	}{
		{at(5 * day), "[]"},
		{at(5*day+day/2, 5*day+day/2+1, 5*day+day/2), "[3]"},
		{at(90*day, 5*day), "[1 1]"},
		{at(5*day+day/2, 6*day, 7*day, 8*day+day/2, 9*day, 50*day), "[4 1 1]"},
	} {
		var sizes []int
		for _, part := range store.Windows(test.hits, sessions) {
			sizes = append(sizes, len(part))
		}
		if got := fmt.Sprint(sizes); got != test.want {
			t.Errorf("%v: parts of %s hits, want %s", test.hits, got, test.want)
		}
	}
	if parts := store.Windows(at(0, 90*day), sessions[:4]); parts != nil {
		t.Errorf("few hits are divided: %v", parts)
	}
}

// Of the sessions of a key, those that hits of some time may join are needed, and the nearest before and after.
func TestNearestOfKey(t *testing.T) {
	const day = model.MaxSessionLength
	var sessions []model.Session
	for i, start := range []model.Millis{0, 2 * day, 3 * day, 5 * day, 6 * day, 8 * day, 9 * day} {
		sessions = append(sessions, model.Session{ID: model.SessionID{Ordinal: int32(i)}, Key: "k", Start: start, End: start + 1})
	}
	sessions = append(sessions, model.Session{ID: model.SessionID{Ordinal: 99}, Key: "other", Start: 5 * day})
	for _, test := range []struct {
		from, to model.Millis
		want     string
	}{
		{5*day + 1, 6 * day, "2 3 4 5"},
		{day, day, "0 1"},
		{20 * day, 20 * day, "6"},
		{-5 * day, -5 * day, "0"},
		{3 * day, 4 * day, "0 1 2 3"},
	} {
		var got []string
		for _, s := range store.NearestOfKey(slices.Clone(sessions), "k", test.from, test.to) {
			got = append(got, fmt.Sprint(s.ID.Ordinal))
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%d to %d days: %s, want %s", test.from/day, test.to/day, got, test.want)
		}
	}
}
