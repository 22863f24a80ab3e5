package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

func mustCreateExperiment(tb testing.TB, st *store.Store, site int64, key string, metrics ...int64) *model.Experiment {
	tb.Helper()
	e := &model.Experiment{
		SiteID: site, Key: key, Name: "Test of " + key, Description: "what " + key + " means", Audience: filters("country", "tags"),
		Variants: []model.Variant{{Key: "a", Name: "A", Weight: 1}, {Key: "b", Name: `"B" é`, Weight: 2.5}},
	}
	if len(metrics) > 0 {
		e.Primary, e.Secondary = metrics[0], metrics[1:]
	}
	if err := st.CreateExperiment(context.Background(), e); err != nil {
		tb.Fatal(err)
	}
	return e
}

func start(e *model.Experiment) error { return e.Start(1, 0, 1) }
func stop(e *model.Experiment) error  { return e.Stop("", 1, 1) }

func TestExperiments(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site, other := mustCreateSite(t, st, "shop.example"), mustCreateSite(t, st, "other.example")
		var goals []int64
		for _, key := range []string{"buy", "look", "read"} {
			goals = append(goals, mustCreateGoal(t, st, site.ID, key, key).ID)
		}
		elsewhere := mustCreateGoal(t, st, other.ID, "buy", "Buy elsewhere").ID

		e := mustCreateExperiment(t, st, site.ID, "headline", goals[2], goals[0])
		mustCreateExperiment(t, st, other.ID, "headline", elsewhere)
		if e.Status != model.Draft || e.Attribution != model.ExperimentAttribution || !e.Variants[0].Baseline || e.CreatedAt.IsZero() {
			t.Errorf("created %+v", e)
		}
		for _, get := range []func() (*model.Experiment, error){
			func() (*model.Experiment, error) { return st.Experiment(ctx, e.ID) },
			func() (*model.Experiment, error) { return st.ExperimentByKey(ctx, site.ID, "headline") },
		} {
			read, err := get()
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "experiment", read, e)
		}
		for _, key := range []string{"Headline", "a\x00", "\xff"} {
			_, err := st.ExperimentByKey(ctx, site.ID, key)
			mustBe(t, err, model.NotFound, "")
		}

		create := func(change func(e *model.Experiment)) error {
			e := &model.Experiment{SiteID: site.ID, Key: "new", Name: "new"}
			change(e)
			return st.CreateExperiment(ctx, e)
		}
		mustBe(t, create(func(e *model.Experiment) { e.Key = "headline" }), model.Conflict, "key")
		mustBe(t, create(func(e *model.Experiment) { e.Key = "" }), model.BadInput, "key")
		mustBe(t, create(func(e *model.Experiment) { e.SiteID = 999 }), model.NotFound, "")
		mustBe(t, create(func(e *model.Experiment) { e.Primary = elsewhere }), model.NotFound, "primaryMetric")
		mustBe(t, create(func(e *model.Experiment) { e.Secondary = []int64{goals[0], 999} }), model.NotFound, "secondaryMetrics[1]")
		mustBe(t, create(func(e *model.Experiment) { e.Guardrails = []model.Guardrail{{Goal: goals[0]}, {Goal: elsewhere}} }), model.NotFound, "guardrails[1].goal")
		if n, err := st.CountExperiments(ctx, store.ExperimentQuery{Site: site.ID}); err != nil || n != 1 {
			t.Errorf("after refusals there are %d experiments, %v", n, err)
		}

		updated, err := st.UpdateExperiment(ctx, e.ID, func(e *model.Experiment) error {
			e.Key, e.Name, e.Primary, e.Secondary, e.Audience = "other", "New", goals[0], []int64{goals[2], goals[1]}, nil
			return e.SetBaseline("b")
		})
		if err != nil {
			t.Fatal(err)
		}
		read, err := st.Experiment(ctx, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := *e
		want.Name, want.Primary, want.Secondary, want.Audience, want.UpdatedAt = "New", goals[0], []int64{goals[2], goals[1]}, filters(), updated.UpdatedAt
		want.Variants = []model.Variant{{Key: "a", Name: "A", Weight: 1}, {Key: "b", Name: `"B" é`, Weight: 2.5, Baseline: true}}
		mustEqual(t, "updated experiment", read, &want)

		for _, refused := range []struct {
			change func(e *model.Experiment) error
			code   model.Code
			field  string
		}{
			{func(e *model.Experiment) error { e.Name = ""; return nil }, model.BadInput, "name"},
			{func(e *model.Experiment) error { e.Primary = elsewhere; return nil }, model.NotFound, "primaryMetric"},
			{stop, model.FailedPrecondition, ""},
			{func(e *model.Experiment) error { e.Name = "x"; return model.Invalid("x", "no") }, model.BadInput, "x"},
		} {
			_, err := st.UpdateExperiment(ctx, e.ID, refused.change)
			mustBe(t, err, refused.code, refused.field)
		}
		if again, err := st.Experiment(ctx, e.ID); err != nil {
			t.Fatal(err)
		} else {
			mustEqual(t, "after refusals", again, read)
		}

		if _, err := st.UpdateExperiment(ctx, e.ID, start); err != nil {
			t.Fatal(err)
		}
		_, err = st.UpdateExperiment(ctx, e.ID, func(e *model.Experiment) error { e.Audience = filters("ip"); return nil })
		mustBe(t, err, model.FailedPrecondition, "audience")
		mustBe(t, st.DeleteExperiment(ctx, e.ID, nil), model.FailedPrecondition, "")
		if _, err := st.UpdateExperiment(ctx, e.ID, stop); err != nil {
			t.Fatal(err)
		}
		if err := st.DeleteExperiment(ctx, e.ID, nil); err != nil {
			t.Fatal(err)
		}
		_, err = st.Experiment(ctx, e.ID)
		mustBe(t, err, model.NotFound, "")
		mustBe(t, st.DeleteExperiment(ctx, e.ID, nil), model.NotFound, "")
		_, err = st.UpdateExperiment(ctx, e.ID, func(*model.Experiment) error { t.Error("called"); return nil })
		mustBe(t, err, model.NotFound, "")
		if err := st.DeleteGoal(ctx, goals[0], nil); err != nil {
			t.Errorf("the goal is no metric any more: %v", err)
		}
	})
}

