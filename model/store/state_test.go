package store_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Whatever changes an answer moves the state of its site, and of no other; what
// changes definitions is told besides. What is refused does neither.
func TestState(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, url string) {
		var mu sync.Mutex
		var told []int64
		st, err := store.Open(t.Context(), url, store.Options{Defined: func(site int64) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, site)
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		if _, err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		site, other := &model.Site{Name: "a", Timezone: "UTC"}, &model.Site{Name: "b", Timezone: "UTC"}
		for _, s := range []*model.Site{site, other} {
			if err := st.CreateSite(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		state := func(site int64) store.State {
			state, err := st.State(t.Context(), site)
			if err != nil {
				t.Fatal(err)
			}
			return state
		}
		untouched := state(other.ID)
		var segment *model.Segment
		var goal model.Goal
		changed := func(what string, defines bool, change func(ctx context.Context) error) {
			before := state(site.ID)
			told = nil
			begin := model.MillisOf(time.Now())
			if err := change(t.Context()); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			after := state(site.ID)
			if after == before {
				t.Errorf("%s: the state is still %+v", what, after)
			}
			// Else a database that is restored could come to it by another change.
			if defines && after.Revision < int64(begin) {
				t.Errorf("%s: revision %d is of before it", what, after.Revision)
			}
			want := []int64{site.ID}
			if !defines {
				want = nil
			}
			if !slices.Equal(told, want) {
				t.Errorf("%s: told of %v, want %v", what, told, want)
			}
		}
		visit := func(id string) model.Message {
			return model.Message{AnonymousID: id, Hit: model.Hit{ID: model.MessageIDOf(id), At: 1, Kind: model.PageView, Name: "/"}}
		}
		write := func(id string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				_, err := st.Write(ctx, site.ID, []model.Message{visit(id)})
				return err
			}
		}
		changed("a visit", false, write("v1"))
		changed("another visit", false, write("v2"))
		changed("a new segment", true, func(ctx context.Context) error {
			segment = mustCreateSegment(t, st, site.ID, "s", true)
			return nil
		})
		changed("a segment's change", true, func(ctx context.Context) error {
			_, err := st.UpdateSegment(ctx, segment.ID, func(s *model.Segment) error { s.Active = false; return nil })
			return err
		})
		changed("a segment's conversion", true, func(ctx context.Context) error { return st.ConvertSegmentToGoal(ctx, segment.ID, &goal, nil) })
		changed("a goal's change", true, func(ctx context.Context) error {
			_, err := st.UpdateGoal(ctx, goal.ID, func(g *model.Goal) error { g.Name = "renamed"; return nil })
			return err
		})
		known := state(site.ID)
		told = nil
		if _, err := st.UpdateGoal(t.Context(), goal.ID, func(g *model.Goal) error { g.Name = "renamed"; return nil }); err != nil {
			t.Fatal(err)
		}
		if after := state(site.ID); after != known || told != nil {
			t.Errorf("the same change again: the state was %+v and is %+v; told of %v", known, after, told)
		}
		changed("a goal's conversion", true, func(ctx context.Context) (err error) {
			segment, err = st.ConvertGoalToSegment(ctx, goal.ID, nil)
			return err
		})
		changed("a segment's end", true, func(ctx context.Context) error { return st.DeleteSegment(ctx, segment.ID, nil) })
		changed("a new goal", true, func(ctx context.Context) error {
			goal = *mustCreateGoal(t, st, site.ID, "k", "g")
			return nil
		})
		another := mustCreateGoal(t, st, site.ID, "l", "h")
		experiment := &model.Experiment{SiteID: site.ID, Key: "e", Name: "e", Variants: []model.Variant{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}}, Primary: goal.ID}
		changed("a new experiment", true, func(ctx context.Context) error { return st.CreateExperiment(ctx, experiment) })
		for what, change := range map[string]func(*model.Experiment) error{
			"a change of the metrics": func(e *model.Experiment) error { e.Secondary = []int64{another.ID}; return nil },
			"another name":            func(e *model.Experiment) error { e.Name = "renamed"; return nil },
		} {
			changed(what, true, func(ctx context.Context) error {
				_, err := st.UpdateExperiment(ctx, experiment.ID, change)
				return err
			})
		}
		for _, step := range []func(*model.Experiment) error{start, stop, (*model.Experiment).Archive} {
			changed("an experiment's step", true, func(ctx context.Context) error {
				_, err := st.UpdateExperiment(ctx, experiment.ID, step)
				return err
			})
		}
		changed("an experiment's end", true, func(ctx context.Context) error { return st.DeleteExperiment(ctx, experiment.ID, nil) })
		changed("a goal's end", true, func(ctx context.Context) error { return st.DeleteGoal(ctx, goal.ID, nil) })
		changed("the site's change", true, func(ctx context.Context) error {
			_, err := st.UpdateSite(ctx, site.ID, func(s *model.Site) error { s.Timezone = "Europe/Bucharest"; return nil })
			return err
		})

		before := state(site.ID)
		told = nil
		if err := write("v1")(t.Context()); err != nil { // known already
			t.Fatal(err)
		}
		if err := st.CreateSegment(t.Context(), &model.Segment{SiteID: site.ID}); err == nil {
			t.Error("a segment without a name")
		}
		if _, err := st.UpdateSite(t.Context(), site.ID, func(*model.Site) error { return context.Canceled }); err == nil {
			t.Error("a change that fails")
		}
		if after := state(site.ID); after != before || told != nil {
			t.Errorf("what is refused: %+v, then %+v; told of %v", before, after, told)
		}
		if state(other.ID) != untouched {
			t.Error("the state of another site has moved")
		}
		if err := st.DeleteSite(t.Context(), site.ID, nil); err != nil || !slices.Equal(told, []int64{site.ID}) {
			t.Errorf("%v, told of %v", err, told)
		}
		_, err = st.State(t.Context(), site.ID)
		mustBe(t, err, model.NotFound, "")
	})
}
