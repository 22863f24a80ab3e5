package count

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/singleflight"
)

// Once calls do. If a call of the same name is in flight, Once waits for it and shares its result, unless that call was
// cancelled and this one was not.
func Once[T any](ctx context.Context, flights *singleflight.Group, name string, do func() (T, error)) (result T, err error) {
	done := flights.DoChan(name, func() (any, error) {
		result, err := do()
		if err != nil && ctx.Err() != nil {
			// Drivers report cancellation in many ways; this normalises them.
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return result, err
	})
	select {
	case <-ctx.Done():
		return result, ctx.Err()
	case shared := <-done:
		if shared.Err != nil && ctx.Err() == nil && isCancellation(shared.Err) {
			return do()
		}
		return shared.Val.(T), shared.Err
	}
}

// isCancellation tells whether an error is that of a context that is done.
func isCancellation(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
