package count

import (
	"context"
	"maps"
	"runtime"
	"sync"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// part is what one question gathers in one bucket.
type part struct {
	*Question
	text     string // of the predicate
	sessions int
	visitors *roaring64.Bitmap // nil where the question does not ask
	value    float64
	steps    []int
}

// bucketCounter counts the parts of a bucket.
type bucketCounter func(ctx context.Context, bucket store.Bucket, parts []*part) error

// gathering is a way to answer questions from their parts in the buckets.
type gathering struct {
	store *store.Store
	count bucketCounter
	// caches are asked for parts first, the nearest before the others.
	caches []Cache
	layers []*layer // of the caches
	// same makes equal questions about a bucket that are asked at once one.
	same singleflight.Group
}

// answer answers questions. Some buckets are counted at a time.
func (g *gathering) answer(ctx context.Context, questions []Question) ([]Answer, error) {
	answers := make([]Answer, len(questions))
	bySite := map[int64][]*tally{}
	for i := range questions {
		q := &questions[i]
		answers[i].Steps = make([]int, max(0, len(q.Steps)-1))
		if q.Where != filter.Expr(filter.Bool(false)) && q.In.From < q.In.To {
			bySite[q.Site] = append(bySite[q.Site], &tally{question: q, text: q.Where.String(), answer: &answers[i]})
		}
	}
	for site, tallies := range bySite {
		if err := g.site(ctx, site, tallies); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// tally adds up the parts of one question.
type tally struct {
	question *Question
	text     string
	answer   *Answer
	visitors *roaring64.Bitmap
	// values are the sums of the buckets, which are added in the end: the order of
	// floating-point additions must not depend on which bucket came first.
	values []float64
}

func (g *gathering) site(ctx context.Context, site int64, tallies []*tally) error {
	all := tallies[0].question.In
	for _, t := range tallies {
		all.From, all.To = min(all.From, t.question.In.From), max(all.To, t.question.In.To)
	}
	buckets, err := g.store.Buckets(ctx, site, all)
	if err != nil {
		return err
	}
	for _, t := range tallies {
		t.values = make([]float64, len(buckets))
		t.visitors = roaring64.New()
	}
	shares := make([]*share, 0, len(buckets))
	for at, bucket := range buckets {
		if s := newShare(at, bucket, tallies); len(s.parts) > 0 {
			shares = append(shares, s)
		}
	}
	g.recall(ctx, shares)
	counted := map[Key]Entry{}
	var mu sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range shares {
		if len(s.unknown) == 0 {
			mu.Lock()
			s.hand()
			mu.Unlock()
			continue
		}
		group.Go(func() error {
			if err := g.countShare(within, s); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(counted, s.counted)
			s.hand()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, cache := range g.caches {
		cache.Set(ctx, counted)
	}
	for _, t := range tallies {
		t.answer.Visitors = int(t.visitors.GetCardinality())
		for _, value := range t.values {
			t.answer.Value += value
		}
	}
	return nil
}

// part returns what is to be counted on a day, nil where the range does not touch
// it.
func (t *tally) part(day model.Day) *part {
	if t.question.In.To <= day.Start() || (day+1).Start() <= t.question.In.From {
		return nil
	}
	p := &part{Question: t.question, text: t.text, steps: make([]int, len(t.answer.Steps))}
	if t.question.Visitors {
		p.visitors = roaring64.New()
	}
	return p
}

func (t *tally) add(at int, p *part) {
	t.answer.Sessions += p.sessions
	t.values[at] = p.value
	for i, n := range p.steps {
		t.answer.Steps[i] += n
	}
	if p.visitors != nil {
		t.visitors.Or(p.visitors)
	}
}

// sharing groups the parts that have a predicate in common, by its text.
func sharing(parts []*part) map[string][]*part {
	shared := map[string][]*part{}
	for _, p := range parts {
		shared[p.text] = append(shared[p.text], p)
	}
	return shared
}
