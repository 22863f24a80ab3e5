package model_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// draft returns an experiment that can start.
func draft() *model.Experiment {
	return &model.Experiment{
		Key: "headline", Name: "Headline", Status: model.Draft, Primary: 1, Secondary: []int64{2, 3},
		Variants:    []model.Variant{{Key: "a", Name: "A", Weight: 1, Baseline: true}, {Key: "b", Name: "B", Weight: 1}},
		Audience:    []model.FilterSpec{{Type: "country", Args: json.RawMessage(`{"is":["RO"]}`)}},
		Attribution: model.SessionAttribution, Unit: model.VisitorUnit, MultipleExposures: model.FirstExposure,
	}
}

func changed(change func(e *model.Experiment)) *model.Experiment {
	e := draft()
	change(e)
	return e
}

func TestValidateExperiment(t *testing.T) {
	many := make([]model.Variant, model.MaxVariants+1)
	for i := range many {
		many[i] = model.Variant{Key: strings.Repeat("x", i+1), Weight: 1}
	}
	weighs := func(weight float64) *model.Experiment {
		return changed(func(e *model.Experiment) { e.Variants[1].Weight = weight })
	}
	guarded := func(goal int64, margin float64) *model.Experiment {
		return changed(func(e *model.Experiment) { e.Guardrails = []model.Guardrail{{Goal: goal, Margin: margin}} })
	}
	for _, test := range []struct {
		name  string
		e     *model.Experiment
		field string // at fault; empty where all is well
		says  string
	}{
		{"all", draft(), "", ""},
		{"little", &model.Experiment{Key: "k", Name: "n"}, "", ""},
		{"most variants", changed(func(e *model.Experiment) { e.Variants = many[:model.MaxVariants] }), "", ""},
		{"no key", changed(func(e *model.Experiment) { e.Key = " " }), "key", "is empty"},
		{"no name", changed(func(e *model.Experiment) { e.Name = "" }), "name", "is empty"},
		{"a description too long", changed(func(e *model.Experiment) { e.Description = strings.Repeat("é", 5001) }), "description", "5001 characters"},
		{"too many variants", changed(func(e *model.Experiment) { e.Variants = many }), "variants", "21 variants"},
		{"a variant without a key", changed(func(e *model.Experiment) { e.Variants[1].Key = "" }), "variants[1].key", "is empty"},
		{"a variant with a key too long", changed(func(e *model.Experiment) { e.Variants[0].Key = strings.Repeat("x", 201) }), "variants[0].key", "201 characters"},
		{"two variants of one key", changed(func(e *model.Experiment) { e.Variants[1].Key = " a " }), "variants[1].key", `another variant already has the key "a"`},
		{"a variant with a bad name", changed(func(e *model.Experiment) { e.Variants[1].Name = "\xff" }), "variants[1].name", "UTF-8"},
		{"no weight", weighs(0), "variants[1].weight", "is 0; it must be more than 0 and at most 1000000"},
		{"a weight below zero", weighs(-1), "variants[1].weight", "is -1"},
		{"a weight that is no number", weighs(math.NaN()), "variants[1].weight", "is NaN"},
		{"a weight without end", weighs(math.Inf(1)), "variants[1].weight", "is +Inf"},
		{"the greatest weight", weighs(1e6), "", ""},
		{"two baselines", changed(func(e *model.Experiment) { e.Variants[1].Baseline = true }), "variants", "2 variants are marked as the baseline"},
		{"too many metrics", changed(func(e *model.Experiment) {
			for i := range int64(model.MaxMetrics) {
				e.Secondary = append(e.Secondary, 10+i)
			}
		}), "secondaryMetrics", "52 goals"},
		{"guardrails", changed(func(e *model.Experiment) { e.Guardrails = []model.Guardrail{{Goal: 4}, {Goal: 5, Margin: 0.999}} }), "", ""},
		{"too many guardrails", changed(func(e *model.Experiment) {
			for i := range int64(model.MaxMetrics - 1) {
				e.Guardrails = append(e.Guardrails, model.Guardrail{Goal: 10 + i})
			}
		}), "secondaryMetrics", "51 goals"},
		{"a guardrail that decides", guarded(1, 0.1), "guardrails[0].goal", "is the primary metric"},
		{"two guardrails of one goal", changed(func(e *model.Experiment) { e.Guardrails = []model.Guardrail{{Goal: 4}, {Goal: 4}} }), "guardrails[1].goal", "earlier guardrail"},
		{"a margin below zero", guarded(4, -0.1), "guardrails[0].margin", "is -0.1; it must be at least 0 and below 1, such as 0.02 for 2 %"},
		{"a margin of all", guarded(4, 1), "guardrails[0].margin", "is 1"},
		{"a margin that is no number", guarded(4, math.NaN()), "guardrails[0].margin", "is NaN"},
		{"by value", changed(func(e *model.Experiment) { e.DecidesBy = model.ByValue }), "", ""},
		{"by something else", changed(func(e *model.Experiment) { e.DecidesBy = "LUCK" }), "decidesBy", `is "LUCK"; use RATE or VALUE`},
		{"a horizon", changed(func(e *model.Experiment) { e.Monitoring, e.DecideAt = model.FixedHorizon, 1 }), "", ""},
		{"a horizon without a time", changed(func(e *model.Experiment) { e.Monitoring = model.FixedHorizon }), "decideAt", "is missing"},
		{"a time without a horizon", changed(func(e *model.Experiment) { e.DecideAt = 1 }), "decideAt", "leave it out, or use FIXED_HORIZON"},
		{"a horizon before 1970", changed(func(e *model.Experiment) { e.Monitoring, e.DecideAt = model.FixedHorizon, -1 }), "decideAt", "after the experiment starts"},
		{"an unknown monitoring", changed(func(e *model.Experiment) { e.Monitoring = "DAILY" }), "monitoring", `is "DAILY"; use CONTINUOUS or FIXED_HORIZON`},
		{"too many filters", changed(func(e *model.Experiment) { e.Audience = make([]model.FilterSpec, 101) }), "audience", "101 filters"},
		{"an unknown attribution", changed(func(e *model.Experiment) { e.Attribution = "LAST" }), "attribution", `is "LAST"; use SESSION or EXPERIMENT`},
		{"a prior", changed(func(e *model.Experiment) { e.PriorLift = 0.1 }), "", ""},
		{"a prior of nothing", changed(func(e *model.Experiment) { e.PriorLift = -0.1 }), "priorLift", "is -0.1; it must be 0.001 to 10"},
		{"a prior that is no number", changed(func(e *model.Experiment) { e.PriorLift = math.NaN() }), "priorLift", "is NaN"},
		{"directions", changed(func(e *model.Experiment) {
			e.Directions = []model.MetricDirection{{Goal: 1, Direction: model.LowerIsBetter}, {Goal: 3, Direction: model.HigherIsBetter}}
		}), "", ""},
		{"a direction of no metric", changed(func(e *model.Experiment) {
			e.Directions = []model.MetricDirection{{Goal: 9, Direction: model.LowerIsBetter}}
		}), "directions[0].goal", "is no metric"},
		{"two directions", changed(func(e *model.Experiment) {
			e.Directions = slices.Repeat([]model.MetricDirection{{Goal: 1, Direction: model.LowerIsBetter}}, 2)
		}), "directions[1].goal", "already"},
		{"an unknown direction", changed(func(e *model.Experiment) { e.Directions = []model.MetricDirection{{Goal: 1, Direction: "UP"}} }), "directions[0].direction", `is "UP"`},
		{"notes too long", changed(func(e *model.Experiment) { e.Notes = strings.Repeat("é", 5001) }), "notes", "5001 characters"},
		{"a conclusion too long", changed(func(e *model.Experiment) { e.Conclusion = strings.Repeat("é", 5001) }), "conclusion", "5001 characters"},
		{"a window", changed(func(e *model.Experiment) { e.Window = model.MaxWindow }), "", ""},
		{"a window too long", changed(func(e *model.Experiment) { e.Window = model.MaxWindow + 1 }), "window", "at most 365 days"},
		{"a window before the assignment", changed(func(e *model.Experiment) { e.Window = -1 }), "window", "longer than 0"},
		{"without multiple exposures", changed(func(e *model.Experiment) { e.MultipleExposures = model.ExcludeExposures }), "", ""},
		{"by user", changed(func(e *model.Experiment) { e.Unit = model.UserUnit }), "", ""},
		{"unknown unit", changed(func(e *model.Experiment) { e.Unit = "PERSON" }), "unit", `is "PERSON"; use VISITOR or USER`},
		{"unknown multiple exposures", changed(func(e *model.Experiment) { e.MultipleExposures = "LAST" }), "multipleExposures", `is "LAST"; use FIRST or EXCLUDE`},
	} {
		t.Run(test.name, func(t *testing.T) {
			mustRefuse(t, test.e.Validate(), model.BadInput, test.field, test.says)
		})
	}
}

