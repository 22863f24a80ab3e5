package store_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// The pages of a session's hits join to the hits that fold to it, each as it was written.
func TestHits(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		type key struct {
			visitor, session string
			start            model.Millis
		}
		keyOf := func(s *model.Session) key { return key{s.VisitorKey, s.Key, s.Start} }
		site, messages := mustCreateSite(t, st, "shop.example"), randomMessages(newRand(17), 300)
		mustWriteAll(t, st, site.ID, messages...)
		byVisitor, want := map[string][]model.Hit{}, map[key][]model.Hit{}
		for _, m := range messages {
			m.Hit.Visitor = m.AnonymousID
			byVisitor[m.AnonymousID] = append(byVisitor[m.AnonymousID], m.Hit)
		}
		for _, hits := range byVisitor {
			for _, visit := range model.Fold(hits) {
				want[keyOf(&visit.Session)] = visit.Hits
			}
		}
		partitions, err := st.Partitions(t.Context(), site.ID, model.Range{From: -model.Open, To: model.Open})
		if err != nil {
			t.Fatal(err)
		}
		var sessions []*model.Session
		for _, partition := range partitions {
			if err := st.EachSession(t.Context(), site.ID, partition.ID, true, func(session *model.Session) error {
				sessions = append(sessions, session)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		// The first pages are read together, and then those of each session until one has none.
		page := store.HitPage{Limit: 2}
		first, err := st.Hits(t.Context(), site.ID, sessions, page)
		if err != nil {
			t.Fatal(err)
		}
		assigned, pages := 0, 0
		for i, session := range sessions {
			got := first[i]
			for last := first[i]; len(last) > 0; pages++ {
				end := last[len(last)-1]
				page.After = store.HitPlace{IsSet: true, At: end.At, Place: end.Place, ID: end.ID}
				next, err := st.Hits(t.Context(), site.ID, sessions[i:i+1], page)
				if err != nil {
					t.Fatal(err)
				}
				last = next[0]
				got = append(got, last...)
			}
			if n := len(got); n > 1 { // parts from the end, and before the end
				place := func(hit *model.Hit) store.HitPlace {
					return store.HitPlace{IsSet: true, At: hit.At, Place: hit.Place, ID: hit.ID}
				}
				for _, part := range []struct {
					page store.HitPage
					want []model.Hit
				}{
					{store.HitPage{FromEnd: true, After: place(&got[0]), Limit: n}, got[1:]},
					{store.HitPage{FromEnd: true, Before: place(&got[n-1]), Limit: 1}, got[n-2 : n-1]},
					{store.HitPage{Before: place(&got[n-1]), Limit: n}, got[:n-1]},
				} {
					found, err := st.Hits(t.Context(), site.ID, sessions[i:i+1], part.page)
					if err != nil {
						t.Fatal(err)
					}
					if part.page.FromEnd {
						slices.Reverse(found[0])
					}
					if !reflect.DeepEqual(found[0], part.want) {
						t.Fatalf("%+v\n%+v\nwant\n%+v", part.page, found[0], part.want)
					}
				}
			}
			for n := range got {
				if got[n].Origin.EntryPage = ""; got[n].Experiment != "" {
					assigned++
				}
			}
			for n := range want[keyOf(session)] {
				hit := &want[keyOf(session)][n]
				hit.Origin.EntryPage = "" // which is the hit's name
				if !hit.HasValue {
					hit.Value = 0
				}
			}
			if !reflect.DeepEqual(got, want[keyOf(session)]) || len(got) != session.Hits {
				t.Fatalf("session %+v has %d hits\n%+v\nwant\n%+v", session, session.Hits, got, want[keyOf(session)])
			}
		}
		if assigned == 0 || pages < len(sessions)+30 {
			t.Errorf("%d hits that assign, and %d pages of %d sessions: they say little", assigned, pages, len(sessions))
		}
		// An ordinal that counts nowhere has none.
		gone := model.Session{ID: model.SessionID{Site: site.ID, Partition: sessions[0].ID.Partition, Ordinal: 1 << 20}}
		if hits, err := st.Hits(t.Context(), site.ID, []*model.Session{&gone}, store.HitPage{Limit: 3}); err != nil || len(hits) != 1 || len(hits[0]) != 0 {
			t.Errorf("%v, %v", hits, err)
		}
	})
}
