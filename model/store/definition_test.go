package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

func filters(types ...string) []model.FilterSpec {
	list := []model.FilterSpec{}
	for _, name := range types {
		list = append(list, model.FilterSpec{Type: name, Args: json.RawMessage(`{"is":["a\u0000\"b"]}`)})
	}
	return list
}

func mustCreateSegment(tb testing.TB, st *store.Store, site int64, name string, active bool) *model.Segment {
	tb.Helper()
	segment := &model.Segment{SiteID: site, Name: name, Filters: filters("country"), Active: active}
	if err := st.CreateSegment(context.Background(), segment); err != nil {
		tb.Fatal(err)
	}
	return segment
}

func mustCreateGoal(tb testing.TB, st *store.Store, site int64, key, name string) *model.Goal {
	tb.Helper()
	goal := &model.Goal{SiteID: site, Key: key, Name: name, Description: "what " + name + " means", Filters: filters("pages", "tags"), ValueEvent: "buy"}
	if err := st.CreateGoal(context.Background(), goal); err != nil {
		tb.Fatal(err)
	}
	return goal
}

// mustBe checks an error's code and field, and that it is a sentence.
func mustBe(t *testing.T, err error, code model.Code, field string) {
	t.Helper()
	e, _ := errors.AsType[*model.Error](err)
	if model.CodeOf(err) != code || e == nil || e.Field != field || e.Message == "" {
		t.Errorf("error %v (%s), want %s on %q", err, model.CodeOf(err), code, field)
	}
}

func mustEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %+v\nwant %+v", what, got, want)
	}
}

func TestSegments(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		segment := mustCreateSegment(t, st, site.ID, "Romania", true)
		read, err := st.Segment(ctx, segment.ID)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "segment", read, segment)
		updated, err := st.UpdateSegment(ctx, segment.ID, func(s *model.Segment) error {
			s.Name, s.Filters, s.Active = "Renamed", nil, false
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		read, err = st.Segment(ctx, segment.ID)
		if err != nil {
			t.Fatal(err)
		}
		if read.Name != "Renamed" || read.Active || len(read.Filters) != 0 || !read.CreatedAt.Equal(segment.CreatedAt) || read.UpdatedAt.Before(read.CreatedAt) || !read.UpdatedAt.Equal(updated.UpdatedAt) {
			t.Errorf("updated segment %+v", read)
		}
		for _, active := range []bool{true, false} {
			list, err := st.Segments(ctx, store.SegmentQuery{Site: site.ID, Active: &active}, store.Page{})
			if err != nil {
				t.Fatal(err)
			}
			if want := map[bool]string{true: "All", false: "Renamed"}[active]; len(list) != 1 || list[0].Name != want {
				t.Errorf("active %v: %+v", active, list)
			}
		}
		if err := st.DeleteSegment(ctx, segment.ID, nil); err != nil {
			t.Fatal(err)
		}
		_, err = st.Segment(ctx, segment.ID)
		mustBe(t, err, model.NotFound, "")
		_, err = st.UpdateSegment(ctx, segment.ID, func(*model.Segment) error { t.Error("called"); return nil })
		mustBe(t, err, model.NotFound, "")
		mustBe(t, st.DeleteSegment(ctx, segment.ID, nil), model.NotFound, "")
		mustBe(t, st.CreateSegment(ctx, &model.Segment{SiteID: 999, Name: "a"}), model.NotFound, "")
		mustBe(t, st.CreateSegment(ctx, &model.Segment{SiteID: site.ID}), model.BadInput, "name")
		if list, err := st.SegmentsByID(ctx, []int64{segment.ID, 1}); err != nil || len(list) != 1 {
			t.Errorf("segments by id %+v, %v", list, err)
		}
	})
}

