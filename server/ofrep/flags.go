package ofrep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	// MaxFlags is how many flags of a site there are: those that run, those that are rolled out, and the newest of the others.
	MaxFlags = 500
	// maxStopped is how many stopped experiments are looked at for those that are rolled out, newest first.
	maxStopped = 5000
	// lookPause is how long flags hold before the site's revision is looked at again.
	lookPause = 250 * time.Millisecond
	// doubtPause is the same where a client was told of another version.
	doubtPause = 50 * time.Millisecond
)

// flags are those of a site as they were at a revision. They never change.
type flags struct {
	site *model.Site
	// set is the number of the filter types that the audiences were compiled by.
	set uint64
	// version names what the flags that are listed say. It changes only when an answer may.
	version string
	// changed is when this version was first seen.
	changed time.Time
	// all are ordered by their keys.
	all []flag
	// failed tells that the audience of one cannot be had at the moment, as its plugin cannot answer.
	failed bool
}

// flag is an experiment that Goalgraph assigns.
type flag struct {
	model.Experiment
	plan allocation.Plan
	// audience is whom the experiment is for, with clocks in the site's time zone. Where err says why it cannot be had at the moment, it
	// is what was known before, or nil.
	audience filter.Expr
	err      error
}

// isUnknown tells whether nobody knows whom the experiment is for.
func (f *flag) isUnknown() bool { return f.err != nil && f.audience == nil }

// isPublic tells whether a page's key, which everybody can read, lists the flag: plans and what is over are nobody's business, and
// the code's default stands for a flag that is not listed.
func (f *flag) isPublic() bool { return f.Status == model.Running || f.Status == model.Stopped }

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
	log   *slog.Logger
	now   func() time.Time
	// most is how many flags of a site there are.
	most  int
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

func newCatalog(st *store.Store, h *host.Host, log *slog.Logger, now func() time.Time) (*catalog, error) {
	sites, err := otter.New(&otter.Options[int64, *kept]{MaximumSize: maxSites})
	return &catalog{store: st, host: h, log: log, now: now, most: MaxFlags, sites: sites}, err
}

// forget has the flags of a site looked at again.
func (c *catalog) forget(site int64) {
	c.changes.Add(1)
	if k, found := c.sites.GetIfPresent(site); found {
		k.looked.Store(0)
	}
}

// doubt has the flags of a site looked at again if a client was told another version of them. Anyone can say so: all who do wait
// for one look in doubtPause.
func (c *catalog) doubt(ctx context.Context, site int64, version string) {
	k, found := c.sites.GetIfPresent(site)
	if !found || k.version == version {
		return
	}
	looked := k.looked.Load()
	pause := time.NewTimer(time.Unix(0, looked).Add(doubtPause).Sub(c.now()))
	defer pause.Stop()
	select {
	case <-pause.C:
		k.looked.CompareAndSwap(looked, 0)
	case <-ctx.Done():
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
	var known *flags
	if found && last.site.Revision == site.Revision {
		known = last.flags
	}
	loaded, err := c.load(ctx, set, site, known)
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

// load reads the flags of a site. known are those that were known at the same revision; nil for none. They tell the audiences that
// cannot be had at the moment: a plugin that is away for a while changes nobody's variant.
func (c *catalog) load(ctx context.Context, set *host.Set, site *model.Site, known *flags) (*flags, error) {
	f := &flags{site: site, set: set.Number, changed: c.now()}
	zone, err := site.Location()
	if err != nil {
		return nil, err
	}
	experiments, err := c.experiments(ctx, site.ID)
	if err != nil {
		return nil, err
	}
	for _, e := range experiments {
		flag := newFlag(ctx, set, site, zone.String(), e)
		if flag.err != nil {
			c.recall(ctx, &flag, known)
			f.failed = f.failed || !errors.Is(flag.err, errUnderWay)
		}
		f.all = append(f.all, flag)
	}
	slices.SortFunc(f.all, func(a, b flag) int { return strings.Compare(a.Key, b.Key) })
	f.version = f.hash()
	return f, nil
}

// experiments returns those that Goalgraph assigns, as many as there may be flags: those that run, then those whose winner is given to everyone, then
// the newest of the others.
func (c *catalog) experiments(ctx context.Context, site int64) ([]model.Experiment, error) {
	newest := store.Page{Descending: true, Limit: c.most}
	ask := func(page store.Page, status ...model.ExperimentStatus) ([]model.Experiment, error) {
		return c.store.Experiments(ctx, store.ExperimentQuery{Site: site, Status: status, Assignment: model.GoalgraphAssignment}, page)
	}
	all, err := ask(newest, model.Running)
	if err != nil {
		return nil, err
	}
	for page, looked := newest, 0; looked < maxStopped; looked += c.most {
		stopped, err := ask(page, model.Stopped)
		if err != nil {
			return nil, err
		}
		for i := range stopped {
			if isRolledOut(&stopped[i]) {
				all = append(all, stopped[i])
			}
		}
		if len(stopped) < c.most {
			break
		}
		page.After.ID = stopped[len(stopped)-1].ID
	}
	others, err := ask(newest, model.Draft, model.Stopped, model.Archived)
	if err != nil {
		return nil, err
	}
	all = append(all, slices.DeleteFunc(others, func(e model.Experiment) bool { return isRolledOut(&e) })...)
	return all[:min(len(all), c.most)], nil
}

// isRolledOut tells whether everyone is given the winner of an experiment.
func isRolledOut(e *model.Experiment) bool {
	return e.Status == model.Stopped && e.Rollout && e.Winner != ""
}

// recall gives a flag whose audience cannot be had the one that was known, and says so in the log, once.
func (c *catalog) recall(ctx context.Context, f *flag, known *flags) {
	var was *flag
	if known != nil {
		was = known.named(f.Key)
	}
	if was == nil || was.err == nil {
		c.log.WarnContext(ctx, "cannot tell whom an experiment is for", "site", f.SiteID, "experiment", f.Key, "error", f.err)
	}
	if was != nil && !errors.Is(f.err, errUnderWay) {
		f.audience = was.audience
	}
}

// errUnderWay is of an audience whose plugin was replaced, and means something else now.
var errUnderWay = model.Errorf(model.FailedPrecondition, "the audience has filters that are known only once a session is under way")

func newFlag(ctx context.Context, set *host.Set, site *model.Site, zone string, e model.Experiment) flag {
	f := flag{Experiment: e, plan: allocation.Plan{Seed: e.Seed, Share: e.TrafficShare, Weights: make([]float64, len(e.Variants))}}
	for i, v := range e.Variants {
		f.plan.Weights[i] = v.Weight
	}
	if len(e.Phases) > 1 {
		f.plan.Began = e.Phases[0].Weights
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
	case !experiment.IsKnownBefore(merged.Predicate):
		f.err = errUnderWay
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
		if !flag.isPublic() {
			continue // nobody is told of it
		}
		audience := fmt.Sprint(flag.audience)
		if flag.isUnknown() {
			audience = "unknown"
		}
		_ = encoder.Encode([]any{flag.ID, flag.Key, flag.Status, flag.Variants, flag.Seed, flag.TrafficShare, flag.Layer, flag.Forced, flag.Rollout, flag.Winner, flag.StartedAt, audience})
	}
	return hex.EncodeToString(hash.Sum(nil)[:12])
}
