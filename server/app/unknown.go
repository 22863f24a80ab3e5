package app

import (
	"context"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// runningPass is how often is looked which experiments run.
const runningPass = 2 * time.Second

// unknownVariants counts the assignments that arrive for a running experiment and name a
// variant that it does not have: what assigns visitors then calls its variants
// otherwise, which is best known before the result is waited for.
type unknownVariants struct {
	app *App
	// counter has the site's number and the experiment's key.
	counter *prometheus.CounterVec
	// running are the experiments that run.
	running atomic.Pointer[map[experimentName]*model.Experiment]
}

type experimentName struct {
	site int64
	key  string
}

func (a *App) newUnknownVariants(registry prometheus.Registerer) *unknownVariants {
	u := &unknownVariants{app: a, counter: promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
		Name: "goalgraph_experiment_unknown_variants_total",
		Help: "Assignments to a variant that the running experiment does not have. They assign nobody.",
	}, []string{"site", "experiment"})}
	u.running.Store(&map[experimentName]*model.Experiment{})
	return u
}

// reload looks which experiments run.
func (u *unknownVariants) reload(ctx context.Context) {
	found, err := u.app.store.Experiments(ctx, store.ExperimentQuery{Status: []model.ExperimentStatus{model.Running}}, store.Page{})
	if err != nil {
		if ctx.Err() == nil {
			u.app.options.Log.WarnContext(ctx, "cannot load the running experiments; counting unknown variants for those known before", "error", err)
		}
		return
	}
	running := make(map[experimentName]*model.Experiment, len(found))
	for i := range found {
		e := &found[i]
		running[experimentName{e.SiteID, e.Key}] = e
	}
	u.running.Store(&running)
}

// watch counts those of a batch that was written.
func (u *unknownVariants) watch(site int64, batch []model.Message) {
	running := *u.running.Load()
	for i := range batch {
		hit := &batch[i].Hit
		if hit.Experiment == "" {
			continue
		}
		e := running[experimentName{site, hit.Experiment}]
		if e != nil && !slices.ContainsFunc(e.Variants, func(v model.Variant) bool { return v.Key == hit.Variant }) {
			u.counter.WithLabelValues(strconv.FormatInt(site, 10), e.Key).Inc()
		}
	}
}
