package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
)

type experimentResolver struct{ *Resolver }

func (r *experimentResolver) ID(_ context.Context, e *model.Experiment) (string, error) {
	return encodeID(experimentNoun, e.ID), nil
}

func (r *experimentResolver) Site(ctx context.Context, e *model.Experiment) (*model.Site, error) {
	return r.siteOf(ctx, e.SiteID)
}

func (r *experimentResolver) PrimaryMetric(ctx context.Context, e *model.Experiment) (*model.Goal, error) {
	if e.Primary == 0 {
		return nil, nil
	}
	goal, err := collectionOf(ctx).goals.load(ctx, e.Primary)
	return &goal, err
}

func (r *experimentResolver) SecondaryMetrics(ctx context.Context, e *model.Experiment) ([]model.Goal, error) {
	return r.goalsOf(ctx, e.Secondary)
}

// goalsOf returns the goals that an experiment refers to, which exist while it does.
func (r *Resolver) goalsOf(ctx context.Context, ids []int64) ([]model.Goal, error) {
	return collectionOf(ctx).goals.loadAll(ctx, ids)
}

func (r *experimentResolver) Variants(_ context.Context, e *model.Experiment) ([]view.Variant, error) {
	return view.VariantsOf(e), nil
}

func (r *experimentResolver) Winner(_ context.Context, e *model.Experiment) (*view.Variant, error) {
	return winnerOf(e), nil
}

// winnerOf returns the chosen variant, nil without one.
func winnerOf(e *model.Experiment) *view.Variant {
	for _, v := range view.VariantsOf(e) {
		if v.Key == e.Winner {
			return &v
		}
	}
	return nil
}

func (r *experimentResolver) Window(_ context.Context, e *model.Experiment) (*time.Duration, error) {
	if e.Window == 0 {
		return nil, nil
	}
	return &e.Window, nil
}

func (r *experimentResolver) PriorLift(_ context.Context, e *model.Experiment) (*float64, error) {
	if e.PriorLift == 0 {
		return nil, nil
	}
	return &e.PriorLift, nil
}

func (r *experimentResolver) Phases(_ context.Context, e *model.Experiment) ([]view.Phase, error) {
	return view.PhasesOf(e), nil
}

func (r *experimentResolver) Runs(_ context.Context, e *model.Experiment) ([]view.Run, error) {
	var runs []view.Run
	for n := 1; e.StartedAt != 0 && n <= len(e.EarlierRuns)+1; n++ {
		then, err := e.AsInRun(n)
		if err != nil {
			return nil, err
		}
		runs = append(runs, runOf(then, n))
	}
	return runs, nil
}

// runOf returns the run of a number, in which the experiment was as it is here.
func runOf(then *model.Experiment, n int) view.Run {
	return view.Run{
		Number: n, StartedAt: then.StartedAt.Time(), StoppedAt: instant(then.StoppedAt), DecideAt: instant(then.DecideAt),
		MetricChangedAt: instant(then.MetricChangedAt), Winner: winnerOf(then), Conclusion: then.Conclusion, Phases: view.PhasesOf(then),
	}
}

func (r *experimentResolver) StartedAt(_ context.Context, e *model.Experiment) (*time.Time, error) {
	return instant(e.StartedAt), nil
}

func (r *experimentResolver) StoppedAt(_ context.Context, e *model.Experiment) (*time.Time, error) {
	return instant(e.StoppedAt), nil
}

func (r *experimentResolver) DecideAt(_ context.Context, e *model.Experiment) (*time.Time, error) {
	return instant(e.DecideAt), nil
}

func (r *experimentResolver) MetricChangedAt(_ context.Context, e *model.Experiment) (*time.Time, error) {
	return instant(e.MetricChangedAt), nil
}

type guardrailResolver struct{ *Resolver }

func (r *guardrailResolver) Goal(ctx context.Context, guardrail *model.Guardrail) (*model.Goal, error) {
	goal, err := collectionOf(ctx).goals.load(ctx, guardrail.Goal)
	return &goal, err
}

type metricDirectionResolver struct{ *Resolver }

func (r *metricDirectionResolver) Goal(ctx context.Context, given *model.MetricDirection) (*model.Goal, error) {
	goal, err := collectionOf(ctx).goals.load(ctx, given.Goal)
	return &goal, err
}

// instant returns nil for 0, which stands for none.
func instant(m model.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}

