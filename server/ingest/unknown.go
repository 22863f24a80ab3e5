package ingest

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// unknownVariants counts assignments to variants that a running experiment does not
// have. They mean that the sender uses different variant keys, which people should know
// before they wait for results.
type unknownVariants struct {
	store *store.Store
	log   *slog.Logger
	// counter has the site's id and the experiment's key as labels.
	counter *prometheus.CounterVec
	// running holds the running experiments.
	running atomic.Pointer[map[experimentName]*model.Experiment]
}

type experimentName struct {
	site int64
	key  string
}

func newUnknownVariants(st *store.Store, registry prometheus.Registerer, log *slog.Logger) *unknownVariants {
	u := &unknownVariants{store: st, log: log, counter: promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
		Name: "goalgraph_experiment_unknown_variants_total",
		Help: "Assignments to a variant that the running experiment does not have. They assign nobody.",
	}, []string{"site", "experiment"})}
	u.running.Store(&map[experimentName]*model.Experiment{})
	return u
}

// reload loads the running experiments.
func (u *unknownVariants) reload(ctx context.Context) {
	found, err := u.store.Experiments(ctx, store.ExperimentQuery{Status: []model.ExperimentStatus{model.Running}}, store.Page{})
	if err != nil {
		if ctx.Err() == nil {
			u.log.WarnContext(ctx, "cannot load the running experiments; counting unknown variants for those known before", "error", err)
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

// watch counts unknown variants in a written batch.
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
