package count

import (
	"context"
	"errors"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

func newTestShare() *share {
	where := filter.Bool(true)
	question := &Question{In: model.Range{From: 0, To: model.Open}, Where: where}
	return &share{
		partition: store.Partition{ID: 1, Revision: 1},
		parts:     []*part{{Question: question, text: where.String(), where: column.Prepare(where)}},
		keys:      []Key{{Partition: 1, Revision: 1}},
	}
}

// Who asks what another one is counting waits for it, until it is cancelled
// itself; and counts where the other one is cancelled.
func TestEqualQuestionsAreCancelledEachByItself(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan bool, 10), make(chan bool)
	g := &gathering{count: func(ctx context.Context, _ store.Partition, parts []*part) error {
		began <- true
		select {
		case <-ctx.Done():
			return errors.New("interrupted") // as a driver says it
		case <-goOn:
			parts[0].sessions = 7
			return nil
		}
	}}
	leading, cancelLeading := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.countShare(leading, newTestShare()) }()
	<-began

	impatient, cancelImpatient := context.WithCancel(t.Context())
	cancelImpatient()
	if err := g.countShare(impatient, newTestShare()); !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient one: %v", err)
	}

	following := newTestShare()
	followed := make(chan error, 1)
	go func() { followed <- g.countShare(t.Context(), following) }()
	cancelLeading()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled one: %v", err)
	}
	<-began // again, for the follower
	close(goOn)
	if err := <-followed; err != nil || following.parts[0].sessions != 7 {
		t.Errorf("the follower: %d sessions, %v", following.parts[0].sessions, err)
	}
}
