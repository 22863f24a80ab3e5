package count

import (
	"context"
	"slices"
	"sync"

	"github.com/goalgraph/goalgraph/model/store"
)

// Watch notes the partitions that were read at other revisions than they were asked for at. What was made of these is
// right, and is not to be kept by the revisions that were asked for. To look afterwards whether partitions have moved is
// not enough: a database that has lost a write is at a revision again.
type Watch struct {
	outer *Watch // of the context that the watch's was made from; nil for none
	mu    sync.Mutex
	moved map[int64]bool
}

type watchKey struct{}

// WithWatch returns a context whose readings are watched. A watch of the context goes on.
func WithWatch(ctx context.Context) (context.Context, *Watch) {
	w := &Watch{moved: map[int64]bool{}}
	w.outer, _ = ctx.Value(watchKey{}).(*Watch)
	return context.WithValue(ctx, watchKey{}, w), w
}

// NoteRead tells the context's watch that a partition was read at a revision.
func NoteRead(ctx context.Context, p *store.Partition, revision store.Revision) {
	if revision == p.Revision {
		return
	}
	w, _ := ctx.Value(watchKey{}).(*Watch)
	for ; w != nil; w = w.outer {
		w.mu.Lock()
		w.moved[p.ID] = true
		w.mu.Unlock()
	}
}

// HaveMoved tells whether some partitions were read at other revisions.
func (w *Watch) HaveMoved(partitions []store.Partition) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(partitions, func(p store.Partition) bool { return w.moved[p.ID] })
}
