package transport

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allowance"
)

// longRequest is the length in bytes from which a request waits for its turn to be read, and costs a point for each
// bytesPerPoint: decoding and checking it takes a processor for a while, and what it asks is only known afterwards.
const (
	longRequest   = 4 << 10
	bytesPerPoint = 10
)

// admission decides which operations may be carried out, and when: a caller has so many points in time, and so many
// operations at the same time, whatever connections they come by.
type admission struct {
	points allowance.Allowance // nil where points have no bound
	// heavy has a place for each heavy operation that may run at once, followed for each heavy answer of a subscription that
	// may be computed, and reading for each long request that may be read.
	heavy, followed, reading chan struct{}

	mu    sync.Mutex
	lanes map[string]*lane
}

// lane is what one caller has under way.
type lane struct {
	// waiting are those that run or wait. The lane is forgotten when it is empty.
	waiting               int
	light, heavy, reading chan struct{}
}

func newAdmission(points allowance.Allowance) *admission {
	// What is heavy leaves room for others.
	half := max(1, runtime.GOMAXPROCS(0)/2)
	return &admission{points: points, heavy: make(chan struct{}, half), followed: make(chan struct{}, half), reading: make(chan struct{}, half), lanes: map[string]*lane{}}
}

// charge takes the points that an operation is expected to cost from its caller. The error is ResourceExhausted, with
// the time after which they are there.
func (a *admission) charge(ctx context.Context, requested int) error {
	if a.points == nil {
		return nil
	}
	wait, ok := a.points.Take(ctx, callerOf(ctx), requested)
	switch {
	case ok:
		return nil
	case wait < 0:
		return model.Errorf(model.ResourceExhausted, "the request costs %d points, which is more than you ever have at once: ask for less", requested)
	}
	seconds := time.Duration(math.Ceil(wait.Seconds())) * time.Second
	err := model.Errorf(model.ResourceExhausted, "the request costs %d points, and you have used up yours: wait for %v, or ask for less", requested, seconds)
	err.RetryAfter = seconds
	return err
}

// settle takes what an operation has cost beyond what was expected, or gives the rest back.
func (a *admission) settle(ctx context.Context, requested, actual int) {
	if a.points != nil && actual != requested {
		a.points.Settle(ctx, callerOf(ctx), actual-requested)
	}
}

// callerOf names the caller, by whom points are counted: a key, a user, or the address of who shows neither.
func callerOf(ctx context.Context) string {
	actor := model.ActorOf(ctx)
	if actor.Kind != model.AnonymousPrincipal {
		return fmt.Sprint(actor.Kind, " ", actor.ID)
	}
	if address, err := netip.ParseAddr(actor.Address); err == nil {
		return allowance.SenderOf(address).String()
	}
	return actor.Address
}

// enter waits for the turn of an operation, and returns what ends it. The error is the context's.
func (a *admission) enter(ctx context.Context, isHeavy bool) (leave func(), err error) {
	return a.wait(ctx, func(l *lane) []chan struct{} {
		if !isHeavy {
			return []chan struct{}{l.light}
		}
		// One after another for each caller, and then in turn with those of others.
		return []chan struct{}{l.heavy, a.heavy}
	})
}

// read charges for a request of so many bytes, waits for its turn to be read, and returns what ends it. The error is that of
// charge, or the context's.
func (a *admission) read(ctx context.Context, length int) (leave func(), err error) {
	if err := a.chargeLength(ctx, length); err != nil {
		return nil, err
	}
	return a.enterReading(ctx, length)
}

// chargeLength is charge for a request of so many bytes.
func (a *admission) chargeLength(ctx context.Context, length int) error {
	if length < longRequest {
		return nil
	}
	return a.charge(ctx, length/bytesPerPoint)
}

// enterReading waits for the turn of a request of so many bytes to be read, and returns what ends it. The error is the context's.
func (a *admission) enterReading(ctx context.Context, length int) (leave func(), err error) {
	if length < longRequest {
		return func() {}, nil
	}
	return a.wait(ctx, func(l *lane) []chan struct{} { return []chan struct{}{l.reading, a.reading} })
}

// wait waits for turns of the caller, one after another, and returns what ends them.
func (a *admission) wait(ctx context.Context, turnsOf func(*lane) []chan struct{}) (leave func(), err error) {
	who := callerOf(ctx)
	turns, taken := turnsOf(a.lane(who)), 0
	leave = func() {
		for _, turn := range turns[:taken] {
			<-turn
		}
		a.forget(who)
	}
	for _, turn := range turns {
		select {
		case turn <- struct{}{}:
			taken++
		case <-ctx.Done():
			leave()
			return nil, ctx.Err()
		}
	}
	return leave, nil
}

func (a *admission) lane(who string) *lane {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lanes[who]
	if l == nil {
		l = &lane{light: make(chan struct{}, 16*runtime.GOMAXPROCS(0)), heavy: make(chan struct{}, 1), reading: make(chan struct{}, 1)}
		a.lanes[who] = l
	}
	l.waiting++
	return l
}

func (a *admission) forget(who string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lanes[who]
	if l.waiting--; l.waiting == 0 {
		delete(a.lanes, who)
	}
}

// begin charges for an operation and waits for its turn. end is to be called when it is done.
func (a *admission) begin(ctx context.Context, operation *graphql.OperationContext) (end func(), err error) {
	requested, _ := graph.Cost(operation)
	if err := a.charge(ctx, requested); err != nil {
		return nil, err
	}
	leave, err := a.enter(ctx, graph.IsHeavy(operation))
	if err != nil {
		a.settle(ctx, requested, 0)
		return nil, err
	}
	return func() {
		leave()
		a.settle(ctx, requested, graph.Points(operation))
	}, nil
}

// compute waits for the turn of a subscription's answer. It costs nobody points: those who follow it have paid when they
// subscribed, and share it.
func (a *admission) compute(ctx context.Context, source *graph.Source) (end func()) {
	if !source.IsHeavy() {
		return func() {}
	}
	select {
	case a.followed <- struct{}{}:
		return func() { <-a.followed }
	case <-ctx.Done():
		return func() {} // the computation finds out by itself
	}
}

// retryAfter returns the seconds after which a refused request may be sent again, "" where that makes no difference.
func retryAfter(problems gqlerror.List) string {
	for _, problem := range problems {
		if seconds, ok := problem.Extensions["retryAfter"].(int); ok {
			return strconv.Itoa(seconds)
		}
	}
	return ""
}
