package app

import (
	"context"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

const (
	// erasePass is the time between two looks for what is to be erased.
	erasePass = 10 * time.Second
	// expiryPass is the time between two looks for expired sessions of a site that keeps sessions for as long as before.
	expiryPass = time.Hour
	// eraseStalled is after how long an erasure that has not come to its end is taken to have been given up.
	eraseStalled = time.Minute
)

// eraseDue returns a function that erases what is due: visitors whose erasure ended half-way, and sessions that their sites keep
// no longer. Every server does so: what one has erased, others do not find.
func (a *App) eraseDue() func(context.Context) {
	type look struct {
		days int
		at   time.Time
	}
	looked := map[int64]look{} // by site
	return func(ctx context.Context) {
		now := time.Now()
		if _, err := a.store.ResumeErasures(ctx, model.MillisOf(now.Add(-eraseStalled))); err != nil && ctx.Err() == nil {
			a.options.Log.WarnContext(ctx, "cannot go on with the erasure of visitors; trying again later", "error", err)
		}
		sites, err := a.store.Sites(ctx)
		for i := range sites {
			id, days := sites[i].ID, sites[i].RetentionDays
			if days == nil {
				delete(looked, id)
				continue
			}
			if last := looked[id]; last.days == *days && now.Sub(last.at) < expiryPass {
				continue
			}
			erased, failed := a.store.EraseExpired(ctx, id)
			if failed != nil {
				err = failed // and the others have their turn
				continue
			}
			if looked[id] = (look{*days, now}); erased > 0 {
				a.options.Log.InfoContext(ctx, "erased expired sessions", "site", id, "sessions", erased)
			}
		}
		if err != nil && ctx.Err() == nil {
			a.options.Log.WarnContext(ctx, "cannot erase expired sessions; trying again later", "error", err)
		}
	}
}