func TestGoals(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site, other := mustCreateSite(t, st, "shop.example"), mustCreateSite(t, st, "other.example")
		goal := mustCreateGoal(t, st, site.ID, "pricing", "Pricing")
		mustCreateGoal(t, st, other.ID, "pricing", "Pricing elsewhere")
		mustBe(t, st.CreateGoal(ctx, &model.Goal{SiteID: site.ID, Key: "pricing", Name: "again"}), model.Conflict, "key")
		mustBe(t, st.CreateGoal(ctx, &model.Goal{SiteID: 999, Key: "pricing", Name: "again"}), model.NotFound, "")
		for _, get := range []func() (*model.Goal, error){
			func() (*model.Goal, error) { return st.Goal(ctx, goal.ID) },
			func() (*model.Goal, error) { return st.GoalByKey(ctx, site.ID, "pricing") },
		} {
			read, err := get()
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "goal", read, goal)
		}
		_, err := st.GoalByKey(ctx, site.ID, "Pricing")
		mustBe(t, err, model.NotFound, "")
		_, err = st.UpdateGoal(ctx, goal.ID, func(g *model.Goal) error {
			g.Name, g.Description, g.Archived, g.ValueEvent, g.Filters = "Prices", "", true, "", filters("ip")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		read, err := st.Goal(ctx, goal.ID)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "updated goal", read, &model.Goal{
			ID: goal.ID, SiteID: site.ID, Key: "pricing", Name: "Prices", Archived: true, Direction: model.HigherIsBetter, Filters: filters("ip"), CreatedAt: goal.CreatedAt, UpdatedAt: read.UpdatedAt,
		})
		for archived, want := range map[bool]int{true: 1, false: 0} {
			n, err := st.CountGoals(ctx, store.GoalQuery{Site: site.ID, Archived: &archived})
			list, err2 := st.Goals(ctx, store.GoalQuery{Site: site.ID, Archived: &archived}, store.Page{})
			if err != nil || err2 != nil || n != want || len(list) != want {
				t.Errorf("archived %v: %d goals, %+v, want %d; %v, %v", archived, n, list, want, err, err2)
			}
		}
		if list, err := st.GoalsByID(ctx, []int64{goal.ID, 999}); err != nil || len(list) != 1 {
			t.Errorf("goals by id %+v, %v", list, err)
		}
		if err := st.DeleteGoal(ctx, goal.ID, nil); err != nil {
			t.Fatal(err)
		}
		_, err = st.Goal(ctx, goal.ID)
		mustBe(t, err, model.NotFound, "")
		_, err = st.UpdateGoal(ctx, goal.ID, func(*model.Goal) error { t.Error("called"); return nil })
		mustBe(t, err, model.NotFound, "")
		mustBe(t, st.DeleteGoal(ctx, goal.ID, nil), model.NotFound, "")
	})
}

