package store_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// mustCreateAssigned makes an experiment that Goalgraph assigns, and starts it.
func mustCreateAssigned(t *testing.T, st *store.Store, site int64, key string, change func(*model.Experiment)) *model.Experiment {
	t.Helper()
	goal := &model.Goal{SiteID: site, Key: "goal of " + key, Name: "G"}
	if err := st.CreateGoal(t.Context(), goal); err != nil {
		t.Fatal(err)
	}
	e := &model.Experiment{
		SiteID: site, Key: key, Name: key, Primary: goal.ID, Assignment: model.GoalgraphAssignment, TrafficShare: 1,
		Variants: []model.Variant{{Key: "a", Weight: 1}, {Key: "b", Weight: 1, Value: `{"n":1}`}},
	}
	change(e)
	if err := st.CreateExperiment(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func startRun(t *testing.T, st *store.Store, id int64) (*model.Experiment, error) {
	return st.UpdateExperiment(t.Context(), id, func(e *model.Experiment) error { return e.Start(1000, 0, 2000) })
}

func TestAssignmentIsStored(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "a.example")
		e := mustCreateAssigned(t, st, site.ID, "x", func(e *model.Experiment) {
			e.Seed, e.TrafficShare, e.Layer, e.Rollout, e.OnlyEvaluated = "s", 0.25, &model.Layer{Key: "l", From: 0.1, To: 0.7}, true, true
			e.Forced = []model.ForcedVariant{{Visitor: "ada", Variant: "b"}}
		})
		got, err := st.Experiment(t.Context(), e.ID)
		if err != nil || !reflect.DeepEqual(got.Layer, e.Layer) || !reflect.DeepEqual(got.Forced, e.Forced) || !reflect.DeepEqual(got.Variants, e.Variants) ||
			got.Seed != "s" || got.TrafficShare != 0.25 || !got.Rollout || !got.OnlyEvaluated || got.Assignment != model.GoalgraphAssignment {
			t.Errorf("%+v: %v", got, err)
		}
		if _, err := st.UpdateSite(t.Context(), site.ID, func(s *model.Site) error {
			s.Holdout = &model.Holdout{Share: 0.1}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if s, err := st.Site(t.Context(), site.ID); err != nil || s.Holdout == nil || *s.Holdout != (model.Holdout{Share: 0.1, Seed: "holdout"}) {
			t.Errorf("%+v: %v", s, err)
		}
		// Those that run share no visitors of a layer.
		other := mustCreateAssigned(t, st, site.ID, "y", func(e *model.Experiment) { e.Layer = &model.Layer{Key: "l", From: 0.6, To: 1} })
		apart := mustCreateAssigned(t, st, site.ID, "z", func(e *model.Experiment) { e.Layer = &model.Layer{Key: "l", From: 0.7, To: 1} })
		for _, id := range []int64{e.ID, apart.ID} {
			if _, err := startRun(t, st, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := startRun(t, st, other.ID); model.CodeOf(err) != model.FailedPrecondition || !strings.Contains(err.Error(), `layer "l", 0.6 to 1, overlaps that of "x"`) {
			t.Errorf("an overlap: %v", err)
		}
		for _, id := range []int64{e.ID, apart.ID} {
			if _, err := st.UpdateExperiment(t.Context(), id, func(e *model.Experiment) error { return e.Stop("", 2000, 2000) }); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := startRun(t, st, other.ID); err != nil {
			t.Errorf("after the others: %v", err)
		}
		query := store.ExperimentQuery{Site: site.ID, Assignment: model.ExternalAssignment}
		if n, err := st.CountExperiments(t.Context(), query); err != nil || n != 0 {
			t.Errorf("%d are assigned by others: %v", n, err)
		}
	})
}

// event is a message of a visitor, with an id of its own.
func event(name, device, user string, at model.Millis) model.Message {
	return model.Message{AnonymousID: device, UserID: user, Hit: model.Hit{ID: model.MessageIDOf("test", name, device, user), At: at, Kind: model.Event, Name: name}}
}

// exposure tells that a visitor has seen a variant.
func exposure(e *model.Experiment, id model.MessageID, device, user string, at model.Millis) model.Message {
	m := event("Experiment Viewed", device, user, at)
	m.Hit.ID, m.Hit.Experiment, m.Hit.Variant = id, e.Key, "b"
	return m
}

func TestKeptAssignments(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "a.example").ID
		e := mustCreateAssigned(t, st, site, "x", func(*model.Experiment) {})
		write := func(messages ...model.Message) {
			t.Helper()
			if _, err := st.Write(ctx, site, messages); err != nil {
				t.Fatal(err)
			}
		}
		keep := func(list ...store.KeptAssignment) {
			t.Helper()
			if err := st.KeepAssignments(ctx, site, list); err != nil {
				t.Fatal(err)
			}
		}
		assignee := func(name string, at model.Millis) store.Assignee {
			t.Helper()
			found, err := st.Assignee(ctx, site, name, at)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		const run = 1000
		ada, ben := store.KeptAssignment{Visitor: "ada", Experiment: e.ID, Run: run, Variant: "a"}, store.KeptAssignment{Visitor: "ben", Experiment: e.ID, Run: run, Variant: "b"}
		if got := assignee("ada", run); !reflect.DeepEqual(got, store.Assignee{Visitor: "ada"}) {
			t.Errorf("nobody is %+v", got)
		}
		again := ada
		again.Variant = "b"
		keep(ada, ben, store.KeptAssignment{Visitor: "ada", Experiment: e.ID + 1000, Run: run, Variant: "gone"})
		keep(again, store.KeptAssignment{Visitor: "ada", Experiment: e.ID, Run: run + 1, Variant: "b"}) // what is kept stays
		if got := assignee("ada", run); len(got.Kept) != 2 || got.Kept[0] != ada && got.Kept[1] != ada {
			t.Errorf("ada has %+v", got)
		}
		// A user is the device that he is on, and has what he had before.
		write(event("login", "phone", "ben", 5000), event("login", "laptop", "ben", 9000))
		keep(store.KeptAssignment{Visitor: "phone", Experiment: e.ID, Run: 7, Variant: "a"})
		for at, device := range map[model.Millis]string{100: "phone", 5000: "phone", 8999: "phone", 9000: "laptop"} {
			got := assignee("ben", at)
			if got.Visitor != device || len(got.Kept) != map[string]int{"phone": 2, "laptop": 1}[device] {
				t.Errorf("at %d, ben is %+v", at, got)
			}
		}
		if last, err := st.LastSession(ctx, site, "laptop"); err != nil || last == nil || !last.First || last.Start != 9000 {
			t.Errorf("the last session is %+v: %v", last, err)
		}
		if last, err := st.LastSession(ctx, site, "nobody"); err != nil || last != nil {
			t.Errorf("the last session is %+v: %v", last, err)
		}
		// Who sends nothing but assignments is joined by no event. ben has logged in.
		keep(store.KeptAssignment{Visitor: "cyd", Experiment: e.ID, Run: run, Variant: "a"}, store.KeptAssignment{Visitor: "dan", Experiment: e.ID, Run: run, Variant: "a"})
		write(exposure(e, model.ExposureID(site, e.ID, run, "cyd"), "", "cyd", 2000), event("buy", "dan", "", 2000))
		if n, err := st.CountUnjoined(ctx, site, e.ID, run); err != nil || n != 2 {
			t.Errorf("%d are joined by no event, want ada and cyd: %v", n, err)
		}
		write(event("buy", "cyd", "", 3000))
		if n, err := st.CountUnjoined(ctx, site, e.ID, run); err != nil || n != 1 {
			t.Errorf("%d are joined by no event, want ada: %v", n, err)
		}
		if err := st.DeleteExperiment(ctx, e.ID, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := st.PruneAssignments(ctx, site, 1000); err != nil {
			t.Fatal(err)
		}
		if got := assignee("ada", run); len(got.Kept) != 0 {
			t.Errorf("of an experiment that is gone, ada has %+v", got)
		}
	})
}

// An experiment that takes only what Goalgraph gave leaves out what others tell, but for the event.
func TestOnlyEvaluated(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "a.example").ID
		open := mustCreateAssigned(t, st, site, "open", func(*model.Experiment) {})
		strict := mustCreateAssigned(t, st, site, "strict", func(e *model.Experiment) { e.OnlyEvaluated = true })
		if _, err := startRun(t, st, strict.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Write(t.Context(), site, []model.Message{
			event("login", "phone", "ada", 1000),
			exposure(open, model.MessageIDOf("anything"), "phone", "", 2000),
			exposure(strict, model.MessageIDOf("something"), "phone", "", 2000),
			exposure(strict, model.ExposureID(site, strict.ID, 1000, "bob"), "", "bob", 2000),
			exposure(strict, model.ExposureID(site, strict.ID, 1000, "phone"), "", "ada", 2000), // who is on the phone
			exposure(strict, model.ExposureID(site, strict.ID, 1000, "cyd"), "dan", "", 2000),
		}); err != nil {
			t.Fatal(err)
		}
		partitions, err := st.Partitions(t.Context(), site, model.Range{From: -model.Open, To: model.Open})
		if err != nil || len(partitions) != 1 {
			t.Fatal(partitions, err)
		}
		for key, want := range map[string]int{"open": 1, "strict": 2} {
			if rows, err := st.Assignments(t.Context(), site, key, partitions[0].ID); err != nil || len(rows) != want {
				t.Errorf("%s has %+v: %v", key, rows, err)
			}
		}
		events, err := st.Events(t.Context(), store.EventQuery{Site: site, Search: "Viewed"}, store.EventPage{Limit: 1})
		if err != nil || len(events) != 1 || events[0].Count != 5 {
			t.Errorf("the events are %+v: %v", events, err)
		}
	})
}