func TestExperimentLists(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site, other := mustCreateSite(t, st, "shop.example"), mustCreateSite(t, st, "other.example")
		buy, look := mustCreateGoal(t, st, site.ID, "buy", "Buy").ID, mustCreateGoal(t, st, site.ID, "look", "Look").ID
		for _, key := range []string{"a", "Ä", "c"} {
			mustCreateExperiment(t, st, site.ID, key, look, buy)
		}
		last := mustCreateExperiment(t, st, site.ID, "last")
		mustCreateExperiment(t, st, other.ID, "a")
		for _, change := range []func(e *model.Experiment) error{start, stop} {
			if _, err := st.UpdateExperiment(ctx, last.ID-1, change); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := st.UpdateExperiment(ctx, last.ID-2, start); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			search string
			status []model.ExperimentStatus
			want   string
		}{
			{"", nil, "a Ä c last"}, {"ä", nil, "Ä"}, {"test OF", nil, "a Ä c last"}, {"C means", nil, "c"}, {"nothing", nil, ""},
			{"", []model.ExperimentStatus{model.Draft}, "a last"}, {"", []model.ExperimentStatus{model.Stopped, model.Running}, "Ä c"},
			{"", []model.ExperimentStatus{}, ""}, {"", []model.ExperimentStatus{model.Archived}, ""}, {"of a", []model.ExperimentStatus{model.Draft}, "a"},
		} {
			q := store.ExperimentQuery{Site: site.ID, Search: test.search, Status: test.status}
			list, err := st.Experiments(ctx, q, store.Page{})
			if err != nil {
				t.Fatal(err)
			}
			n, err := st.CountExperiments(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, e := range list {
				keys = append(keys, e.Key)
			}
			if got := strings.Join(keys, " "); got != test.want || n != len(list) {
				t.Errorf("search %q of %v: %q, counted %d; want %q", test.search, test.status, got, n, test.want)
			}
		}
		page, err := st.Experiments(ctx, store.ExperimentQuery{Site: site.ID}, store.Page{After: store.Place{ID: last.ID - 3}, Limit: 2})
		if err != nil || len(page) != 2 || page[0].Key != "Ä" || page[1].Key != "c" || page[1].Primary != look {
			t.Errorf("a page is %+v, %v", page, err)
		}

		if all, err := st.CountExperiments(ctx, store.ExperimentQuery{}); err != nil || all != 5 {
			t.Errorf("all sites have %d experiments, %v", all, err)
		}

		byGoal, err := st.ExperimentsOfGoals(ctx, []int64{buy, look, 999})
		if err != nil {
			t.Fatal(err)
		}
		if len(byGoal) != 2 || len(byGoal[buy]) != 3 || len(byGoal[look]) != 3 || byGoal[buy][0].Key != "a" || byGoal[look][2].Key != "c" {
			t.Errorf("experiments of goals: %+v", byGoal)
		}
		if err := st.DeleteSite(ctx, site.ID, nil); err != nil {
			t.Fatal(err)
		}
		if n, err := st.CountExperiments(ctx, store.ExperimentQuery{Site: site.ID}); err != nil || n != 0 {
			t.Errorf("a site that is gone has %d experiments, %v", n, err)
		}
		if n, err := st.CountExperiments(ctx, store.ExperimentQuery{Site: other.ID}); err != nil || n != 1 {
			t.Errorf("the other site has %d experiments, %v", n, err)
		}
	})
}

