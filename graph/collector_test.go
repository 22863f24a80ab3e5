package graph

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

// squares answers with the square of each number, and keeps the batches that it was asked.
type squares struct {
	mu      sync.Mutex
	batches [][]int
	// begun is told when a batch is asked, which is answered when release says so; nil for at once.
	begun, release chan struct{}
	err            error
}

func (s *squares) answer(_ context.Context, numbers []int) ([]int, error) {
	s.mu.Lock()
	s.batches = append(s.batches, numbers)
	s.mu.Unlock()
	if s.begun != nil {
		s.begun <- struct{}{}
		<-s.release
	}
	answers := make([]int, len(numbers))
	for i, n := range numbers {
		answers[i] = n * n
	}
	return answers, s.err
}

// What is registered is asked with the first that is needed, and once.
func TestCollectorAsksTogether(t *testing.T) {
	t.Parallel()
	s := new(squares)
	c := newCollector(s.answer)
	promises := c.registerAll([]int{1, 2, 3})
	for _, place := range []int{1, 0, 2, 1} {
		if answer, err := promises[place].wait(t.Context()); err != nil || answer != (place+1)*(place+1) {
			t.Errorf("%d, %v", answer, err)
		}
	}
	if answer, err := c.ask(t.Context(), 4); err != nil || answer != 16 {
		t.Errorf("%d, %v", answer, err)
	}
	if len(s.batches) != 2 || !slices.Equal(s.batches[0], []int{1, 2, 3}) || !slices.Equal(s.batches[1], []int{4}) {
		t.Errorf("asked %v", s.batches)
	}
}

// A question that is asked alone does not wait for others; those that come while it is answered are asked together.
func TestCollectorDoesNotWait(t *testing.T) {
	t.Parallel()
	s := &squares{begun: make(chan struct{}), release: make(chan struct{})}
	c := newCollector(s.answer)
	var fields sync.WaitGroup
	fields.Go(func() { _, _ = c.ask(t.Context(), 1) })
	<-s.begun
	for _, p := range c.registerAll([]int{2, 3, 4}) {
		fields.Go(func() {
			if _, err := p.wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	// Who gives up while others are answered is not held up.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.ask(ctx, 5); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.release <- struct{}{}
	<-s.begun
	s.release <- struct{}{}
	fields.Wait()
	if len(s.batches) != 2 || !slices.Equal(s.batches[1], []int{2, 3, 4, 5}) {
		t.Errorf("asked %v", s.batches)
	}
}

// Whatever becomes of a batch, all that wait for it hear of it, and the next one is asked.
func TestCollectorFails(t *testing.T) {
	t.Parallel()
	s := &squares{err: errors.New("the disk is on fire")}
	c := newCollector(s.answer)
	for _, p := range c.registerAll([]int{1, 2}) {
		if _, err := p.wait(t.Context()); !errors.Is(err, s.err) {
			t.Error(err)
		}
	}
	panics := newCollector(func(context.Context, []int) ([]int, error) { panic("at the disco") })
	for range 2 {
		if _, err := panics.ask(t.Context(), 1); err == nil {
			t.Error("a panic is no answer")
		}
	}
}

// Who shares a collector with an operation that is cancelled gets an answer all the same.
func TestCollectorIsCancelled(t *testing.T) {
	t.Parallel()
	s := &squares{begun: make(chan struct{}), release: make(chan struct{})}
	c := newCollector(func(ctx context.Context, numbers []int) ([]int, error) {
		answers, _ := s.answer(ctx, numbers)
		return answers, ctx.Err()
	})
	promises := c.registerAll([]int{2, 3})
	ctx, cancel := context.WithCancel(t.Context())
	var operations sync.WaitGroup
	operations.Go(func() {
		if _, err := promises[0].wait(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-s.begun
	operations.Go(func() {
		if answer, err := promises[1].wait(t.Context()); err != nil || answer != 9 {
			t.Errorf("%d, %v", answer, err)
		}
	})
	cancel()
	s.release <- struct{}{}
	<-s.begun
	s.release <- struct{}{}
	operations.Wait()
}

// A key is loaded once, however often it is asked for.
func TestLoader(t *testing.T) {
	t.Parallel()
	s := new(squares)
	l := newLoader(s.answer)
	for range 2 {
		if answers, err := l.loadAll(t.Context(), []int{3, 2, 3}); err != nil || !slices.Equal(answers, []int{9, 4, 9}) {
			t.Errorf("%v, %v", answers, err)
		}
	}
	if len(s.batches) != 1 || !slices.Equal(s.batches[0], []int{3, 2}) {
		t.Errorf("loaded %v", s.batches)
	}
}