// optional returns nil for the empty text, which stands for none.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func (r *mutationResolver) CreateExperiment(ctx context.Context, input generated.CreateExperimentInput) (*view.ChangedExperiment, error) {
	site, err := decodeID(siteNoun, input.SiteID, "input.siteId")
	if err != nil {
		return nil, err
	}
	given, err := r.experimentGiven(ctx, input.Variants, input.Baseline, input.PrimaryMetric, input.SecondaryMetrics, input.Guardrails, input.Directions, input.Audience)
	if err != nil {
		return nil, underInput(err)
	}
	e := &model.Experiment{SiteID: site, Key: input.Key, Name: input.Name, TrafficShare: 1}
	set(&e.Description, input.Description)
	set(&e.Notes, input.Notes)
	set(&e.Attribution, input.Attribution)
	set(&e.DecidesBy, input.DecidesBy)
	set(&e.Monitoring, input.Monitoring)
	setInstant(&e.DecideAt, input.DecideAt)
	set(&e.Assignment, input.Assignment)
	set(&e.TrafficShare, input.TrafficShare)
	set(&e.Rollout, input.Rollout)
	set(&e.OnlyEvaluated, input.OnlyEvaluated)
	setLayer(e, input.Layer)
	setForced(e, input.ForcedVariants)
	if err := setOrRefuse(&e.Seed, input.Seed, "input.seed"); err != nil {
		return nil, err
	}
	set(&e.Unit, input.Unit)
	set(&e.MultipleExposures, input.MultipleExposures)
	set(&e.PriorLift, input.PriorLift)
	if err := setWindow(e, input.Window); err != nil {
		return nil, underInput(err)
	}
	if err := given.apply(e); err != nil {
		return nil, underInput(err)
	}
	return r.changedExperiment(e, underInput(aboutID("siteId", r.store.CreateExperiment(ctx, e))))
}

func (r *mutationResolver) UpdateExperiment(ctx context.Context, input generated.UpdateExperimentInput) (*view.ChangedExperiment, error) {
	id, err := decodeID(experimentNoun, input.ID, "input.id")
	if err != nil {
		return nil, err
	}
	given, err := r.experimentGiven(ctx, input.Variants, input.Baseline, input.PrimaryMetric, input.SecondaryMetrics, input.Guardrails, input.Directions, input.Audience)
	if err != nil {
		return nil, underInput(err)
	}
	e, err := r.store.UpdateExperiment(ctx, id, func(e *model.Experiment) error {
		if err := unchanged(experimentNoun, e.UpdatedAt, input.ExpectedUpdatedAt.Value()); err != nil {
			return err
		}
		set(&e.Name, input.Name)
		set(&e.Description, input.Description)
		set(&e.Notes, input.Notes)
		set(&e.Conclusion, input.Conclusion)
		set(&e.Attribution, input.Attribution)
		set(&e.DecidesBy, input.DecidesBy)
		set(&e.Monitoring, input.Monitoring)
		setInstant(&e.DecideAt, input.DecideAt)
		set(&e.Assignment, input.Assignment)
		set(&e.TrafficShare, input.TrafficShare)
		set(&e.Rollout, input.Rollout)
		set(&e.OnlyEvaluated, input.OnlyEvaluated)
		setLayer(e, input.Layer)
		setForced(e, input.ForcedVariants)
		if err := setOrRefuse(&e.Seed, input.Seed, "seed"); err != nil {
			return err
		}
		set(&e.Unit, input.Unit)
		set(&e.MultipleExposures, input.MultipleExposures)
		if set(&e.PriorLift, input.PriorLift); input.PriorLift.IsSet() && input.PriorLift.Value() == nil {
			e.PriorLift = 0
		}
		if err := setWindow(e, input.Window); err != nil {
			return err
		}
		if err := given.apply(e); err != nil {
			return err
		}
		if at := input.PhaseAt.Value(); at != nil {
			return e.BeginPhase(model.MillisOf(*at), model.MillisOf(r.now()))
		}
		return nil
	})
	return r.changedExperiment(e, underInput(aboutID("id", err)))
}

// setInstant sets an instant if it was given; null is none.
func setInstant(to *model.Millis, field graphql.Omittable[*time.Time]) {
	switch at := field.Value(); {
	case at != nil:
		*to = model.MillisOf(*at)
	case field.IsSet():
		*to = 0
	}
}

// setLayer sets an experiment's layer if it was given; null is none.
func setLayer(e *model.Experiment, field graphql.Omittable[*generated.LayerInput]) {
	switch layer := field.Value(); {
	case layer != nil:
		e.Layer = &model.Layer{Key: layer.Key, From: layer.From, To: layer.To}
	case field.IsSet():
		e.Layer = nil
	}
}

// setForced replaces an experiment's forced variants if they were given.
func setForced(e *model.Experiment, field graphql.Omittable[[]generated.ForcedVariantInput]) {
	list := field.Value()
	if list == nil {
		return
	}
	e.Forced = make([]model.ForcedVariant, len(list))
	for i, forced := range list {
		e.Forced[i] = model.ForcedVariant{Visitor: forced.Visitor, Variant: strings.TrimSpace(forced.Variant)}
	}
}