func TestGoalInUseStays(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		goal := mustCreateGoal(t, st, site.ID, "buy", "Buy").ID
		var last *model.Experiment
		for i := range 7 {
			last = mustCreateExperiment(t, st, site.ID, fmt.Sprint("e", i), goal)
		}
		_, convert := st.ConvertGoalToSegment(ctx, goal, nil)
		for _, err := range []error{st.DeleteGoal(ctx, goal, nil), convert} {
			mustBe(t, err, model.FailedPrecondition, "")
			e, _ := errors.AsType[*model.Error](err)
			if want := `"Test of e0", "Test of e1", "Test of e2", "Test of e3", "Test of e4", 2 more;`; !strings.Contains(e.Message, want) {
				t.Errorf("the message %q does not name %s", e.Message, want)
			}
		}
		if _, err := st.UpdateGoal(ctx, goal, func(g *model.Goal) error { g.Archived = true; return nil }); err != nil {
			t.Errorf("a goal in use can be archived: %v", err)
		}
		if _, err := st.UpdateExperiment(ctx, last.ID, func(e *model.Experiment) error { e.Name = "x"; return nil }); err != nil {
			t.Errorf("an experiment keeps an archived goal: %v", err)
		}
	})
}

// Of changes at the same time one wins, and the others see what it left.
func TestExperimentTransitionsRace(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		goal := mustCreateGoal(t, st, site.ID, "buy", "Buy").ID
		e := mustCreateExperiment(t, st, site.ID, "headline", goal)
		for _, change := range []func(e *model.Experiment) error{start, stop, (*model.Experiment).Archive} {
			errs := make([]error, 8)
			var done sync.WaitGroup
			for i := range errs {
				done.Go(func() { _, errs[i] = st.UpdateExperiment(ctx, e.ID, change) })
			}
			done.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else {
					mustBe(t, err, model.FailedPrecondition, "")
				}
			}
			if won != 1 {
				t.Errorf("%d of %d changes won: %v", won, len(errs), errs)
			}
		}
	})
}

// A goal is deleted or becomes a metric, and never both.
func TestGoalIsDeletedOrUsed(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		for i := range 10 {
			key := fmt.Sprint("g", i)
			goal := mustCreateGoal(t, st, site.ID, key, key).ID
			var deleted, used error
			var done sync.WaitGroup
			done.Go(func() { deleted = st.DeleteGoal(ctx, goal, nil) })
			done.Go(func() {
				used = st.CreateExperiment(ctx, &model.Experiment{SiteID: site.ID, Key: key, Name: key, Primary: goal})
			})
			done.Wait()
			switch {
			case deleted == nil:
				mustBe(t, used, model.NotFound, "primaryMetric")
			case used == nil:
				mustBe(t, deleted, model.FailedPrecondition, "")
			default:
				t.Errorf("neither: %v, %v", deleted, used)
			}
		}
	})
}

