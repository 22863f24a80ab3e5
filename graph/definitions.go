package graph

import (
	"context"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
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