// mustRefuse checks an error; none is wanted where says is empty.
func mustRefuse(t *testing.T, err error, code model.Code, field, says string) {
	t.Helper()
	if says == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	e, ok := err.(*model.Error)
	if !ok || e.Code != code || e.Field != field || !strings.Contains(e.Message, says) {
		t.Errorf("error %v (%#v), want %s %s: …%s…", err, err, code, field, says)
	}
}

func TestValidateBringsExperimentsIntoCanonicalForm(t *testing.T) {
	e := &model.Experiment{
		Key: " k ", Name: " n ", Primary: 2, Secondary: []int64{3, 2, 1, 4, 3}, Guardrails: []model.Guardrail{{Goal: 4, Margin: 0.1}},
		Variants: []model.Variant{{Key: " a ", Weight: 1}, {Key: "b", Name: " B ", Weight: 2}},
	}
	given := slices.Clone(e.Variants)
	shared := e.Variants
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "experiment", e, &model.Experiment{
		Key: "k", Name: "n", Primary: 2, Secondary: []int64{3, 1}, Guardrails: []model.Guardrail{{Goal: 4, Margin: 0.1}},
		Assignment: model.ExternalAssignment, Seed: "k", Attribution: model.ExperimentAttribution, Unit: model.VisitorUnit, MultipleExposures: model.FirstExposure,
		DecidesBy: model.ByRate, Monitoring: model.Continuous,
		Variants: []model.Variant{{Key: "a", Name: "a", Weight: 1, Baseline: true}, {Key: "b", Name: "B", Weight: 2}},
	})
	mustEqual(t, "what was given", shared, given)
	mustEqual(t, "metrics", e.Metrics(), []int64{2, 3, 1, 4})
	mustEqual(t, "metrics without a primary one", (&model.Experiment{Secondary: []int64{3}}).Metrics(), []int64{3})
}