// An experiment keeps what says how it is decided, and its goal the values that this takes.
func TestExperimentDecision(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		buy, refund, look := mustCreateGoal(t, st, site.ID, "buy", "Buy"), mustCreateGoal(t, st, site.ID, "refund", "Refund"), mustCreateGoal(t, st, site.ID, "look", "Look")
		setValue := func(goal *model.Goal, event string) error {
			_, err := st.UpdateGoal(ctx, goal.ID, func(goal *model.Goal) error { goal.ValueEvent = event; return nil })
			return err
		}
		if err := setValue(look, ""); err != nil {
			t.Fatal(err)
		}
		mustBe(t, st.CreateExperiment(ctx, &model.Experiment{SiteID: site.ID, Key: "k", Name: "n", Primary: look.ID, DecidesBy: model.ByValue}), model.BadInput, "decidesBy")
		lower, err := st.UpdateGoal(ctx, refund.ID, func(goal *model.Goal) error { goal.Direction = model.LowerIsBetter; return nil })
		if err != nil {
			t.Fatal(err)
		}
		read, err := st.Goal(ctx, refund.ID)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "goal", read, lower)
		e := mustCreateExperiment(t, st, site.ID, "price", buy.ID, look.ID)
		change := func(change func(e *model.Experiment)) *model.Experiment {
			t.Helper()
			want, err := st.UpdateExperiment(ctx, e.ID, func(e *model.Experiment) error { change(e); return nil })
			if err != nil {
				t.Fatal(err)
			}
			got, err := st.Experiment(ctx, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "experiment", got, want)
			return got
		}
		got := change(func(e *model.Experiment) {
			e.DecidesBy, e.Monitoring, e.DecideAt = model.ByValue, model.FixedHorizon, 1000
			e.Secondary, e.Guardrails = nil, []model.Guardrail{{Goal: refund.ID, Margin: 0.02}, {Goal: look.ID}}
		})
		mustEqual(t, "metrics", got.Metrics(), []int64{buy.ID, refund.ID, look.ID})
		mustBe(t, setValue(buy, ""), model.FailedPrecondition, "valueEvent")
		if err := setValue(buy, "paid"); err != nil {
			t.Error(err)
		}
		if _, err := st.UpdateExperiment(ctx, e.ID, start); err != nil {
			t.Fatal(err)
		}
		if got := change(func(e *model.Experiment) { e.Name = "Price" }); got.MetricChangedAt != 0 {
			t.Errorf("the metric changed at %d", got.MetricChangedAt)
		}
		if got := change(func(e *model.Experiment) { e.Guardrails = e.Guardrails[:1] }); got.MetricChangedAt == 0 {
			t.Error("the change of a guardrail is not noted")
		}
		_, err = st.UpdateExperiment(ctx, e.ID, func(e *model.Experiment) error { e.Primary = look.ID; return nil })
		mustBe(t, err, model.BadInput, "decidesBy")
	})
}

// A goal that decides also changes by a segment that its filters name, and after the stop.
func TestMetricChangesByItsSegment(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		segment := mustCreateSegment(t, st, site.ID, "Romania", true)
		outer := &model.Segment{SiteID: site.ID, Name: "Outer", Filters: inSegment(segment.ID)}
		if err := st.CreateSegment(ctx, outer); err != nil {
			t.Fatal(err)
		}
		goal, other := &model.Goal{SiteID: site.ID, Key: "k", Name: "Goal", Filters: inSegment(outer.ID)}, mustCreateGoal(t, st, site.ID, "buy", "Buy")
		if err := st.CreateGoal(ctx, goal); err != nil {
			t.Fatal(err)
		}
		var experiments []int64
		for _, steps := range [][]func(*model.Experiment) error{{start}, {start, stop}} {
			for _, e := range []model.Experiment{{Primary: goal.ID}, {Primary: other.ID, Guardrails: []model.Guardrail{{Goal: goal.ID}}}, {Primary: other.ID, Secondary: []int64{goal.ID}}} {
				e.SiteID, e.Key, e.Name, e.Variants = site.ID, fmt.Sprint("e", len(experiments)), "n", []model.Variant{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}}
				if err := st.CreateExperiment(ctx, &e); err != nil {
					t.Fatal(err)
				}
				for _, step := range steps {
					if _, err := st.UpdateExperiment(ctx, e.ID, step); err != nil {
						t.Fatal(err)
					}
				}
				experiments = append(experiments, e.ID)
			}
		}
		if _, err := st.UpdateSegment(ctx, segment.ID, func(s *model.Segment) error { s.Name = "Renamed"; return nil }); err != nil {
			t.Fatal(err)
		}
		told := func() (all []bool) {
			for _, id := range experiments {
				now, err := st.Experiment(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, now.MetricChangedAt != 0)
			}
			return all
		}
		mustEqual(t, "by a new name", told(), make([]bool, 6))
		if _, err := st.UpdateSegment(ctx, segment.ID, func(s *model.Segment) error { s.Filters = nil; return nil }); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "by other filters", told(), []bool{true, true, false, true, true, false})
	})
}
