package store_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
)

// However a population's messages are delivered, the sessions are those of the set.
func TestWritePopulation(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		for seed := range uint64(24) {
			r := rand.New(rand.NewPCG(seed, 11))
			messages := modeltest.Population(r, aDay, 1+r.IntN(150))
			want := modeltest.Sessions(messages)
			sent := slices.Clone(messages)
			switch seed % 4 {
			case 0: // as they came
			case 1:
				slices.Reverse(sent)
			default:
				r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
			}
			sent = append(sent, sent[:r.IntN(len(sent))]...)
			site := mustCreateSite(t, st, fmt.Sprintf("p%d.example", seed))
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(1+r.IntN(60)))
				if _, err := st.Write(t.Context(), site.ID, rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got := modeltest.Stored(t, st, site.ID); !reflect.DeepEqual(got, want) {
				t.Logf("seed %d", seed)
				modeltest.EqualSessions(t, got, want)
			}
			mustHaveHits(t, st, site.ID, messages)
		}
	})
}

// mustHaveHits checks that each message is a hit of one session, and events are counted once.
func mustHaveHits(t *testing.T, st *store.Store, site int64, messages []model.Message) {
	t.Helper()
	hits, events := 0, map[string]int64{}
	for _, m := range messages {
		if m.Hit.Kind != 0 {
			hits++
		}
		if m.Hit.Kind == model.Event {
			events[m.Hit.Name]++
		}
	}
	var n int
	if err := st.DB().NewRaw("SELECT COUNT(*) FROM hits JOIN sessions USING (site_id, partition_id, ordinal) WHERE site_id = ? AND visitor_id <> 0", site).Scan(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	if n != hits {
		t.Errorf("%d hits are stored, want %d", n, hits)
	}
	rows, err := st.Events(t.Context(), store.EventQuery{Site: site}, store.EventPage{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int64{}
	for _, row := range rows {
		counted[row.Name] = int64(row.Count)
	}
	if !maps.Equal(counted, events) {
		t.Errorf("events %v, want %v", counted, events)
	}
}

// Two servers write at once, and the sessions are those of the set all the same.
func TestWritePopulationConcurrently(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		for seed := range uint64(2) {
			r := rand.New(rand.NewPCG(seed, 12))
			messages := modeltest.Population(r, aDay, 400)
			site := mustCreateSite(t, st, fmt.Sprintf("c%d.example", seed))
			var servers sync.WaitGroup
			for n := range 2 {
				servers.Go(func() {
					r := rand.New(rand.NewPCG(seed, uint64(n)))
					mine := slices.Clone(messages)
					if seed%2 == 0 {
						mine = messages[n*200 : n*200+200]
					}
					mine = slices.Clone(mine)
					r.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
					for batch := range slices.Chunk(mine, 9) {
						if _, err := st.Write(context.Background(), site.ID, batch); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			servers.Wait()
			modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(messages))
			mustHaveHits(t, st, site.ID, messages)
		}
	})
}

// A server's purchase overtakes the browser's identify, and the link that comes late takes it along.
func TestWriteLateLink(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		page := model.Message{AnonymousID: "browser", Hit: model.Hit{ID: model.MessageIDOf("page"), At: aDay, Kind: model.PageView, Name: "/"}}
		purchase := model.Message{UserID: "ann", Hit: model.Hit{ID: model.MessageIDOf("purchase"), At: aDay + 2000, Kind: model.Event, Name: "buy"}}
		identify := model.Message{AnonymousID: "browser", UserID: "ann", Hit: model.Hit{ID: model.MessageIDOf("identify"), At: aDay + 1000, Kind: model.Traits}}
		for _, m := range []model.Message{page, purchase, identify} {
			if _, err := st.Write(t.Context(), site.ID, []model.Message{m}); err != nil {
				t.Fatal(err)
			}
		}
		modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions([]model.Message{page, purchase, identify}))
		if sessions := modeltest.Stored(t, st, site.ID); len(sessions) != 1 || sessions[0].VisitorKey != "browser" || len(sessions[0].Events) != 1 {
			t.Errorf("sessions %+v", sessions)
		}
	})
}

// A visitor who never pauses has sessions of bounded size, and late hits move what comes after them.
func TestWriteEndlessVisitor(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		page := func(n int, at model.Millis) model.Message {
			hit := model.Hit{ID: model.MessageIDOf(fmt.Sprint(n)), At: aDay + at, Kind: model.PageView, Name: fmt.Sprint("/", n%7), Knows: model.KnowsAll}
			return model.Message{AnonymousID: "constant", Hit: hit}
		}
		var messages []model.Message
		for n := range 2*model.MaxSessionHits + 500 {
			messages = append(messages, page(n, model.Millis(n)*1000))
		}
		truncated := 0
		write := func(messages []model.Message) {
			t.Helper()
			written, err := st.Write(t.Context(), site.ID, messages)
			if err != nil {
				t.Fatal(err)
			}
			truncated += written.Truncated
		}
		for batch := range slices.Chunk(messages, 5000) {
			write(batch)
		}
		if truncated != 2 {
			t.Errorf("%d sessions came to their bound, want 2", truncated)
		}
		for n, at := range []model.Millis{model.MaxSessionHits*1000 + 500, -1000} {
			late := page(1_000_000+n, at)
			messages = append(messages, late)
			write([]model.Message{late})
			modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(messages))
		}
		mustHaveHits(t, st, site.ID, messages)
	})
}

// Of two sessions that begin at one moment the one whose hit comes first is the visitor's first, whichever arrives first.
func TestWriteFirstOfOneMoment(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		view := func(id, key string, place int32) model.Message {
			return model.Message{AnonymousID: "ann", Hit: model.Hit{ID: model.MessageIDOf(id), At: aDay, Place: place, SessionKey: key, Kind: model.PageView, Name: "/" + id}}
		}
		messages := []model.Message{view("a", "k1", 0), view("b", "k2", 1)}
		for name, order := range map[string][]int{"forward.example": {0, 1}, "backward.example": {1, 0}} {
			site := mustCreateSite(t, st, name)
			for _, i := range order {
				if _, err := st.Write(t.Context(), site.ID, messages[i:i+1]); err != nil {
					t.Fatal(err)
				}
			}
			modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(messages))
		}
	})
}