func TestSetBaseline(t *testing.T) {
	e := draft()
	if err := e.SetBaseline("b"); err != nil || e.Variants[0].Baseline || !e.Variants[1].Baseline {
		t.Errorf("%+v, %v", e.Variants, err)
	}
	mustRefuse(t, e.SetBaseline("c"), model.BadInput, "baseline", `is "c", which is not a variant of the experiment; use one of "a", "b"`)
	mustRefuse(t, (&model.Experiment{}).SetBaseline("c"), model.BadInput, "baseline", "no variants")
}

// The moments of the life cycle's tests, in milliseconds.
const (
	started = model.Millis(1_000)
	stopped = model.Millis(2_000)
	now     = model.Millis(3_000)
)

func inStatus(t *testing.T, status model.ExperimentStatus) *model.Experiment {
	t.Helper()
	e := draft()
	var errs []error
	switch status {
	case model.Running:
		errs = append(errs, e.Start(started, 0, now))
	case model.Stopped:
		errs = append(errs, e.Start(started, 0, now), e.Stop("b", stopped, now))
	case model.Archived:
		errs = append(errs, e.Start(started, 0, now), e.Stop("b", stopped, now), e.Archive())
	}
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func TestExperimentLifeCycle(t *testing.T) {
	start := func(at model.Millis) func(*model.Experiment) error {
		return func(e *model.Experiment) error { return e.Start(at, 0, now) }
	}
	stop := func(winner string, at model.Millis) func(*model.Experiment) error {
		return func(e *model.Experiment) error { return e.Stop(winner, at, now) }
	}
	without := func(change func(e *model.Experiment)) func(*model.Experiment) error {
		return func(e *model.Experiment) error {
			change(e)
			return e.Start(now, 0, now)
		}
	}
	const refused = model.FailedPrecondition
	for _, test := range []struct {
		name  string
		from  model.ExperimentStatus
		do    func(*model.Experiment) error
		to    model.ExperimentStatus // where it is done
		code  model.Code
		field string
		says  string // where it is refused
	}{
		{"start", model.Draft, start(started), model.Running, "", "", ""},
		{"start now", model.Draft, start(now), model.Running, "", "", ""},
		{"start in the future", model.Draft, start(now + 1), "", model.BadInput, "at", "is 1970-01-01T00:00:03.001Z, which is in the future"},
		{"start before time began", model.Draft, start(0), "", model.BadInput, "at", "after 1970"},
		{"start without a primary metric", model.Draft, without(func(e *model.Experiment) { e.Primary = 0 }), "", refused, "", "it needs a primary metric"},
		{"start with one variant", model.Draft, without(func(e *model.Experiment) { e.Variants = e.Variants[:1] }), "", refused, "", "it needs at least 2 variants (it has 1)"},
		{"start with nothing", model.Draft, without(func(e *model.Experiment) { e.Primary, e.Variants = 0, nil }), "", refused, "",
			"it needs a primary metric and at least 2 variants (it has 0)"},
		{"start before the look", model.Draft, without(func(e *model.Experiment) { e.Monitoring, e.DecideAt = model.FixedHorizon, now+1 }), model.Running, "", "", ""},
		{"start at the look", model.Draft, without(func(e *model.Experiment) { e.Monitoring, e.DecideAt = model.FixedHorizon, now }), "", refused, "decideAt",
			"is to be decided at 1970-01-01T00:00:03Z, which is not after its start"},
		{"start again", model.Running, start(now), "", refused, "", "has been running since 1970-01-01T00:00:01Z"},
		{"start after the stop", model.Stopped, start(now), model.Running, "", "", ""},
		{"start at the stop", model.Stopped, start(stopped), model.Running, "", "", ""},
		{"start before the stop", model.Stopped, start(stopped - 1), "", model.BadInput, "at", "before the run before stopped (1970-01-01T00:00:02Z)"},
		{"start once too often", model.Stopped, func(e *model.Experiment) error {
			e.EarlierRuns = make([]model.Run, model.MaxRuns-1)
			return e.Start(now, 0, now)
		}, "", refused, "", "has been run 20 times"},
		{"start with a look of its own", model.Stopped, func(e *model.Experiment) error {
			e.Monitoring, e.DecideAt = model.FixedHorizon, stopped
			return e.Start(now, now+1, now)
		}, model.Running, "", "", ""},
		{"start with a look where none is planned", model.Draft, func(e *model.Experiment) error { return e.Start(now, now+1, now) }, "", model.BadInput, "decideAt", "CONTINUOUS"},
		{"start from the archive", model.Archived, start(now), "", refused, "", "is archived"},
		{"stop", model.Running, stop("", stopped), model.Stopped, "", "", ""},
		{"stop with a winner", model.Running, stop("b", stopped), model.Stopped, "", "", ""},
		{"stop at the start", model.Running, stop("", started), model.Stopped, "", "", ""},
		{"stop before the start", model.Running, stop("", started-1), "", model.BadInput, "at", "before the experiment started (1970-01-01T00:00:01Z)"},
		{"stop in the future", model.Running, stop("", now+1), "", model.BadInput, "at", "is in the future"},
		{"stop with an unknown winner", model.Running, stop("c", stopped), "", model.BadInput, "winner", `is "c", which is not a variant`},
		{"stop a draft", model.Draft, stop("", stopped), "", refused, "", "has not started"},
		{"stop again", model.Stopped, stop("", stopped), "", refused, "", "already stopped at 1970-01-01T00:00:02Z"},
		{"stop in the archive", model.Archived, stop("", stopped), "", refused, "", "is archived"},
		{"archive a draft", model.Draft, (*model.Experiment).Archive, model.Archived, "", "", ""},
		{"archive", model.Stopped, (*model.Experiment).Archive, model.Archived, "", "", ""},
		{"archive while it runs", model.Running, (*model.Experiment).Archive, "", refused, "", "stop it before you archive it"},
		{"archive again", model.Archived, (*model.Experiment).Archive, "", refused, "", "is already archived"},
		{"delete a draft", model.Draft, (*model.Experiment).CheckDelete, model.Draft, "", "", ""},
		{"delete", model.Stopped, (*model.Experiment).CheckDelete, model.Stopped, "", "", ""},
		{"delete from the archive", model.Archived, (*model.Experiment).CheckDelete, model.Archived, "", "", ""},
		{"delete while it runs", model.Running, (*model.Experiment).CheckDelete, "", refused, "", "stop it before you delete it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := inStatus(t, test.from)
			mustRefuse(t, test.do(e), test.code, test.field, test.says)
			if test.says == "" && e.Status != test.to {
				t.Errorf("it is %s, want %s", e.Status, test.to)
			}
			if test.says != "" && e.Status != test.from {
				t.Errorf("it was %s, is refused, and now %s", test.from, e.Status)
			}
		})
	}
}

