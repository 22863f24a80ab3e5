package naive

import (
	"context"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
)

// filling fills in what predicates need of visits beside what is stored: what plugins compute, and the variants.
type filling struct {
	engine       *Engine
	computations []string
	experiments  map[string]standings
}

// filling returns one for predicates. above are the keys of the experiments whose audiences they are parts of.
func (e *Engine) filling(ctx context.Context, site int64, wheres []filter.Expr, above []string) (*filling, error) {
	f := &filling{engine: e, experiments: map[string]standings{}}
	for _, where := range wheres {
		f.computations = append(f.computations, filter.Computations(where)...)
		for _, key := range filter.Experiments(where) {
			if f.experiments[key] != nil {
				continue
			}
			definition, err := e.define(ctx, site, key)
			if err != nil {
				return nil, err
			}
			if slices.Contains(above, key) {
				return nil, model.Errorf(model.BadInput, "the audience of the experiment %q depends on the experiment itself; change its filters", key)
			}
			if f.experiments[key], err = e.standings(ctx, &definition, above); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(f.computations)
	f.computations = slices.Compact(f.computations)
	if len(f.computations) > 0 && e.computer == nil {
		return nil, model.Errorf(model.Unavailable, "no plugins run here")
	}
	return f, nil
}

func (e *Engine) define(ctx context.Context, site int64, key string) (experiment.Definition, error) {
	if e.definitions == nil {
		return experiment.Definition{}, model.Errorf(model.BadInput, "the site has no experiment %q", key)
	}
	return e.definitions.Experiment(ctx, site, key)
}

// visits fills in what visits need. Parts of visits keep the variants of the whole.
func (f *filling) visits(ctx context.Context, visits []model.Visit) error {
	if len(visits) == 0 {
		return nil
	}
	for i := range visits {
		session := &visits[i].Session
		session.Computed = map[string]bool{}
		if session.Assigned != nil {
			continue
		}
		session.Assigned = map[string]string{}
		for key, standings := range f.experiments {
			if variant, ok := standings.variantOf(session); ok {
				session.Assigned[key] = variant
			}
		}
	}
	tracked := slices.Clone(visits)
	for i := range tracked {
		tracked[i].Hits = slices.DeleteFunc(slices.Clone(tracked[i].Hits), func(hit model.Hit) bool { return hit.Kind == model.Traits })
	}
	for _, key := range f.computations {
		matches, err := f.engine.computer.Compute(ctx, key, tracked)
		if err != nil {
			return err
		}
		for i, match := range matches {
			visits[i].Session.Computed[key] = match
		}
	}
	return nil
}
