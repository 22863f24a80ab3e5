package transport

import (
	"encoding/json"
	"sync"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/subscription"
	"github.com/goalgraph/goalgraph/model"
)

// delivery is an operation that runs over a WebSocket or as an event stream, and what it has to send: the newest answer,
// and then perhaps its end.
type delivery struct {
	id string // "" of an event stream
	// connection is who has it.
	connection *connection
	// taken is the memory of its request, until that was carried out or is followed.
	taken   *share
	metrics *metrics
	// notify is called when there is something to send, once until next has nothing more.
	notify func(*delivery)

	mu       sync.Mutex
	notified bool
	answer   []byte        // not sent yet
	problems gqlerror.List // that end it
	ended    bool
	// abandoned tells that the client wants no more of it, and release lets go of what it runs on.
	abandoned bool
	release   func()
}

var _ subscription.Subscriber = (*delivery)(nil)

// What a delivery has to send.
const (
	sendNext     = "next"
	sendError    = "error"
	sendComplete = "complete"
)

// Principal returns who has it, as it is now.
func (d *delivery) Principal() *model.Principal { return d.connection.Actor().Principal }

// Next gives the newest answer.
func (d *delivery) Next(answer []byte) {
	d.put(func() {
		if d.answer != nil {
			d.metrics.dropped.Inc()
		}
		d.answer = answer
	})
}

// End says that no more answers come, and why.
func (d *delivery) End(problems gqlerror.List) {
	d.put(func() { d.ended, d.problems = true, problems })
}

// finish says that no more answers come, as it should be.
func (d *delivery) finish() { d.put(func() { d.ended = true }) }

func (d *delivery) put(what func()) {
	d.mu.Lock()
	what()
	notify := !d.notified
	d.notified = true
	d.mu.Unlock()
	if notify {
		d.notify(d)
	}
}

// next returns what is to be sent next, "" where there is nothing. It is called until there is nothing.
func (d *delivery) next() (kind string, payload []byte, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.abandoned:
		return "", nil, nil
	case d.problems != nil:
		d.abandoned = true
		d.taken.release()
		payload, err = json.Marshal(d.problems)
		return sendError, payload, err
	case d.answer != nil:
		payload, d.answer = d.answer, nil
		return sendNext, payload, nil
	case d.ended:
		d.abandoned = true
		d.taken.release()
		return sendComplete, nil, nil
	}
	d.notified = false
	return "", nil, nil
}

// runOn says how to let go of what it runs on, which is done at once where it was abandoned meanwhile.
func (d *delivery) runOn(release func()) {
	d.mu.Lock()
	d.release = release
	abandoned := d.abandoned
	d.mu.Unlock()
	if abandoned {
		release()
	}
}

// abandon drops what is to be sent, and lets go of what the operation runs on.
func (d *delivery) abandon() {
	d.mu.Lock()
	d.abandoned, d.answer = true, nil
	d.taken.release()
	release := d.release
	d.mu.Unlock()
	if release != nil {
		release()
	}
}
