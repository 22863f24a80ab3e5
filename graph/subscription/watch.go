package subscription

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// pace is how often an answer is computed at most, and how often a site's state is looked at when nothing is heard of
// it.
const pace = time.Second

// watch looks at the state of a site that feeds follow: at once when it is hinted at a change, and after a pace
// otherwise. The feeds that have not seen that state compute again: together, so that they share what they count.
type watch struct {
	site int64
	hint chan struct{}
	end  context.CancelFunc
	// feeds is guarded by Registry.mu.
	feeds map[*feed]bool
}

func (w *watch) poke() {
	select {
	case w.hint <- struct{}{}:
	default: // it is hinted already
	}
}

// look looks after a site until the context is done.
func (r *Registry) look(ctx context.Context, w *watch) {
	var state graph.SiteState // as it was last seen
	hinted, failed, lookedAt := false, false, time.Now()
	timer := time.NewTimer(pace)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.hint:
			hinted = true
		case <-timer.C:
		}
		next := lookedAt.Add(pace)
		if !failed {
			next = r.nextLook(w, state, hinted, next)
		}
		if now := time.Now(); !now.Before(next) {
			r.metrics.looks.Inc()
			seen, err := r.graph.State(ctx, w.site)
			gone := model.CodeOf(err) == model.NotFound
			if err != nil && !gone && !failed && ctx.Err() == nil {
				r.log.WarnContext(ctx, "the state of a site cannot be read; its subscriptions wait", "site", w.site, "error", err)
			}
			lookedAt, failed = now, err != nil && !gone
			next = lookedAt.Add(pace)
			if !failed {
				hinted, state = false, seen
				r.computeAgain(w, state, gone, now)
				next = r.nextLook(w, state, false, next)
			}
		}
		timer.Reset(time.Until(next))
	}
}

// nextLook returns when a feed may compute that has something to learn, or may have; no later than the latest.
func (r *Registry) nextLook(w *watch, state graph.SiteState, hinted bool, latest time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range w.feeds {
		if at, ok := f.due(state, hinted); ok && at.Before(latest) {
			latest = at
		}
	}
	return latest
}

// computeAgain has the site's feeds compute that have not seen the state, and may compute again already.
func (r *Registry) computeAgain(w *watch, state graph.SiteState, gone bool, now time.Time) {
	computation := r.graph.Computations()
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range w.feeds {
		if at, ok := f.due(state, gone); !ok || now.Before(at) {
			continue
		}
		of := computation
		if f.isSlow() || f.hasErrors { // what it asks is not to hold up what others ask, nor to fail beside it
			of = r.graph.Computations()
		}
		c := of()
		if !gone { // otherwise it finds out by itself, and says so
			c.Site, c.State = w.site, state
		}
		r.begin(f, c, now)
	}
}