func TestExperimentRun(t *testing.T) {
	unstarted := draft()
	if err := unstarted.Archive(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		e    *model.Experiment
		run  model.Range
		ran  bool
	}{
		{"draft", draft(), model.Range{}, false},
		{"running", inStatus(t, model.Running), model.Range{From: started, To: model.Open}, true},
		{"stopped", inStatus(t, model.Stopped), model.Range{From: started, To: stopped}, true},
		{"archived", inStatus(t, model.Archived), model.Range{From: started, To: stopped}, true},
		{"archived as a draft", unstarted, model.Range{}, false},
	} {
		if run, ran := test.e.Run(); run != test.run || ran != test.ran {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, run, ran, test.run, test.ran)
		}
	}
	if e := inStatus(t, model.Archived); e.Winner != "b" {
		t.Errorf("the winner is %q", e.Winner)
	}
}

func TestExperimentKeepsWhatIsFixed(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(e *model.Experiment)
		field  string // fixed once it has started; empty where it stays editable
	}{
		{"nothing", func(*model.Experiment) {}, ""},
		{"name", func(e *model.Experiment) { e.Name = "Other" }, ""},
		{"description", func(e *model.Experiment) { e.Description = "Other" }, ""},
		{"primary metric", func(e *model.Experiment) { e.Primary = 9 }, ""},
		{"secondary metrics", func(e *model.Experiment) { e.Secondary = nil }, ""},
		{"no primary metric", func(e *model.Experiment) { e.Primary = 0 }, "primaryMetric"},
		{"fewer variants", func(e *model.Experiment) { e.Variants = e.Variants[:1] }, "variants"},
		{"a variant's key", func(e *model.Experiment) { e.Variants[1].Key = "c" }, "variants"},
		{"the variants' order", func(e *model.Experiment) { slices.Reverse(e.Variants) }, "variants"},
		{"baseline", func(e *model.Experiment) { e.Variants[0].Baseline, e.Variants[1].Baseline = false, true }, "baseline"},
		{"audience", func(e *model.Experiment) { e.Audience = nil }, "audience"},
		{"audience's arguments", func(e *model.Experiment) { e.Audience[0].Args = json.RawMessage(`{"is":["US"]}`) }, "audience"},
		{"attribution", func(e *model.Experiment) { e.Attribution = model.ExperimentAttribution }, "attribution"},
		{"prior", func(e *model.Experiment) { e.PriorLift = 0.1 }, "priorLift"},
		{"window", func(e *model.Experiment) { e.Window = time.Hour }, "window"},
		{"unit", func(e *model.Experiment) { e.Unit = model.UserUnit }, "unit"},
		{"multiple exposures", func(e *model.Experiment) { e.MultipleExposures = model.ExcludeExposures }, "multipleExposures"},
		{"guardrails", func(e *model.Experiment) { e.Guardrails = []model.Guardrail{{Goal: 9}} }, ""},
		{"what decides", func(e *model.Experiment) { e.DecidesBy = model.ByValue }, "decidesBy"},
		{"monitoring", func(e *model.Experiment) { e.Monitoring = model.FixedHorizon }, "monitoring"},
		{"the time of the look", func(e *model.Experiment) { e.DecideAt = 9 }, "decideAt"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, status := range []model.ExperimentStatus{model.Draft, model.Running, model.Stopped, model.Archived} {
				before, after := inStatus(t, status), inStatus(t, status)
				test.change(after)
				err := after.CheckChange(before)
				switch {
				case status == model.Archived:
					mustRefuse(t, err, model.FailedPrecondition, "", "is archived")
				case status == model.Draft || test.field == "":
					mustRefuse(t, err, "", "", "")
				default:
					mustRefuse(t, err, model.FailedPrecondition, test.field, "started")
				}
			}
		})
	}
}

