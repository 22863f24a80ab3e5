package subscription

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
)

// feed is what equal subscriptions share. Its answer is computed at first and whenever its site has changed, once for
// all subscribers, and encoded once.
type feed struct {
	key    graph.SourceKey
	source *graph.Source
	// site is the site that the answer follows from.
	site int64
	// caller is who began it.
	caller string

	// The rest is guarded by Registry.mu.
	subscribers map[Subscriber]bool
	// answer is the newest, encoded; nil before the first. digest is of it without computedAt.
	answer []byte
	digest [sha256.Size]byte
	// watch is nil before the first answer. seen is the site's state before the newest answer; the zero state where the
	// answer is to be computed again in any case.
	watch *watch
	seen  graph.SiteState
	// lasts is how long the newest answer is right if the state stays; zero for as long as it does.
	lasts time.Duration
	// computing tells that the answer is computed, and beganAt when that last began.
	computing bool
	beganAt   time.Time
	// took is how long the newest answer took, and hasErrors tells that it has some.
	took      time.Duration
	hasErrors bool
}

// Subscriber is one subscription of a client. Its methods do not wait.
type Subscriber interface {
	// Principal returns who follows, as it is now.
	Principal() *model.Principal
	// Next gives the newest answer, which takes the place of one that is not sent yet.
	Next(answer []byte)
	// End says that no more answers come, and why.
	End(problems gqlerror.List)
}

// due tells whether the feed has something to learn from a site in the state, or may have, or learns it from the time, and
// when.
func (f *feed) due(state graph.SiteState, hinted bool) (at time.Time, ok bool) {
	next := pace
	if f.isSlow() || f.hasErrors || !hinted && f.seen == state { // nobody wrote anything that it waits for
		next = max(next, giveWay*f.took)
	}
	if hinted || f.seen != state || f.lasts == 0 {
		return f.beganAt.Add(next), !f.computing && (hinted || f.seen != state)
	}
	return f.beganAt.Add(max(next, f.lasts)), !f.computing
}

// giveWay is how many times as long as an answer took others may have until it is computed again.
const giveWay = 3

// isSlow tells whether the newest answer took so long that others would notice.
func (f *feed) isSlow() bool { return f.took > pace }

// put makes a response the newest answer, and tells whether it says anything new.
func (f *feed) put(c *graph.Computation, response *graphql.Response) (isNew bool, err error) {
	digest, err := c.Digest(response)
	if err != nil || f.answer != nil && digest == f.digest {
		return false, err
	}
	answer, err := json.Marshal(response)
	if err != nil {
		return false, err
	}
	f.answer, f.digest = answer, digest
	return true, nil
}

// isPassing tells whether errors are of a kind that is gone after a while: what a subscription then has is kept, and
// tried again. What took too long is one.
func isPassing(problems gqlerror.List) bool {
	for _, problem := range problems {
		switch problem.Extensions["code"] {
		case string(model.Unavailable), string(model.Internal):
		default:
			if !errors.Is(problem, context.DeadlineExceeded) {
				return false
			}
		}
	}
	return true
}