// setWindow sets the window if it was given; null is none.
func setWindow(e *model.Experiment, given graphql.Omittable[*time.Duration]) error {
	switch window := given.Value(); {
	case window != nil && *window == 0:
		return model.Invalid("window", "is 0, in which nothing can count; leave it out, or give a time such as \"P7D\"")
	case window != nil:
		e.Window = *window
	case given.IsSet():
		e.Window = 0
	}
	return nil
}

// experimentGiven is what a client gives of an experiment in other terms than the
// model's. What is nil was not given.
type experimentGiven struct {
	variants []model.Variant
	baseline *string
	// setPrimary tells that primary was given; 0 is none.
	setPrimary bool
	primary    int64
	secondary  []int64
	guardrails []model.Guardrail
	directions []model.MetricDirection
	audience   []model.FilterSpec
}

// experimentGiven reads what is given; errors are about fields of the input.
func (r *Resolver) experimentGiven(ctx context.Context, variants graphql.Omittable[[]generated.VariantInput], baseline, primary graphql.Omittable[*string],
	secondary graphql.Omittable[[]string], guardrails graphql.Omittable[[]generated.GuardrailInput], directions graphql.Omittable[[]generated.MetricDirectionInput], audience graphql.Omittable[[]scalar.FilterInput]) (given experimentGiven, err error) {
	given.baseline, given.setPrimary = baseline.Value(), primary.IsSet()
	if list := variants.Value(); list != nil {
		given.variants = make([]model.Variant, len(list))
		for i, input := range list {
			v := &given.variants[i]
			*v = model.Variant{Key: strings.TrimSpace(input.Key), Weight: 1}
			set(&v.Weight, input.Weight)
			v.Value = string(input.Value.Value())
			if err := setOrRefuse(&v.Name, input.Name, fmt.Sprintf("variants[%d].name", i)); err != nil {
				return given, err
			}
		}
	}
	if id := primary.Value(); id != nil {
		if given.primary, err = decodeID(goalNoun, *id, "primaryMetric"); err != nil {
			return given, err
		}
	}
	if ids := secondary.Value(); ids != nil {
		if given.secondary, err = decodeIDs(goalNoun, ids, "secondaryMetrics"); err != nil {
			return given, err
		}
	}
	if list := guardrails.Value(); list != nil {
		given.guardrails = make([]model.Guardrail, len(list))
		for i, input := range list {
			given.guardrails[i].Margin = input.Margin
			if given.guardrails[i].Goal, err = decodeID(goalNoun, input.Goal, fmt.Sprintf("guardrails[%d].goal", i)); err != nil {
				return given, err
			}
		}
	}
	if list := directions.Value(); list != nil {
		given.directions = make([]model.MetricDirection, len(list))
		for i, input := range list {
			given.directions[i].Direction = input.Direction
			if given.directions[i].Goal, err = decodeID(goalNoun, input.Goal, fmt.Sprintf("directions[%d].goal", i)); err != nil {
				return given, err
			}
		}
	}
	if filters := audience.Value(); filters != nil {
		given.audience, err = r.specs(ctx, filters, "audience")
	}
	return given, err
}

// apply puts what was given into the experiment.
func (given experimentGiven) apply(e *model.Experiment) error {
	if given.setPrimary {
		e.Primary = given.primary
	}
	if given.secondary != nil {
		e.Secondary = given.secondary
	}
	if given.guardrails != nil {
		e.Guardrails = given.guardrails
	}
	if given.directions != nil {
		e.Directions = given.directions
	} else {
		metrics := e.Metrics()
		e.Directions = slices.DeleteFunc(slices.Clone(e.Directions), func(d model.MetricDirection) bool { return !slices.Contains(metrics, d.Goal) })
	}
	if given.audience != nil {
		e.Audience = given.audience
	}
	baseline := given.baseline
	if given.variants != nil {
		for _, v := range e.Variants {
			stays := slices.ContainsFunc(given.variants, func(other model.Variant) bool { return other.Key == v.Key })
			if v.Baseline && baseline == nil && stays {
				baseline = &v.Key
			}
		}
		e.Variants = slices.Clone(given.variants)
	}
	if baseline == nil {
		return nil
	}
	return e.SetBaseline(*baseline)
}

