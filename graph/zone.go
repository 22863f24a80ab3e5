package graph

import (
	"context"
	"slices"

	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Filters by the hour or the weekday are about the clocks of a site, and no plugin knows its time zone. The predicates are
// given it here, before the engine is asked: what it counts and keeps then follows from the predicate and the sessions, and
// another zone makes another question.

// zoneOf returns the name of a site's time zone.
func (r *Resolver) zoneOf(ctx context.Context, site int64) (string, error) {
	found, err := r.siteOf(ctx, site)
	if err != nil {
		return "", err
	}
	return found.Timezone, nil
}

// inZone gives predicates about a site's sessions its time zone, where they need it.
func inZone(ctx context.Context, site int64, zoneOf func(ctx context.Context, site int64) (string, error), wheres ...*filter.Expr) error {
	for _, where := range wheres {
		if *where == nil || !filter.IsOfSite(*where) {
			continue
		}
		zone, err := zoneOf(ctx, site)
		if err != nil {
			return err
		}
		*where = filter.InZone(*where, zone)
	}
	return nil
}

func (g guardedEngine) countInZone(ctx context.Context, questions []count.Question) ([]count.Question, error) {
	questions = slices.Clone(questions)
	for i := range questions {
		q := &questions[i]
		if err := inZone(ctx, q.Site, g.zoneOf, &q.Where, &q.Among); err != nil {
			return nil, err
		}
	}
	return questions, nil
}

func (g guardedEngine) valuesInZone(ctx context.Context, q *count.ValueQuery) error {
	if q.Field.IsOfSite() {
		zone, err := g.zoneOf(ctx, q.Site)
		if err != nil {
			return err
		}
		q.Field = q.Field.In(zone)
	}
	return inZone(ctx, q.Site, g.zoneOf, &q.Where)
}

func (g guardedEngine) breakdownInZone(ctx context.Context, q *count.BreakdownQuery) error {
	wheres := []*filter.Expr{&q.Where}
	q.Goals = slices.Clone(q.Goals)
	for i := range q.Goals {
		wheres = append(wheres, &q.Goals[i].Where)
	}
	return inZone(ctx, q.Site, g.zoneOf, wheres...)
}

func (g guardedEngine) resultsInZone(ctx context.Context, questions []experiment.Question) ([]experiment.Question, error) {
	questions = slices.Clone(questions)
	for i := range questions {
		q := &questions[i]
		wheres := []*filter.Expr{&q.Where, &q.Definition.Audience}
		q.Metrics = slices.Clone(q.Metrics)
		for n := range q.Metrics {
			wheres = append(wheres, &q.Metrics[n].Where)
		}
		if err := inZone(ctx, q.Definition.Site, g.zoneOf, wheres...); err != nil {
			return nil, err
		}
	}
	return questions, nil
}

// zoneOf returns the name of a site's time zone.
func (d Definitions) zoneOf(ctx context.Context, id int64) (string, error) {
	site, err := d.store.Site(ctx, id)
	if err != nil {
		return "", err
	}
	return site.Timezone, nil
}
