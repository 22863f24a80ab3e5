package count

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sync/singleflight"
)

// A call waits for one of its name that is in flight until it is cancelled itself, and goes on alone if the other is
// cancelled.
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
