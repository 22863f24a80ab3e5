package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
)

// seen is an assignment as messages tell it.
type seen struct {
	id                           model.MessageID
	at                           model.Millis
	visitor, experiment, variant string
	session                      model.Millis // its start
}

func sortedSeen(list []seen) []seen {
	slices.SortFunc(list, func(a, b seen) int { return a.id.Compare(b.id) })
	return list
}

// expectedAssignments returns what is to be kept of messages.
func expectedAssignments(messages []model.Message) (want []seen) {
	byVisitor := map[string][]model.Hit{}
	for _, m := range messages {
		byVisitor[m.AnonymousID] = append(byVisitor[m.AnonymousID], m.Hit)
	}
	for visitor, hits := range byVisitor {
		for _, visit := range model.Fold(hits) {
			for _, hit := range visit.Hits {
				if hit.Experiment != "" {
					want = append(want, seen{hit.ID, hit.At, visitor, hit.Experiment, hit.Variant, visit.Session.Start})
				}
			}
		}
	}
	return sortedSeen(want)
}

// seenOf returns the assignments that are stored, in words of the messages.
func seenOf(t *testing.T, st *store.Store, site int64) (list []seen) {
	t.Helper()
	partitions, err := st.Partitions(t.Context(), site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		t.Fatal(err)
	}
	for _, partition := range partitions {
		sessions := map[int32]model.Session{}
		if err := st.EachSession(t.Context(), site, partition.ID, true, func(s *model.Session) error {
			sessions[s.ID.Ordinal] = *s
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, experiment := range []string{"x", "y"} {
			rows, err := st.Assignments(t.Context(), site, experiment, partition.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				session, found := sessions[row.Ordinal]
				if !found || session.Visitor != row.VisitorID {
					t.Fatalf("%+v stands with session %+v", row, session)
				}
				list = append(list, seen{store.IDOf(row.IDHigh, row.IDLow), row.At, session.VisitorKey, row.Experiment, row.Variant, session.Start})
			}
		}
	}
	return sortedSeen(list)
}

// Every assignment is kept with its session, in whatever order messages arrive.
func TestAssignments(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		for seed := range uint64(15) {
			r := rand.New(rand.NewPCG(seed, 5))
			site := mustCreateSite(t, st, fmt.Sprintf("s%d.example", seed))
			messages := randomMessages(r, 20+r.IntN(120))
			for batch := range slices.Chunk(messages, 1+r.IntN(30)) {
				if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
					t.Fatal(err)
				}
			}
			mustEqual(t, fmt.Sprintf("seed %d: assignments", seed), seenOf(t, st, site.ID), expectedAssignments(messages))
		}
	})
}

// What the store has forgotten the ids of changes nothing when it comes again.
func TestWriteAfterPrune(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		messages := randomMessages(rand.New(rand.NewPCG(3, 3)), 400)
		site := mustCreateSite(t, st, "shop.example")
		write := func() (duplicates int) {
			for batch := range slices.Chunk(messages, 70) {
				written, err := st.Write(t.Context(), site.ID, batch)
				if err != nil {
					t.Fatal(err)
				}
				duplicates += written.Duplicates
			}
			return duplicates
		}
		write()
		events := func() []store.Event {
			list, err := st.Events(t.Context(), store.EventQuery{Site: site.ID}, store.EventPage{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		sessions, known := modeltest.Stored(t, st, site.ID), events()
		today := st.Today()
		if n, err := st.PruneMessages(t.Context(), site.ID, today, 1000); n != 0 || err != nil {
			t.Errorf("of today %d ids were forgotten; %v", n, err)
		}
		for _, want := range []int{150, 150, 106, 0} {
			if n, err := st.PruneMessages(t.Context(), site.ID, today+1, 150); n != want || err != nil {
				t.Errorf("%d ids were forgotten, want %d; %v", n, want, err)
			}
		}
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
		if n := write(); n != len(messages) {
			t.Errorf("%d duplicates, want all %d", n, len(messages))
		}
		modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), sessions)
		mustEqual(t, "events", events(), known)
	})
}

// A site keeps as much of an address as it says, whichever way messages come.
func TestWriteKeepsAddresses(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		for i, test := range []struct {
			addresses    model.AddressPrivacy
			ip, want     string
			country, got string
		}{
			{model.WholeAddress, "192.0.2.77", "192.0.2.77", "RO", "RO"},
			{model.TruncatedAddress, "192.0.2.77", "192.0.2.0", "RO", "RO"},
			{model.TruncatedAddress, "2001:db8:1:2:3:4:5:6", "2001:db8:1::", "DE", "DE"},
			{model.TruncatedAddress, "", "", "", ""},
			{model.NoAddress, "192.0.2.77", "", "RO", "RO"},
			{model.NoAddress, "2001:db8:1::1", "", "DE", "DE"},
		} {
			if _, err := st.UpdateSite(t.Context(), site.ID, func(s *model.Site) error { s.Addresses = test.addresses; return nil }); err != nil {
				t.Fatal(err)
			}
			hit := model.Hit{ID: model.MessageIDOf(fmt.Sprint(i)), At: model.Millis(i) * aDay, Kind: model.PageView, Name: "/", Origin: model.Origin{IP: test.ip, Country: test.country}, Knows: model.KnowsAll}
			if _, err := st.Write(t.Context(), site.ID, []model.Message{{AnonymousID: "ann", Hit: hit}}); err != nil {
				t.Fatal(err)
			}
			sessions := modeltest.Stored(t, st, site.ID)
			last := slices.MaxFunc(sessions, func(a, b model.Session) int { return cmp.Compare(a.Start, b.Start) })
			if last.IP != test.want || last.Country != test.got {
				t.Errorf("%s keeps %q in %q of %q, want %q", test.addresses, last.IP, last.Country, test.ip, test.want)
			}
			var inHits int
			if err := st.DB().NewSelect().Table("hits").ColumnExpr("COUNT(*)").Where("at = ? AND origin LIKE ?", hit.At, "%"+test.ip+"%").Scan(t.Context(), &inHits); err != nil {
				t.Fatal(err)
			}
			if test.ip != test.want && inHits != 0 {
				t.Errorf("%s: a hit still has %s", test.addresses, test.ip)
			}
		}
		_, err := st.UpdateSite(t.Context(), site.ID, func(s *model.Site) error { s.Addresses = "SOME"; return nil })
		mustBe(t, err, model.BadInput, "addresses")
	})
}
