package ofrep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allocation"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/host"
)

const (
	// maxSites is how many sites' flags are kept.
	maxSites = 1000
	// MaxFlags is how many flags of a site there are: those that run, and the newest of the others.
	MaxFlags = 500
	// lookPause is how long flags hold before the site's revision is looked at again.
	lookPause = 250 * time.Millisecond
)

// flags are those of a site as they were at a revision. They never change.
type flags struct {
	site *model.Site
	// set is the number of the filter types that the audiences were compiled by.
	set uint64
	// version names what the flags say. It changes only when an answer may.
	version string
	// changed is when this version was first seen.
	changed time.Time
	// all are ordered by their keys.
	all []flag
	// failed tells that the audience of one is unknown for now, as its plugin cannot answer.
	failed bool
}

// flag is an experiment that Goalgraph assigns.
type flag struct {
	model.Experiment
	plan allocation.Plan
	// audience is whom the experiment is for, with clocks in the site's time zone. It is nil if err says why it is unknown.
	audience filter.Expr
	err      error
}

// named returns a flag by its key, or nil.
func (f *flags) named(key string) *flag {
	i, found := slices.BinarySearchFunc(f.all, key, func(f flag, key string) int { return strings.Compare(f.Key, key) })
	if !found {
		return nil
	}
	return &f.all[i]
}

// catalog has the flags of sites.
type catalog struct {
	store *store.Store
	host  *host.Host
	now   func() time.Time
	sites *otter.Cache[int64, *kept]
	// loading has each site's flags loaded once at a time.
	loading singleflight.Group
	// changes counts the calls of forget: what was read before one may be what was before the change.
	changes atomic.Int64
}

// kept are the flags of a site, and when they were found to hold.
type kept struct {
	*flags
	looked atomic.Int64 // Unix nanoseconds; 0 to look again at once
}

func newCatalog(st *store.Store, h *host.Host, now func() time.Time) (*catalog, error) {
	sites, err := otter.New(&otter.Options[int64, *kept]{MaximumSize: maxSites})
	return &catalog{store: st, host: h, now: now, sites: sites}, err
}

// forget has the flags of a site looked at again.
func (c *catalog) forget(site int64) {
	c.changes.Add(1)
	if k, found := c.sites.GetIfPresent(site); found {
		k.looked.Store(0)
	}
}

// of returns the flags of a site. The error is NotFound if there is no site, or the store's.
func (c *catalog) of(ctx context.Context, site int64) (*flags, error) {
	if k, found := c.sites.GetIfPresent(site); found && c.now().UnixNano()-k.looked.Load() < int64(lookPause) {
		return k.flags, nil
	}
	loaded, err, _ := c.loading.Do(fmt.Sprint(site, " ", c.changes.Load()), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // others wait for it too
		defer cancel()
		return c.look(ctx, site)
	})
	if err != nil {
		return nil, err
	}
	return loaded.(*flags), nil
}

// look returns the flags as they are now, and loads them if they have changed.
func (c *catalog) look(ctx context.Context, id int64) (*flags, error) {
	begin, changes := c.now().UnixNano(), c.changes.Load()
	set := c.host.Acquire()
	defer set.Release()
	site, err := c.store.Site(ctx, id)
	if err != nil {
		return nil, err
	}
	last, found := c.sites.GetIfPresent(id)
	if found && last.site.Revision == site.Revision && last.set == set.Number && !last.failed {
		last.looked.Store(begin)
		return last.flags, nil
	}
	loaded, err := c.load(ctx, set, site)
	if err != nil {
		return nil, err
	}
	if found && last.version == loaded.version {
		loaded.changed = last.changed
	}
	k := &kept{flags: loaded}
	k.looked.Store(begin)
	c.sites.Set(id, k)
	if changes != c.changes.Load() {
		k.looked.Store(0)
	}
	return loaded, nil
}

func (c *catalog) load(ctx context.Context, set *host.Set, site *model.Site) (*flags, error) {
	f := &flags{site: site, set: set.Number, changed: c.now()}
	zone, err := site.Location()
	if err != nil {
		return nil, err
	}
	newest := store.Page{Descending: true, Limit: MaxFlags}
	for _, status := range [][]model.ExperimentStatus{{model.Running}, {model.Draft, model.Stopped, model.Archived}} {
		experiments, err := c.store.Experiments(ctx, store.ExperimentQuery{Site: site.ID, Status: status, Assignment: model.GoalgraphAssignment}, newest)
		if err != nil {
			return nil, err
		}
		for _, e := range experiments[:min(len(experiments), MaxFlags-len(f.all))] {
			flag := newFlag(ctx, set, site, zone.String(), e)
			f.all, f.failed = append(f.all, flag), f.failed || flag.err != nil
		}
	}
	slices.SortFunc(f.all, func(a, b flag) int { return strings.Compare(a.Key, b.Key) })
	f.version = f.hash()
	return f, nil
}

func newFlag(ctx context.Context, set *host.Set, site *model.Site, zone string, e model.Experiment) flag {
	f := flag{Experiment: e, plan: allocation.Plan{Seed: e.Seed, Share: e.TrafficShare, Weights: make([]float64, len(e.Variants))}}
	for i, v := range e.Variants {
		f.plan.Weights[i] = v.Weight
	}
	if e.Layer != nil {
		f.plan.Layer = &allocation.Layer{Key: e.Layer.Key, From: e.Layer.From, To: e.Layer.To}
	}
	if site.Holdout != nil {
		f.plan.Holdout = &allocation.Holdout{Seed: site.Holdout.Seed, Share: site.Holdout.Share}
	}
	if e.Status != model.Running {
		return f // nobody is asked whether he takes part
	}
	merged, err := set.Merge(ctx, e.Audience, nil)
	switch {
	case err != nil:
		f.err = err
	case !experiment.IsKnownBefore(merged.Predicate): // a plugin that was replaced means something else
		f.err = model.Errorf(model.FailedPrecondition, "the audience has filters that are known only once a session is under way")
	default:
		f.audience = filter.InZone(merged.Predicate, zone)
	}
	return f
}

// hash names all that answers depend on.
func (f *flags) hash() string {
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	_ = encoder.Encode(f.site.Holdout) // of texts and numbers, which have JSON
	for i := range f.all {
		flag := &f.all[i]
		audience := fmt.Sprint(flag.audience)
		if flag.err != nil {
			audience = "unknown"
		}
		_ = encoder.Encode([]any{flag.ID, flag.Key, flag.Status, flag.Variants, flag.Seed, flag.TrafficShare, flag.Layer, flag.Forced, flag.Rollout, flag.Winner, flag.StartedAt, audience})
	}
	return hex.EncodeToString(hash.Sum(nil)[:12])
}