// What changes after the start of that by which the experiment is decided is noted.
func TestExperimentNotesChangesOfMetrics(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(e *model.Experiment)
		noted  bool // once it has started
	}{
		{"nothing", func(*model.Experiment) {}, false},
		{"secondary metrics", func(e *model.Experiment) { e.Secondary = nil }, false},
		{"primary metric", func(e *model.Experiment) { e.Primary = 9 }, true},
		{"a guardrail more", func(e *model.Experiment) { e.Guardrails = []model.Guardrail{{Goal: 9}} }, true},
		{"its direction", func(e *model.Experiment) {
			e.Directions = []model.MetricDirection{{Goal: 1, Direction: model.LowerIsBetter}}
		}, true},
		{"another's direction", func(e *model.Experiment) {
			e.Directions = []model.MetricDirection{{Goal: 2, Direction: model.LowerIsBetter}}
		}, false},
	} {
		for _, status := range []model.ExperimentStatus{model.Draft, model.Running, model.Stopped} {
			before, after := inStatus(t, status), inStatus(t, status)
			test.change(after)
			mustRefuse(t, after.NoteChange(before, now), "", "", "")
			want := model.Millis(0)
			if test.noted && status != model.Draft {
				want = now
			}
			if after.MetricChangedAt != want {
				t.Errorf("%s of a %s experiment: changed at %d, want %d", test.name, status, after.MetricChangedAt, want)
			}
		}
	}
}