func (r *mutationResolver) StartExperiment(ctx context.Context, id string, at, decideAt, expected *time.Time) (*view.ChangedExperiment, error) {
	known, err := r.knownAudience(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.changeExperiment(ctx, id, expected, func(e *model.Experiment) error {
		if e.Assignment == model.GoalgraphAssignment && !model.EqualFilters(e.Audience, known) {
			return model.Errorf(model.Conflict, "the experiment has changed since you asked; start it again")
		}
		now := model.MillisOf(r.now())
		return e.Start(orNow(at, max(now, e.StoppedAt)), orNow(decideAt, 0), max(now, e.StoppedAt))
	})
}

// knownAudience returns the audience of an experiment that Goalgraph assigns. The error is FailedPrecondition, and names
// them, if there are filters in it that cannot be told before the session.
func (r *mutationResolver) knownAudience(ctx context.Context, id string) ([]model.FilterSpec, error) {
	n, err := decodeID(experimentNoun, id, "id")
	if err != nil {
		return nil, err
	}
	e, err := r.store.Experiment(ctx, n)
	if err != nil {
		return nil, aboutID("id", err)
	}
	if e.Assignment != model.GoalgraphAssignment {
		return nil, nil
	}
	var late []string
	field := ""
	for i := range e.Audience {
		at := fmt.Sprintf("audience[%d]", i)
		compiled, err := r.filters.Compile(ctx, e.Audience[i])
		if err != nil {
			return nil, model.Under(at, err)
		}
		if experiment.IsKnownBefore(compiled.Predicate) {
			continue
		}
		if late = append(late, e.Audience[i].Type); field == "" {
			field = at + "." + e.Audience[i].Type
		}
	}
	if late != nil {
		return nil, &model.Error{Code: model.FailedPrecondition, Field: field, Message: fmt.Sprintf(
			"Goalgraph assigns visitors when their sessions begin, and these filters of the audience are known only later: %s; leave them out, or have something else assign the visitors",
			strings.Join(late, ", "))}
	}
	return e.Audience, nil
}

func (r *mutationResolver) StopExperiment(ctx context.Context, id string, winner, conclusion *string, at, expected *time.Time) (*view.ChangedExperiment, error) {
	if winner != nil && *winner == "" {
		return nil, model.Invalid("winner", "is empty; leave it out to choose none")
	}
	return r.changeExperiment(ctx, id, expected, func(e *model.Experiment) error {
		// The clock of the server that started it may be ahead of this one's.
		now := max(model.MillisOf(r.now()), e.StartedAt)
		if conclusion != nil {
			e.Conclusion = *conclusion
		}
		return e.Stop(text(winner), orNow(at, now), now)
	})
}

func orNow(at *time.Time, now model.Millis) model.Millis {
	if at == nil {
		return now
	}
	return model.MillisOf(*at)
}

func (r *mutationResolver) ArchiveExperiment(ctx context.Context, id string, expected *time.Time) (*view.ChangedExperiment, error) {
	return r.changeExperiment(ctx, id, expected, (*model.Experiment).Archive)
}

func (r *mutationResolver) changeExperiment(ctx context.Context, id string, expected *time.Time, change func(*model.Experiment) error) (*view.ChangedExperiment, error) {
	n, err := decodeID(experimentNoun, id, "id")
	if err != nil {
		return nil, err
	}
	e, err := r.store.UpdateExperiment(ctx, n, func(e *model.Experiment) error {
		if err := unchanged(experimentNoun, e.UpdatedAt, expected); err != nil {
			return err
		}
		return change(e)
	})
	return r.changedExperiment(e, aboutID("id", err))
}

func (r *mutationResolver) changedExperiment(e *model.Experiment, err error) (*view.ChangedExperiment, error) {
	if err != nil {
		return nil, err
	}
	return &view.ChangedExperiment{Listed: r.listed(e.SiteID), Experiment: e}, nil
}

func (r *mutationResolver) ArchiveExperiments(ctx context.Context, ids []string) (*view.ChangedExperiments, error) {
	numbers, err := decodeTogether(experimentNoun, ids)
	if err != nil {
		return nil, err
	}
	experiments, err := r.store.UpdateExperiments(ctx, numbers, (*model.Experiment).Archive)
	if err != nil {
		return nil, model.Under("ids", err)
	}
	return &view.ChangedExperiments{Listed: r.listed(experiments[0].SiteID), Experiments: experiments}, nil
}

func (r *mutationResolver) DeleteExperiment(ctx context.Context, id string, expected *time.Time) (*view.Deleted, error) {
	n, err := decodeID(experimentNoun, id, "id")
	if err != nil {
		return nil, err
	}
	site, err := r.store.DeleteExperiment(ctx, n, func(e *model.Experiment) error { return unchanged(experimentNoun, e.UpdatedAt, expected) })
	return r.deleted(id, site, err)
}

func (r *mutationResolver) DeleteExperiments(ctx context.Context, ids []string) (*view.DeletedAll, error) {
	numbers, err := decodeTogether(experimentNoun, ids)
	if err != nil {
		return nil, err
	}
	site, err := r.store.DeleteExperiments(ctx, numbers)
	return r.deletedAll(ids, site, err)
}
