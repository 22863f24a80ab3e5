package graph

import (
	"context"
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// Definitions says what experiments are that are stored. An engine that counts for a
// Graph has those of the Graph's store and host.
type Definitions struct {
	store *store.Store
	host  *host.Host
}

var _ experiment.Definitions = Definitions{}

// NewDefinitions returns the definitions of the experiments in a store, whose audiences
// are filters of the host's types.
func NewDefinitions(st *store.Store, h *host.Host) Definitions { return Definitions{st, h} }

// Experiment returns the site's experiment of a key, with the filter types of the
// moment. The error is a BadInput where there is none, and Unavailable where a type of
// its audience is.
func (d Definitions) Experiment(ctx context.Context, site int64, key string) (experiment.Definition, error) {
	e, err := d.store.ExperimentByKey(ctx, site, key)
	if model.CodeOf(err) == model.NotFound {
		return experiment.Definition{}, model.Errorf(model.BadInput, "the site has no experiment %.200q", key)
	}
	if err != nil {
		return experiment.Definition{}, err
	}
	set := d.host.Acquire()
	defer set.Release()
	x, err := define(ctx, set, e)
	if err != nil {
		return x, err
	}
	return x, inZone(ctx, site, d.zoneOf, &x.Audience)
}

// Computations returns the keys of what plugins compute for a site's segments, experiments' audiences and goals, of goals
// in each of the others, too.
func (d Definitions) Computations(ctx context.Context, site int64) ([]string, error) {
	goals, err := d.store.Goals(ctx, store.GoalQuery{Site: site}, store.Page{})
	if err != nil {
		return nil, err
	}
	segments, err := d.store.Segments(ctx, store.SegmentQuery{Site: site}, store.Page{})
	if err != nil {
		return nil, err
	}
	experiments, err := d.store.Experiments(ctx, store.ExperimentQuery{Site: site}, store.Page{})
	if err != nil {
		return nil, err
	}
	set := d.host.Acquire()
	defer set.Release()
	keys := map[string]bool{}
	isComputed := func(active, goal []model.FilterSpec) (bool, error) {
		merged, err := set.Merge(ctx, active, goal)
		if err != nil {
			return false, err
		}
		found := filter.Computations(merged.Predicate)
		for _, key := range found {
			keys[key] = true
		}
		return len(found) > 0, nil
	}
	var among [][]model.FilterSpec
	for _, segment := range segments {
		among = append(among, segment.Filters)
	}
	for _, x := range experiments {
		among = append(among, x.Audience)
	}
	var computed [][]model.FilterSpec // of which goals may be computed otherwise than alone
	for _, filters := range among {
		if is, err := isComputed(filters, nil); err != nil {
			return nil, err
		} else if is {
			computed = append(computed, filters)
		}
	}
	for _, goal := range goals {
		is, err := isComputed(nil, goal.Filters)
		if err != nil {
			return nil, err
		}
		for i := 0; is && i < len(computed); i++ {
			if _, err := isComputed(computed[i], goal.Filters); err != nil {
				return nil, err
			}
		}
	}
	return slices.Collect(maps.Keys(keys)), nil
}

// define says what an experiment is for who counts it.
func define(ctx context.Context, filters *host.Set, e *model.Experiment) (experiment.Definition, error) {
	audience, err := filters.Merge(ctx, e.Audience, nil)
	if err != nil {
		return experiment.Definition{}, err
	}
	run, _ := e.Run() // that of a draft is empty
	x := experiment.Definition{Site: e.SiteID, Key: e.Key, Run: run, Variants: make([]string, len(e.Variants)), Audience: audience.Predicate, ByUser: e.Unit == model.UserUnit}
	for i, v := range e.Variants {
		x.Variants[i] = v.Key
	}
	return x, nil
}
