package graph

import (
	"context"
	"errors"
	"sync"

	"github.com/goalgraph/goalgraph/model/count"
)

// collector has what the fields of one operation ask answered together. A field registers its question and gets a
// promise; a field that knows what its children will ask registers that too. Nobody waits for questions that may come:
// whoever needs an answer first has all answered that are registered. Questions that are registered meanwhile are the
// next batch.
type collector[Q, A any] struct {
	answer func(context.Context, []Q) ([]A, error)
	// turn is held while a batch is answered.
	turn chan struct{}

	mu   sync.Mutex
	next *batch[Q, A] // nil while no question is registered
}

// batch is what is answered together. Answers, one a question in their order, and err are set when done is closed.
type batch[Q, A any] struct {
	questions []Q
	answers   []A
	err       error
	done      chan struct{}
}

// promise is the answer to a question that is registered.
type promise[Q, A any] struct {
	collector *collector[Q, A]
	batch     *batch[Q, A]
	place     int
}

// newCollector returns a collector of questions that answer answers together, in their order.
func newCollector[Q, A any](answer func(context.Context, []Q) ([]A, error)) *collector[Q, A] {
	return &collector[Q, A]{answer: answer, turn: make(chan struct{}, 1)}
}

// register takes in a question. It is answered when it or another one of its batch is waited for.
func (c *collector[Q, A]) register(question Q) promise[Q, A] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = &batch[Q, A]{done: make(chan struct{})}
	}
	c.next.questions = append(c.next.questions, question)
	return promise[Q, A]{c, c.next, len(c.next.questions) - 1}
}

// ask registers a question and waits for its answer.
func (c *collector[Q, A]) ask(ctx context.Context, question Q) (A, error) {
	return c.register(question).wait(ctx)
}

// registerAll is register for several questions.
func (c *collector[Q, A]) registerAll(questions []Q) []promise[Q, A] {
	promises := make([]promise[Q, A], len(questions))
	for i, question := range questions {
		promises[i] = c.register(question)
	}
	return promises
}

// begin has what is registered answered while the caller goes on.
func (c *collector[Q, A]) begin(ctx context.Context) {
	c.mu.Lock()
	batch := c.next
	c.mu.Unlock()
	if batch != nil {
		go func() { _, _ = promise[Q, A]{c, batch, 0}.wait(ctx) }() // who needs an answer gets the error
	}
}

// wait returns the answer. The error is the context's, or the one that answering the batch ended with.
func (p promise[Q, A]) wait(ctx context.Context) (A, error) {
	answer, err := p.await(ctx)
	if err != nil && ctx.Err() == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		// The operation that had the batch answered was cancelled, and this one, which shares its collector, was not.
		return p.collector.register(p.batch.questions[p.place]).await(ctx)
	}
	return answer, err
}

func (p promise[Q, A]) await(ctx context.Context) (answer A, err error) {
	select {
	case <-p.batch.done:
	case <-ctx.Done():
		return answer, ctx.Err()
	case p.collector.turn <- struct{}{}:
		p.collector.dispatch(ctx, p.batch)
		<-p.collector.turn
	}
	if p.batch.err != nil {
		return answer, p.batch.err
	}
	return p.batch.answers[p.place], nil
}

func waitAll[Q, A any](ctx context.Context, promises []promise[Q, A]) ([]A, error) {
	answers := make([]A, len(promises))
	for i, p := range promises {
		var err error
		if answers[i], err = p.wait(ctx); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// dispatch answers a batch, unless another one that had the turn before has done so.
func (c *collector[Q, A]) dispatch(ctx context.Context, b *batch[Q, A]) {
	select {
	case <-b.done:
		return
	default:
	}
	c.mu.Lock()
	c.next = nil // which was b: the turn came to nobody who waits for another one
	c.mu.Unlock()
	b.answers, b.err = count.Safely(func() ([]A, error) { return c.answer(ctx, b.questions) })
	close(b.done)
}

// loader is a collector that loads each key once.
type loader[K comparable, V any] struct {
	*collector[K, V]
	mu    sync.Mutex
	known map[K]promise[K, V]
}

func newLoader[K comparable, V any](load func(context.Context, []K) ([]V, error)) *loader[K, V] {
	return &loader[K, V]{collector: newCollector(load), known: map[K]promise[K, V]{}}
}

// register takes in a key.
func (l *loader[K, V]) register(key K) promise[K, V] {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known := l.known[key]
	if !known {
		p = l.collector.register(key)
		l.known[key] = p
	}
	return p
}

// load returns what the key stands for.
func (l *loader[K, V]) load(ctx context.Context, key K) (V, error) { return l.register(key).wait(ctx) }

// loadAll is load for several keys.
func (l *loader[K, V]) loadAll(ctx context.Context, keys []K) ([]V, error) {
	promises := make([]promise[K, V], len(keys))
	for i, key := range keys {
		promises[i] = l.register(key)
	}
	return waitAll(ctx, promises)
}
