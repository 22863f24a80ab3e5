package count

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// PositionOf returns the session's place in a list that is ordered by start.
func PositionOf(s *model.Session) Position { return Position{Start: s.Start, ID: s.ID} }

// newestFirst orders sessions as Sessions lists them.
func newestFirst(a, b Position) int {
	return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(b.ID.Partition, a.ID.Partition), cmp.Compare(b.ID.Ordinal, a.ID.Ordinal))
}

// newest returns the newest of the sessions, in their order. It reorders them.
func newest(sessions []model.Session, limit int) []model.Session {
	slices.SortFunc(sessions, func(a, b model.Session) int { return newestFirst(PositionOf(&a), PositionOf(&b)) })
	return sessions[:min(len(sessions), limit)]
}

// listSessions fills a page from the newest partition on. find returns at least the
// newest limit of a partition's sessions that match and come after q.After.
func listSessions(ctx context.Context, st *store.Store, q SessionQuery,
	find func(partition store.Partition, in model.Range, limit int) ([]model.Session, error)) ([]model.Session, error) {
	var page []model.Session
	if q.Limit <= 0 || q.Where == filter.Expr(filter.Bool(false)) || q.In.From >= q.In.To {
		return page, nil
	}
	in := q.In
	if q.After != nil {
		in.To = min(in.To, q.After.Start+1)
	}
	partitions, err := st.Partitions(ctx, q.Site, in)
	if err != nil {
		return nil, err
	}
	for _, partition := range slices.Backward(partitions) {
		found, err := find(partition, in, q.Limit-len(page))
		if err != nil {
			return nil, err
		}
		if page = append(page, newest(found, q.Limit-len(page))...); len(page) == q.Limit {
			break
		}
	}
	return page, nil
}

// maxValues bounds the memory of Values: a field of more distinct values is asked
// about with a search.
const maxValues = 500_000

// listValues adds up what each tells of the values in a partition, the empty text
// standing for none. Some partitions are counted at a time.
func listValues(ctx context.Context, st *store.Store, q ValueQuery,
	each func(ctx context.Context, partition store.Partition, add func(text string, sessions int)) error) ([]Value, error) {
	partitions, err := st.Partitions(ctx, q.Site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return nil, err
	}
	search := strings.ToLower(q.Search)
	wanted := func(text string) bool {
		if text == "" {
			return q.None && search == ""
		}
		return search == "" || strings.Contains(strings.ToLower(text), search)
	}
	var mu sync.Mutex
	counts := map[string]int{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, partition := range partitions {
		group.Go(func() error {
			mine := map[string]int{}
			err := each(ctx, partition, func(text string, sessions int) {
				if len(mine) <= maxValues && wanted(text) {
					mine[text] += sessions
				}
			})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for text, n := range mine {
				counts[text] += n
			}
			if len(counts) > maxValues {
				return model.Errorf(model.ResourceExhausted, "more than %d distinct values match; search for a part of the value", maxValues)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	values := make([]Value, 0, len(counts))
	for text, n := range counts {
		values = append(values, Value{Text: text, Sessions: n})
	}
	slices.SortFunc(values, func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), strings.Compare(a.Text, b.Text))
	})
	return values[:min(len(values), q.Limit)], nil
}
