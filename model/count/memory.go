package count

import (
	"context"
	"sync/atomic"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Breakdowns and lists of values take memory that grows with what sessions have, not with what is asked. Each of them has a
// memory, which bounds it whatever it finds, and all that are made at a time share a room, which they enter by what they
// may take at most. An operation is in it once at a time, so that one that asks for many keeps nobody out.

// memory bounds what is taken while one answer is made, in bytes, about. All who work at it share it.
type memory struct {
	most  int
	taken atomic.Int64
	// refuse returns the error of what does not fit.
	refuse func(most int) error
}

// loan is what one of them has taken. It is not safe for concurrent use.
type loan struct {
	of    *memory
	bytes int
}

func (m *memory) lend() *loan { return &loan{of: m} }

// take takes bytes. The error says that there is no room.
func (l *loan) take(bytes int) error {
	l.bytes += bytes
	if taken := l.of.taken.Add(int64(bytes)); taken > int64(l.of.most) {
		return l.of.refuse(l.of.most)
	}
	return nil
}

// give gives bytes back.
func (l *loan) give(bytes int) {
	l.bytes -= bytes
	l.of.taken.Add(-int64(bytes))
}

// end gives everything back.
func (l *loan) end() { l.give(l.bytes) }

type turnKey struct{}

// WithTurn returns a context, that of an operation, in which breakdowns and lists of values are made one after another.
func WithTurn(ctx context.Context) context.Context {
	return context.WithValue(ctx, turnKey{}, make(chan struct{}, 1))
}

// enter waits for the turn of the context and then until there is room for bytes. leave is to be called in the end.
func (e *ColumnEngine) enter(ctx context.Context, bytes int) (leave func(), err error) {
	turn, hasTurn := ctx.Value(turnKey{}).(chan struct{})
	if hasTurn {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err = e.room.Acquire(ctx, int64(bytes)); err != nil && hasTurn {
		<-turn
	}
	return func() {
		e.room.Release(int64(bytes))
		if hasTurn {
			<-turn
		}
	}, err
}

// sessionBytes is about what a session takes at most in a set of visitors or a list of lengths, and valuesBytes what the rows
// of all the values that it has do.
const sessionBytes, valuesBytes = 8, 4096

// mayTake is about what sessions of partitions take at most, each so many bytes, and no more than an answer may take.
func (e *ColumnEngine) mayTake(partitions []store.Partition, each int) int {
	bytes := 0
	for i := range partitions {
		if bytes += int(partitions[i].Sessions) * each; bytes >= e.tableBytes {
			return e.tableBytes
		}
	}
	return bytes
}

func errTooManyRows(most int) error {
	return model.Errorf(model.ResourceExhausted,
		"the rows of the breakdown do not fit into %d KiB: filter the sessions, take a shorter range, break down by one dimension, or ask for fewer goals or rows", most>>10)
}

func errTooManyValues(most int) error {
	return model.Errorf(model.ResourceExhausted,
		"the values that match do not fit into %d KiB: search for a longer part of the value, filter the sessions, or take a shorter range", most>>10)
}
