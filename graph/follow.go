package graph

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// pace is how often a question is answered at most, and how often a site's state is
// looked at when nothing is heard of it.
const pace = time.Second

// followedSite is a site that questions are about. A goroutine looks at its state, at
// once when it is hinted at a change and after a pace otherwise, and has the questions
// answered again that have not seen that state: together, so that they share what they
// count.
type followedSite struct {
	id   int64
	hint chan struct{}
	end  context.CancelFunc
	// questions is guarded by subscriptions.mu.
	questions map[*question]bool
}

func (site *followedSite) poke() {
	select {
	case site.hint <- struct{}{}:
	default: // it is hinted already
	}
}

// watch looks after a site until the context is done.
func (s *subscriptions) watch(ctx context.Context, site *followedSite) {
	var state siteState // as it was last seen
	hinted, failed, lookedAt := false, false, time.Now()
	timer := time.NewTimer(pace)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-site.hint:
			hinted = true
		case <-timer.C:
		}
		next := lookedAt.Add(pace)
		if !failed {
			next = s.nextLook(site, state, hinted, next)
		}
		if now := time.Now(); !now.Before(next) {
			s.metrics.looks.Inc()
			seen, err := s.resolver.stateOf(ctx, site.id)
			gone := model.CodeOf(err) == model.NotFound
			if err != nil && !gone && !failed && ctx.Err() == nil {
				s.log.WarnContext(ctx, "a site cannot be looked at; its subscriptions wait", "site", site.id, "error", err)
			}
			lookedAt, failed = now, err != nil && !gone
			next = lookedAt.Add(pace)
			if !failed {
				hinted, state = false, seen
				s.answerAgain(site, state, gone, now)
				next = s.nextLook(site, state, false, next)
			}
		}
		timer.Reset(time.Until(next))
	}
}

// nextLook returns when a question may be answered that has something to learn, or may
// have; no later than the latest.
func (s *subscriptions) nextLook(site *followedSite, state siteState, hinted bool, latest time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := range site.questions {
		if due := q.beganAt.Add(pace); !q.computing && (hinted || q.seen != state) && due.Before(latest) {
			latest = due
		}
	}
	return latest
}

// answerAgain has the site's questions answered that have not seen the state, and may
// be answered again already.
func (s *subscriptions) answerAgain(site *followedSite, state siteState, gone bool, now time.Time) {
	together := newCollection(s.resolver)
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := range site.questions {
		if q.computing || q.seen == state && !gone || now.Sub(q.beganAt) < pace {
			continue
		}
		c := &computation{site: site.id, state: state}
		if gone {
			c = new(computation) // finds out by itself, and says so
		}
		s.begin(q, c, together, now)
	}
}
