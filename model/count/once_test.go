package count

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model/partition"
)

// A call waits for one of its name that is in flight until it is cancelled itself, and is made in its place if the other
// is cancelled.
func TestOnce(t *testing.T) {
	t.Parallel()
	var flights singleflight.Group
	began, goOn := make(chan bool, 10), make(chan bool)
	ask := func(ctx context.Context) (int, error) {
		return Once(ctx, &flights, "name", func() (int, error) {
			began <- true
			select {
			case <-ctx.Done():
				return 0, errors.New("interrupted") // as a driver reports it
			case <-goOn:
				return 7, nil
			}
		})
	}
	leading, cancelLeading := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := ask(leading)
		ended <- err
	}()
	<-began

	impatient, cancelImpatient := context.WithCancel(t.Context())
	cancelImpatient()
	if _, err := ask(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient one: %v", err)
	}

	type answer struct {
		n   int
		err error
	}
	followed := make(chan answer, 1)
	go func() {
		n, err := ask(t.Context())
		followed <- answer{n, err}
	}()
	cancelLeading()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled one: %v", err)
	}
	<-began // again, for the follower
	close(goOn)
	if got := <-followed; got.err != nil || got.n != 7 {
		t.Errorf("the follower: %d, %v", got.n, got.err)
	}
}

// The spent budget of one call is not that of those who wait for it: they are answered by one of them, in its own.
func TestOnceOfBudgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var flights singleflight.Group
		calls, goOn := 0, make(chan bool)
		errs := make([]error, 4)
		for i := range errs {
			budget := time.Hour
			if i == 0 {
				budget = -1
			}
			ctx := partition.WithEvaluation(t.Context(), budget)
			go func() {
				_, errs[i] = Once(ctx, &flights, "name", func() (int, error) {
					calls++
					<-goOn
					return 7, partition.NewStopwatch(ctx).Err()
				})
			}()
			synctest.Wait()
		}
		goOn <- true // the first one's, while the others wait
		synctest.Wait()
		close(goOn)
		synctest.Wait()
		for i, err := range errs {
			if partition.IsOverBudget(err) != (i == 0) || i > 0 && err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		if calls != 2 {
			t.Errorf("%d calls", calls)
		}
	})
}