func TestSearch(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site, other := mustCreateSite(t, st, "shop.example"), mustCreateSite(t, st, "other.example")
		for i, name := range []string{"Straße ÄÖÜ", "100% of_it", `back\slash`, "Ελληνικός", "İstanbul", "a'; DROP TABLE goals; --", "what?"} {
			mustCreateSegment(t, st, site.ID, name, true)
			mustCreateSegment(t, st, other.ID, name, true)
			mustCreateGoal(t, st, site.ID, fmt.Sprintf("key-%d", i), name)
		}
		for search, want := range map[string]string{
			"äöü": "Straße ÄÖÜ", "STRASSE": "", "straße": "Straße ÄÖÜ", "%": "100% of_it", "0% OF_": "100% of_it", "f_i": "100% of_it", "f%i": "", "fxi": "",
			`k\s`: `back\slash`, `\`: `back\slash`, `\\`: "", "ΕΛΛΗΝΙΚΌΣ": "Ελληνικός", "λληνικος": "", "stanbul": "İstanbul",
			"'; drop": "a'; DROP TABLE goals; --", "?": "what?", "\x00": "", "a\x00": "", "\xff": "", "nothing": "", strings.Repeat("x", 1<<20): "", strings.Repeat("%", model.MaxDescription): "", strings.Repeat("日", model.MaxDescription): "",
		} {
			segments, err := st.Segments(ctx, store.SegmentQuery{Site: site.ID, Search: search}, store.Page{})
			if err != nil {
				t.Fatalf("search %.40q: %v", search, err)
			}
			n, err := st.CountSegments(ctx, store.SegmentQuery{Site: site.ID, Search: search})
			if err != nil || n != len(segments) {
				t.Errorf("search %.40q: %d segments are counted and %d found, %v", search, n, len(segments), err)
			}
			goals, err := st.Goals(ctx, store.GoalQuery{Site: site.ID, Search: search}, store.Page{})
			if err != nil {
				t.Fatalf("search %.40q: %v", search, err)
			}
			if want == "" && len(segments)+len(goals) == 0 {
				continue
			}
			if len(segments) != 1 || segments[0].Name != want || len(goals) != 1 || goals[0].Name != want {
				t.Errorf("search %.40q: segments %+v and goals %+v, want %q", search, segments, goals, want)
			}
		}
		for search, want := range map[string]int{"": 7, "KEY-": 7, "key-3": 1, "MEANS": 7} {
			if n, err := st.CountGoals(ctx, store.GoalQuery{Site: site.ID, Search: search}); err != nil || n != want {
				t.Errorf("search %q counts %d goals, want %d; %v", search, n, want, err)
			}
		}
	})
}

func TestPagesAreStableUnderInserts(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		want := []string{"All"}
		for i := range 9 {
			want = append(want, mustCreateSegment(t, st, site.ID, fmt.Sprint("segment ", i), true).Name)
		}
		var got []string
		for after := (store.Place{}); ; {
			page, err := st.Segments(ctx, store.SegmentQuery{Site: site.ID}, store.Page{After: after, Limit: 3})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 || len(got) > 20 {
				break
			}
			for _, segment := range page {
				got = append(got, segment.Name)
			}
			after.ID = page[len(page)-1].ID
			if len(got) < 10 { // while the list is being read, it grows, and what was read goes
				want = append(want, mustCreateSegment(t, st, site.ID, fmt.Sprint("new ", len(got)), true).Name)
				if err := st.DeleteSegment(ctx, page[0].ID, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		mustEqual(t, "segments", got, want)
	})
}

func TestConvert(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, url string) {
		ctx := t.Context()
		mustOpen(t, url)
		now := time.Date(2026, 1, 1, 0, 0, 0, 999_999, time.UTC)
		st, err := store.Open(ctx, url, store.Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		site := mustCreateSite(t, st, "shop.example")
		mustCreateGoal(t, st, site.ID, "visited-pricing", "taken")
		for _, active := range []bool{true, false} {
			segment := mustCreateSegment(t, st, site.ID, "Visited /pricing", active)
			before, err := st.CountSegments(ctx, store.SegmentQuery{Site: site.ID})
			if err != nil {
				t.Fatal(err)
			}
			goal := &model.Goal{}
			if err := st.ConvertSegmentToGoal(ctx, segment.ID, goal, nil); err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "goal", goal, &model.Goal{
				ID: goal.ID, SiteID: site.ID, Key: "visited-pricing-2", Name: "Visited /pricing", Filters: segment.Filters, Direction: model.HigherIsBetter,
				CreatedAt: goal.CreatedAt, UpdatedAt: goal.CreatedAt,
			})
			if n, err := st.CountSegments(ctx, store.SegmentQuery{Site: site.ID}); err != nil || n != before-1 {
				t.Errorf("%d segments are left, want %d; %v", n, before-1, err)
			}
			_, err = st.Segment(ctx, segment.ID)
			mustBe(t, err, model.NotFound, "")
			mustBe(t, st.DeleteSegment(ctx, segment.ID, nil), model.NotFound, "")
			mustBe(t, st.ConvertSegmentToGoal(ctx, segment.ID, &model.Goal{}, nil), model.NotFound, "")
			if list, err := st.SegmentsByID(ctx, []int64{segment.ID}); err != nil || len(list) != 0 {
				t.Errorf("segments by id %+v, %v", list, err)
			}

			if _, err := st.UpdateGoal(ctx, goal.ID, func(g *model.Goal) error { g.Name, g.Filters = "Renamed", filters("os"); return nil }); err != nil {
				t.Fatal(err)
			}
			restored, err := st.ConvertGoalToSegment(ctx, goal.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := *segment
			want.Filters, want.UpdatedAt = filters("os"), restored.UpdatedAt
			mustEqual(t, "restored segment", restored, &want)
			if !restored.UpdatedAt.After(segment.UpdatedAt) {
				t.Error("the restored segment was not updated")
			}
			read, err := st.Segment(ctx, segment.ID)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "restored segment, read", read, restored)
			_, err = st.Goal(ctx, goal.ID)
			mustBe(t, err, model.NotFound, "")
			_, err = st.ConvertGoalToSegment(ctx, goal.ID, nil)
			mustBe(t, err, model.NotFound, "")
		}

		// What is given goes before what the segment says.
		segment := mustCreateSegment(t, st, site.ID, "Given", true)
		mustBe(t, st.ConvertSegmentToGoal(ctx, segment.ID, &model.Goal{Key: "visited-pricing"}, nil), model.Conflict, "key")
		mustBe(t, st.ConvertSegmentToGoal(ctx, segment.ID, &model.Goal{Key: "a\x00"}, nil), model.BadInput, "key")
		goal := &model.Goal{Key: "given", Name: "Other", ValueEvent: "buy"}
		if err := st.ConvertSegmentToGoal(ctx, segment.ID, goal, nil); err != nil {
			t.Fatal(err)
		}
		if goal.Key != "given" || goal.Name != "Other" || goal.ValueEvent != "buy" {
			t.Errorf("goal %+v", goal)
		}
		// With the goal goes the segment that it was made from.
		if err := st.DeleteGoal(ctx, goal.ID, nil); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "segments of the deleted goal", query(t, st, fmt.Sprint("SELECT name FROM segments WHERE id = ", segment.ID)), []string(nil))

		// A goal that was never a segment becomes a new, active one.
		born := mustCreateGoal(t, st, site.ID, "born", "Born a goal")
		fresh, err := st.ConvertGoalToSegment(ctx, born.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		if fresh.ID == 0 || fresh.Name != "Born a goal" || !fresh.Active || !reflect.DeepEqual(fresh.Filters, born.Filters) {
			t.Errorf("segment %+v", fresh)
		}

		// A key is as long as a key may be, suffix and all.
		for range 3 {
			segment := mustCreateSegment(t, st, site.ID, strings.Repeat("é", model.MaxName), true)
			if err := st.ConvertSegmentToGoal(ctx, segment.ID, &model.Goal{}, nil); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestConcurrentChangesLoseNothing(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := context.Background()
		site := mustCreateSite(t, st, "shop.example")
		segment := mustCreateSegment(t, st, site.ID, "-", true)
		goal := mustCreateGoal(t, st, site.ID, "k", "-")
		var running sync.WaitGroup
		const writers, rounds = 6, 5
		for range writers {
			running.Go(func() {
				for range rounds {
					if _, err := st.UpdateSegment(ctx, segment.ID, func(s *model.Segment) error { s.Name += "x"; return nil }); err != nil {
						t.Error(err)
					}
					if _, err := st.UpdateGoal(ctx, goal.ID, func(g *model.Goal) error { g.Name += "x"; return nil }); err != nil {
						t.Error(err)
					}
					if _, err := st.UpdateSite(ctx, site.ID, func(s *model.Site) error { s.Name += "x"; return nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
		for _, name := range query(t, st, "SELECT name FROM segments WHERE name <> 'All' UNION ALL SELECT name FROM goals UNION ALL SELECT name FROM sites") {
			if n := strings.Count(strings.TrimPrefix(name, "shop.example"), "x"); n != writers*rounds {
				t.Errorf("%d of %d updates are left in %q", n, writers*rounds, name)
			}
		}
	})
}

func TestConcurrentCreations(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := context.Background()
		site := mustCreateSite(t, st, "shop.example")
		const writers = 8
		var segments []*model.Segment
		for range writers {
			segments = append(segments, mustCreateSegment(t, st, site.ID, "Same name", true))
		}
		goals, sites, converted := make([]error, writers), make([]error, writers), make([]error, writers)
		var running sync.WaitGroup
		for n := range writers {
			running.Go(func() {
				goals[n] = st.CreateGoal(ctx, &model.Goal{SiteID: site.ID, Key: "one", Name: "a"})
				sites[n] = st.CreateSite(ctx, &model.Site{Name: "a", Timezone: "UTC", Domains: []string{"one.example"}})
				converted[n] = st.ConvertSegmentToGoal(ctx, segments[n].ID, &model.Goal{}, nil)
			})
		}
		running.Wait()
		for field, errs := range map[string][]error{"key": goals, "domains": sites} {
			done := 0
			for _, err := range errs {
				if err == nil {
					done++
					continue
				}
				mustBe(t, err, model.Conflict, field)
			}
			if done != 1 {
				t.Errorf("%s: %d creations succeeded, want 1", field, done)
			}
		}
		for _, err := range converted { // whose keys are not asked for, so there is one for each
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestTypesInUse(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "uses.example")
		mustCreateSegment(t, st, site.ID, "One", true)
		mustCreateSegment(t, st, site.ID, "Two", false)
		mustCreateGoal(t, st, site.ID, "buy", "Buy")
		mustCreateExperiment(t, st, site.ID, "headline")
		uses, err := st.TypesInUse(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "uses", uses, map[string]store.TypeUse{
			"country": {Segments: 2, Experiments: 1, Name: "One"}, "pages": {Goals: 1, Name: "Buy"}, "tags": {Goals: 1, Experiments: 1, Name: "Buy"},
		})
	})
}
