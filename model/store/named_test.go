package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// inSegment is a group of a filter and of the segments with the ids.
func inSegment(ids ...int64) []model.FilterSpec {
	parts := filters("country")
	for _, id := range ids {
		parts = append(parts, model.FilterSpec{Type: model.InSegment, SegmentID: id})
	}
	return []model.FilterSpec{{Type: model.AnyOf, Parts: parts}}
}

// name has a segment name others.
func name(st *store.Store, id int64, ids ...int64) error {
	_, err := st.UpdateSegment(context.Background(), id, func(s *model.Segment) error {
		s.Filters = inSegment(ids...)
		return nil
	})
	return err
}

func mustName(tb testing.TB, st *store.Store, id int64, ids ...int64) {
	tb.Helper()
	if err := name(st, id, ids...); err != nil {
		tb.Fatal(err)
	}
}

// mustTell checks that an error is a FailedPrecondition that tells certain things.
func mustTell(t *testing.T, err error, tells ...string) {
	t.Helper()
	e, _ := errors.AsType[*model.Error](err)
	if e == nil || e.Code != model.FailedPrecondition {
		t.Errorf("error %v, want a FailedPrecondition", err)
		return
	}
	for _, text := range tells {
		if !strings.Contains(e.Message, text) {
			t.Errorf("%q does not tell of %q", e.Message, text)
		}
	}
}

// What is read holds the segments that filters name, as they are now.
func TestNamedSegmentsAreRead(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		inner, middle := mustCreateSegment(t, st, site.ID, "Inner", false), mustCreateSegment(t, st, site.ID, "Middle", true)
		mustName(t, st, middle.ID, inner.ID)
		outer := &model.Segment{SiteID: site.ID, Name: "Outer", Filters: inSegment(middle.ID)}
		goal := &model.Goal{SiteID: site.ID, Key: "k", Name: "Goal", Filters: inSegment(middle.ID)}
		e := &model.Experiment{SiteID: site.ID, Key: "e", Name: "Experiment", Audience: inSegment(middle.ID)}
		if err := errors.Join(st.CreateSegment(ctx, outer), st.CreateGoal(ctx, goal), st.CreateExperiment(ctx, e)); err != nil {
			t.Fatal(err)
		}
		adHoc := inSegment(middle.ID)
		if err := st.PutSegments(ctx, site.ID, adHoc); err != nil {
			t.Fatal(err)
		}
		check := func(what string, filters []model.FilterSpec, err error) {
			t.Helper()
			if err != nil || len(filters) != 1 {
				t.Fatalf("%s: %+v, %v", what, filters, err)
			}
			found := filters[0].Parts[1].Segment
			if found == nil || found.Name != "Middle" || found.Filters[0].Parts[1].Segment == nil || found.Filters[0].Parts[1].Segment.Name != "Inner" {
				t.Errorf("%s: %+v", what, found)
			}
		}
		check("created segment", outer.Filters, nil)
		check("created goal", goal.Filters, nil)
		check("created experiment", e.Audience, nil)
		check("filters of a question", adHoc, nil)
		segment, err := st.Segment(ctx, outer.ID)
		check("segment", segment.Filters, err)
		segments, err := st.SegmentsByID(ctx, []int64{outer.ID})
		check("segments by id", segments[0].Filters, err)
		segments, err = st.Segments(ctx, store.SegmentQuery{Site: site.ID, Search: "Outer"}, store.Page{})
		check("segments", segments[0].Filters, err)
		read, err := st.Goal(ctx, goal.ID)
		check("goal", read.Filters, err)
		read, err = st.GoalByKey(ctx, site.ID, "k")
		check("goal by key", read.Filters, err)
		goals, err := st.GoalsByID(ctx, []int64{goal.ID})
		check("goals by id", goals[0].Filters, err)
		goals, err = st.Goals(ctx, store.GoalQuery{Site: site.ID}, store.Page{})
		check("goals", goals[0].Filters, err)
		found, err := st.Experiment(ctx, e.ID)
		check("experiment", found.Audience, err)
		found, err = st.ExperimentByKey(ctx, site.ID, "e")
		check("experiment by key", found.Audience, err)
		updated, err := st.UpdateGoal(ctx, goal.ID, func(g *model.Goal) error { g.Name = "Other"; return nil })
		check("updated goal", updated.Filters, err)

		uses, err := st.TypesInUse(ctx, []int64{site.ID})
		if _, found := uses[model.AnyOf]; err != nil || found || uses["country"] != (store.TypeUse{Segments: 3, Goals: 1, Experiments: 1, Name: "Inner"}) {
			t.Errorf("types in use %+v, %v", uses, err)
		}
	})
}