// Weights change while the experiment runs, each time in a new phase.
func TestExperimentPhases(t *testing.T) {
	weigh := func(e *model.Experiment, weight float64) *model.Experiment {
		e.Variants = slices.Clone(e.Variants)
		e.Variants[1].Weight = weight
		return e
	}
	for status, says := range map[model.ExperimentStatus]string{model.Draft: "", model.Running: "", model.Stopped: "only while the experiment runs", model.Archived: "is archived"} {
		field := ""
		if status == model.Stopped {
			field = "variants"
		}
		mustRefuse(t, weigh(inStatus(t, status), 9).CheckChange(inStatus(t, status)), model.FailedPrecondition, field, says)
	}

	mustEqual(t, "those of a draft", draft().Splits(), []model.Phase{{Weights: []float64{1, 1}}})
	e := inStatus(t, model.Running)
	first := model.Phase{From: started, Weights: []float64{1, 1}}
	mustEqual(t, "the first one", e.Phases, []model.Phase{first})
	before := *e
	mustRefuse(t, e.NoteChange(&before, now), "", "", "")
	mustEqual(t, "no change", e.Phases, []model.Phase{first})
	mustRefuse(t, weigh(e, 3).NoteChange(&before, now-1), "", "", "")
	second := model.Phase{From: now - 1, Weights: []float64{1, 3}}
	mustEqual(t, "a change", e.Phases, []model.Phase{first, second})
	mustEqual(t, "what was there before", before.Phases, []model.Phase{first})
	before = *e
	mustRefuse(t, weigh(e, 4).NoteChange(&before, now-2), "", "", "") // by a clock that is behind
	mustEqual(t, "a change at once", e.Phases, []model.Phase{first, {From: now - 1, Weights: []float64{1, 4}}})

	mustRefuse(t, e.BeginPhase(now, now), model.BadInput, "phaseAt", "stay as they are")
	weigh(e, 5)
	mustRefuse(t, e.BeginPhase(now-2, now), model.BadInput, "phaseAt", "before the weights last changed (1970-01-01T00:00:02.999Z)")
	mustRefuse(t, e.BeginPhase(now+1, now), model.BadInput, "phaseAt", "in the future")
	mustRefuse(t, e.BeginPhase(now, now), "", "", "")
	mustRefuse(t, weigh(e, 6).BeginPhase(now, now+1), model.BadInput, "phaseAt", "visitors were split by those")
	mustRefuse(t, weigh(inStatus(t, model.Running), 2).BeginPhase(started, now), model.BadInput, "phaseAt", "visitors were split by those")
	mustEqual(t, "the last one", weigh(e, 5).Phases[2], model.Phase{From: now, Weights: []float64{1, 5}})
	before = *e
	mustRefuse(t, e.NoteChange(&before, now+5), "", "", "") // it has begun
	mustEqual(t, "phases", len(e.Phases), 3)
	mustRefuse(t, weigh(inStatus(t, model.Stopped), 2).BeginPhase(now, now), model.FailedPrecondition, "phaseAt", "not running")
	for i := range model.MaxPhases - 3 {
		mustRefuse(t, weigh(e, float64(10+i)).BeginPhase(now+model.Millis(i+1), now+100), "", "", "")
	}
	mustRefuse(t, weigh(e, 1).BeginPhase(now+100, now+100), model.FailedPrecondition, "", "49 times")
}

// A stopped experiment is run again, and what it was before can still be told.
func TestExperimentRunsAgain(t *testing.T) {
	e := inStatus(t, model.Stopped)
	e.MetricChangedAt = stopped
	first := *e
	mustRefuse(t, e.Start(now, 0, now), "", "", "")
	mustEqual(t, "runs", len(e.EarlierRuns), 1)
	if e.Winner != "" || e.StoppedAt != 0 || e.StartedAt != now || e.MetricChangedAt != 0 {
		t.Errorf("the new run: %+v", e)
	}
	then, err := e.AsInRun(1)
	if err != nil {
		t.Fatal(err)
	}
	then.EarlierRuns = nil
	mustEqual(t, "the first run", then, &first)
	if last, err := e.AsInRun(2); err != nil || last != e {
		t.Errorf("the last run: %+v %v", last, err)
	}
	for _, n := range []int{0, 3} {
		_, err := e.AsInRun(n)
		mustRefuse(t, err, model.BadInput, "run", "the experiment has runs 1 to 2")
	}
}
