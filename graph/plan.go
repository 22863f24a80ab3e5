package graph

import (
	"context"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/stats"
)

// plannedFrom is how many days a plan looks back.
const plannedFrom = 28

func (r *siteResolver) PlanExperiment(ctx context.Context, site *model.Site, metric string, variants int, minimumEffect, power, alpha float64, given []scalar.FilterInput) (*view.ExperimentPlan, error) {
	plan, err := experiment.PlanOf(variants, alpha, power)
	if err != nil {
		return nil, err
	}
	goal, err := r.goalOfSite(ctx, site.ID, metric, "metric")
	if err != nil {
		return nil, err
	}
	filters, err := r.filtersOf(ctx, site.ID, given, "filters")
	if err != nil {
		return nil, err
	}
	of, err := r.visitorsWho(ctx, site.ID, filters, goal.Filters)
	if err != nil {
		return nil, err
	}
	return planned(minimumEffect, &experiment.Outlook{
		Plan: plan, Count: of, Weights: slices.Repeat([]float64{1}, variants), VisitorsPerDay: float64(of.Visitors) / plannedFrom,
	})
}

// visitorsWho returns how many distinct visitors a segment had lately, and how many of them reached a goal.
func (r *Resolver) visitorsWho(ctx context.Context, siteID int64, segment, goal []model.FilterSpec) (stats.Count, error) {
	merges, now := r.merges(ctx, []sides{{segment, nil}, {segment, goal}}), r.now()
	question := count.Question{Site: siteID, In: model.Range{From: model.MillisOf(now.Add(-plannedFrom * 24 * time.Hour)), To: model.MillisOf(now) + 1}, Visitors: true}
	active := r.prepare(ctx, merges[0], question, true)
	question.Among = among(merges[0], merges[1])
	reached := r.prepare(ctx, merges[1], question, true)
	collectionOf(ctx).counts.begin(ctx)
	all, those, err := answersOf(ctx, active, reached)
	return stats.Count{Visitors: int64(all.Visitors), Conversions: int64(those.Visitors)}, err
}

// planned returns the plan to find an effect.
func planned(effect float64, o *experiment.Outlook) (*view.ExperimentPlan, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	needed, err := o.VisitorsFor(effect)
	return &view.ExperimentPlan{Outlook: o, VisitorsPerVariant: needed}, err
}

func (r *metricResultResolver) Plan(ctx context.Context, m *view.MetricResult, minimumEffect, power, alpha float64) (*view.ExperimentPlan, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o, err := m.Outlook(alpha, power)
	if err != nil {
		return nil, err
	}
	return planned(minimumEffect, o)
}

type experimentPlanResolver struct{ *Resolver }

func (r *experimentPlanResolver) Days(_ context.Context, p *view.ExperimentPlan) (*int, error) {
	days, ok := p.DaysFor(p.VisitorsPerVariant)
	if !ok {
		return nil, nil
	}
	return &days, nil
}

// defaultAhead is how many days a plan looks ahead unless told otherwise, and maxAhead how many it may.
const (
	defaultAhead = 28
	maxAhead     = 365
)

func (r *experimentPlanResolver) Effects(ctx context.Context, p *view.ExperimentPlan, days int) ([]view.PlannedEffect, error) {
	if days < 1 || days > maxAhead {
		return nil, model.Invalid("days", "is %d; use 1 to %d", days, maxAhead)
	}
	effects := make([]view.PlannedEffect, days)
	for i := range effects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		visitors, effect, ok, err := p.EffectAfter(i + 1)
		if err != nil {
			return nil, err
		}
		effects[i] = view.PlannedEffect{Day: i + 1, VisitorsPerVariant: visitors}
		if ok {
			effects[i].Effect = &effect
		}
	}
	return effects, nil
}