func TestNamedSegmentsAreOfTheSite(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site, other := mustCreateSite(t, st, "shop.example"), mustCreateSite(t, st, "other.example")
		own, theirs := mustCreateSegment(t, st, site.ID, "Own", true), mustCreateSegment(t, st, other.ID, "Theirs", true)
		const field = "filters[0].anyOf[1].segment"
		for _, id := range []int64{theirs.ID, 999_999} {
			mustBe(t, st.PutSegments(ctx, site.ID, inSegment(id)), model.NotFound, "[0].anyOf[1].segment")
			mustBe(t, st.CreateSegment(ctx, &model.Segment{SiteID: site.ID, Name: "n", Filters: inSegment(id)}), model.NotFound, field)
			mustBe(t, name(st, own.ID, id), model.NotFound, field)
			mustBe(t, st.CreateGoal(ctx, &model.Goal{SiteID: site.ID, Key: "k", Name: "n", Filters: inSegment(id)}), model.NotFound, field)
			mustBe(t, st.CreateExperiment(ctx, &model.Experiment{SiteID: site.ID, Key: "k", Name: "n", Audience: inSegment(id)}), model.NotFound, "audience[0].anyOf[1].segment")
		}
		// What is refused leaves nothing behind that would keep a segment.
		if err := st.DeleteSegment(ctx, theirs.ID, nil); err != nil {
			t.Error(err)
		}
	})
}

// A segment stays while it is named, and says by what.
func TestNamedSegmentsStay(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		inner, outer := mustCreateSegment(t, st, site.ID, "Inner", true), mustCreateSegment(t, st, site.ID, "Outer", true)
		goal := &model.Goal{SiteID: site.ID, Key: "k", Name: "Goal", Filters: inSegment(inner.ID)}
		e := &model.Experiment{SiteID: site.ID, Key: "e", Name: "Experiment", Audience: inSegment(inner.ID)}
		mustName(t, st, outer.ID, inner.ID)
		if err := errors.Join(st.CreateGoal(ctx, goal), st.CreateExperiment(ctx, e)); err != nil {
			t.Fatal(err)
		}
		all := []string{`the segment "Outer"`, `the goal "Goal"`, `the experiment "Experiment"`}
		mustTell(t, st.DeleteSegment(ctx, inner.ID, nil), all...)
		mustTell(t, st.ConvertSegmentToGoal(ctx, inner.ID, &model.Goal{}, nil), all...)

		// A definition that changes its kind still names the segment.
		converted := &model.Goal{}
		if err := st.ConvertSegmentToGoal(ctx, outer.ID, converted, nil); err != nil {
			t.Fatal(err)
		}
		mustTell(t, st.DeleteSegment(ctx, inner.ID, nil), `the goal "Outer"`, `the goal "Goal"`)
		if _, err := st.ConvertGoalToSegment(ctx, converted.ID, nil); err != nil {
			t.Fatal(err)
		}
		mustTell(t, st.DeleteSegment(ctx, inner.ID, nil), all...)

		// One after the other no longer names it.
		if err := st.DeleteExperiment(ctx, e.ID, nil); err != nil {
			t.Fatal(err)
		}
		if err := st.DeleteGoal(ctx, goal.ID, nil); err != nil {
			t.Fatal(err)
		}
		mustTell(t, st.DeleteSegment(ctx, inner.ID, nil), `is part of the segment "Outer"; change`)
		mustName(t, st, outer.ID)
		if err := st.DeleteSegment(ctx, inner.ID, nil); err != nil {
			t.Error(err)
		}
	})
}

// Many names are not all told.
func TestNamedByMany(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		inner := mustCreateSegment(t, st, site.ID, "Inner", true)
		for i := range 7 {
			mustName(t, st, mustCreateSegment(t, st, site.ID, fmt.Sprint(i), true).ID, inner.ID)
		}
		mustTell(t, st.DeleteSegment(t.Context(), inner.ID, nil), `the segment "4", 2 more; change`)
		if err := st.DeleteSite(t.Context(), site.ID, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestSegmentsAreNotPartOfThemselves(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		var ids []int64
		for i := range 3 {
			ids = append(ids, mustCreateSegment(t, st, site.ID, fmt.Sprint(i), true).ID)
		}
		const field = "filters[0].anyOf[1].segment"
		mustBe(t, name(st, ids[0], ids[0]), model.BadInput, field)
		mustName(t, st, ids[0], ids[1])
		mustBe(t, name(st, ids[1], ids[0]), model.BadInput, field)
		mustName(t, st, ids[1], ids[2])
		mustBe(t, name(st, ids[2], ids[0]), model.BadInput, field)
		mustName(t, st, ids[0]) // which ends the way
		mustName(t, st, ids[2], ids[0])
	})
}

