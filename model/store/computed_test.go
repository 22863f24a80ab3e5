package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
)

func TestComputations(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site, other := mustCreateSite(t, st, "a.example"), mustCreateSite(t, st, "b.example")
		long := "filter " + strings.Repeat("x", 100_000) // more than an index holds
		first, err := st.Computation(ctx, site.ID, long)
		if err != nil {
			t.Fatal(err)
		}
		again, err := st.Computation(ctx, site.ID, long)
		if err != nil || again.ID != first.ID || again.Key != long || again.CreatedAt != first.CreatedAt || again.AskedAt < first.AskedAt {
			t.Errorf("asked again it is %d of %d, %v", again.ID, first.ID, err)
		}
		second, err := st.Computation(ctx, site.ID, "filter y")
		if err != nil || second.ID == first.ID {
			t.Fatal(second, err)
		}
		third, err := st.Computation(ctx, other.ID, "filter y")
		if err != nil || third.ID == second.ID {
			t.Fatal(third, err)
		}
		list := func(site int64, want ...int64) {
			t.Helper()
			found, err := st.Computations(ctx, site)
			var ids []int64
			for _, computation := range found {
				ids = append(ids, computation.ID)
			}
			if err != nil || !slices.Equal(ids, want) {
				t.Errorf("site %d: %v, want %v; %v", site, ids, want, err)
			}
		}
		list(0, first.ID, second.ID, third.ID)
		list(site.ID, first.ID, second.ID)

		if _, err := st.Write(ctx, site.ID, randomMessages(newRand(6), 400)); err != nil {
			t.Fatal(err)
		}
		partitions, err := st.Partitions(ctx, site.ID, model.Range{From: -model.Open, To: model.Open})
		if err != nil || len(partitions) < 2 {
			t.Fatal(len(partitions), err)
		}
		last := partitions[len(partitions)-1]
		toDo := func(before model.Millis) (days []model.Day) {
			t.Helper()
			left, err := st.PartitionsToCompute(ctx, second, before)
			if err != nil {
				t.Fatal(err)
			}
			for _, partition := range left {
				days = append(days, partition.Day)
			}
			return days
		}
		if days := toDo(0); len(days) != len(partitions) || !slices.IsSortedFunc(days, func(a, b model.Day) int { return int(b - a) }) {
			t.Errorf("days %v are to be computed", days)
		}
		save := func(revision store.Revision, data string) {
			t.Helper()
			if err := st.SaveComputed(ctx, store.ComputedSet{SiteID: site.ID, PartitionID: last.ID, ComputationID: second.ID, Revision: revision, Data: []byte(data)}); err != nil {
				t.Fatal(err)
			}
		}
		saved := func() string {
			t.Helper()
			sets, err := st.ComputedSets(ctx, second, []int64{last.ID, partitions[0].ID})
			if err != nil || len(sets) > 1 {
				t.Fatal(sets, err)
			}
			if len(sets) == 0 {
				return ""
			}
			return fmt.Sprint(sets[0].Revision.Number, " ", string(sets[0].Data))
		}
		older := store.Revision{Number: last.Revision.Number - 1, Write: last.Revision.Write}
		save(older, "old")
		if behind := toDo(model.Open); behind[0] != last.Day || len(toDo(0)) != len(partitions)-1 {
			t.Errorf("a partition that is behind is not to be computed when it is quiet alone: %v", behind)
		}
		save(last.Revision, "new")
		save(older, "older")
		save(store.Revision{Number: last.Revision.Number + 1, Write: 1}, "lost")
		if got, want := saved(), fmt.Sprint(last.Revision.Number, " new"); got != want || len(toDo(model.Open)) != len(partitions)-1 {
			t.Errorf("saved %s, want %s", got, want)
		}
		total := 0
		for _, partition := range partitions {
			total += int(partition.Sessions)
		}
		if p, err := st.ComputedProgress(ctx, site.ID); err != nil || p.Sessions != total || len(p.Done) != 1 || p.Done[second.ID] != int(last.Sessions) {
			t.Errorf("%+v, %v", p, err)
		}
		if err := st.ForgetComputed(ctx, second, last.ID); err != nil || saved() != "" {
			t.Errorf("%s, %v", saved(), err)
		}
		save(last.Revision, "again")
		if err := st.ForgetComputations(ctx, site.ID, []int64{second.ID}); err != nil || saved() != "" {
			t.Errorf("%s, %v", saved(), err)
		}
		save(last.Revision, "too late")
		if saved() != "" {
			t.Error("what was forgotten is stored")
		}
		list(0, first.ID, third.ID)
	})
}

// The visits at ordinals are the sessions that count, as they are when all hits are folded.
func TestVisitsAt(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "a.example")
		for seed := range uint64(6) {
			if _, err := st.Write(ctx, site.ID, randomMessages(newRand(seed), 200)); err != nil {
				t.Fatal(err)
			}
		}
		partitions, err := st.Partitions(ctx, site.ID, model.Range{From: -model.Open, To: model.Open})
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, partition := range partitions {
			var ordinals []int32
			for ordinal := range partition.Sessions {
				ordinals = append(ordinals, ordinal)
			}
			visits, err := st.VisitsAt(ctx, partition.SiteID, partition.ID, append(ordinals, 1_000_000))
			if err != nil {
				t.Fatal(err)
			}
			for _, visit := range visits {
				var views, events int
				for i, hit := range visit.Hits {
					if i > 0 && visit.Hits[i-1].Compare(hit) >= 0 {
						t.Errorf("hit %d comes behind hit %d", i-1, i)
					}
					switch hit.Kind {
					case model.PageView:
						views++
					case model.Event:
						events++
					}
				}
				for _, event := range visit.Session.Events {
					events -= event.Count
				}
				if s := visit.Session; views != s.PageViews || events != 0 || !s.Counts() || s.VisitorKey == "" {
					t.Errorf("%+v has %d page views, and %d events more", s, views, events)
				}
				checked++
			}
		}
		if sessions := len(modeltest.Stored(t, st, site.ID)); checked != sessions || checked == 0 {
			t.Errorf("%d visits of %d sessions", checked, sessions)
		}
	})
}