// Of transactions that each make a part of a ring, the last one is refused.
func TestRingsAtTheSameTime(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		const length = 3
		for range 5 {
			var ids []int64
			for i := range length {
				ids = append(ids, mustCreateSegment(t, st, site.ID, fmt.Sprint(i), true).ID)
			}
			errs := make([]error, length)
			var naming sync.WaitGroup
			for i, id := range ids {
				naming.Go(func() { errs[i] = name(st, id, ids[(i+1)%length]) })
			}
			naming.Wait()
			refused := 0
			for _, err := range errs {
				if err != nil {
					mustBe(t, err, model.BadInput, "filters[0].anyOf[1].segment")
					refused++
				}
			}
			if refused != 1 {
				t.Errorf("%d of %d were refused: %v", refused, length, errs)
			}
		}
	})
}

// A segment is not deleted while somebody begins to name it: one of both is refused.
func TestNamingAndDeletingAtTheSameTime(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		outer := mustCreateSegment(t, st, site.ID, "Outer", true)
		for range 8 {
			inner := mustCreateSegment(t, st, site.ID, "Inner", true)
			var naming, deleting error
			var both sync.WaitGroup
			both.Go(func() { naming = name(st, outer.ID, inner.ID) })
			both.Go(func() { deleting = st.DeleteSegment(context.Background(), inner.ID, nil) })
			both.Wait()
			switch {
			case naming == nil:
				mustTell(t, deleting, `the segment "Outer"`)
				mustName(t, st, outer.ID)
			case deleting == nil:
				mustBe(t, naming, model.NotFound, "filters[0].anyOf[1].segment")
			default:
				t.Fatalf("both failed: %v; %v", naming, deleting)
			}
		}
	})
}

// A segment's filters change only as far as what names it allows.
func TestFiltersOfNamedSegments(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		inner, middle := mustCreateSegment(t, st, site.ID, "Inner", true), mustCreateSegment(t, st, site.ID, "Middle", true)
		mustName(t, st, middle.ID, inner.ID)
		change := func(n int) error {
			_, err := st.UpdateSegment(ctx, inner.ID, func(s *model.Segment) error {
				s.Filters = filters(slices.Repeat([]string{"country"}, n)...)
				return nil
			})
			return err
		}
		// 12 times what Middle and Inner have.
		goal := &model.Goal{SiteID: site.ID, Key: "k", Name: "Goal", Filters: inSegment(slices.Repeat([]int64{middle.ID}, 12)...)}
		if err := st.CreateGoal(ctx, goal); err != nil {
			t.Fatal(err)
		}
		if err := change(50); err != nil {
			t.Error(err)
		}
		err := change(90)
		mustBe(t, err, model.BadInput, "filters")
		if !strings.Contains(fmt.Sprint(err), `the goal "Goal"`) {
			t.Errorf("%v", err)
		}

		e := &model.Experiment{SiteID: site.ID, Key: "e", Name: "Experiment", Audience: inSegment(middle.ID), Primary: goal.ID,
			Variants: []model.Variant{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}}}
		if err := st.CreateExperiment(ctx, e); err != nil {
			t.Fatal(err)
		}
		if err := change(2); err != nil {
			t.Errorf("before the experiment starts: %v", err)
		}
		if _, err := st.UpdateExperiment(ctx, e.ID, func(e *model.Experiment) error { return e.Start(1, 0, 2) }); err != nil {
			t.Fatal(err)
		}
		mustTell(t, change(1), `the experiment "Experiment" has started`)
		if _, err := st.UpdateSegment(ctx, inner.ID, func(s *model.Segment) error { s.Name = "Renamed"; return nil }); err != nil {
			t.Errorf("a name is no filter: %v", err)
		}
	})
}

// What changes a named segment moves the revision that all answers of the site follow.
func TestNamedSegmentsMoveTheRevision(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		inner, outer := mustCreateSegment(t, st, site.ID, "Inner", true), mustCreateSegment(t, st, site.ID, "Outer", true)
		mustName(t, st, outer.ID, inner.ID)
		before, err := st.State(t.Context(), site.ID)
		if err != nil {
			t.Fatal(err)
		}
		mustName(t, st, inner.ID)
		if after, err := st.State(t.Context(), site.ID); err != nil || after.Revision <= before.Revision {
			t.Errorf("%+v after %+v, %v", after, before, err)
		}
	})
}
