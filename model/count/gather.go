package count

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// gathering is a way to answer questions from their parts in the buckets. A
// question whose buckets are all as they were is answered from memory. Of all
// others, the parts of buckets that are as they were come from the caches, and
// the rest is counted, some buckets at a time.
type gathering struct {
	store *store.Store
	count bucketCounter
	// answers, and caches of parts, the nearest first. There may be none.
	answers *answers
	caches  []Cache
	layers  []*layer // of the caches
	// same makes equal questions about a bucket that are asked at once one.
	same singleflight.Group
}

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

// tally adds up the parts of one question.
type tally struct {
	question *Question
	text     string
	answer   *Answer
	// asked is the hash of what is asked of a bucket whose day is in the range.
	asked    [16]byte
	visitors *roaring64.Bitmap
	// values are the sums of the buckets, which are added in the end: the order of
	// floating-point additions must not depend on which bucket came first.
	values []float64
}

// answer answers questions.
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

func (g *gathering) site(ctx context.Context, site int64, tallies []*tally) error {
	all := tallies[0].question.In
	for _, t := range tallies {
		all.From, all.To = min(all.From, t.question.In.From), max(all.To, t.question.In.To)
	}
	buckets, err := g.store.Buckets(ctx, site, all)
	if err != nil {
		return err
	}
	if g.answers == nil {
		return g.add(ctx, buckets, tallies)
	}
	var unknown []*tally
	keys := g.answers.keys(buckets, tallies)
	for i, t := range tallies {
		if !g.answers.get(keys[i], t.answer) {
			unknown = append(unknown, t)
		}
	}
	if err := g.add(ctx, buckets, unknown); err != nil {
		return err
	}
	for i, t := range tallies {
		g.answers.set(keys[i], t.answer)
	}
	return nil
}

// add adds up what the tallies' questions gather in the buckets.
func (g *gathering) add(ctx context.Context, buckets []store.Bucket, tallies []*tally) error {
	for _, t := range tallies {
		t.values = make([]float64, len(buckets))
		t.asked = askedOf(t.text, t.question.Value)
	}
	shares := g.recall(ctx, buckets, tallies)
	counted := map[Key]Entry{}
	var mu sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range shares {
		group.Go(func() error {
			if err := g.countShare(within, s); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			s.hand(counted)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(counted) > 0 {
		for _, cache := range g.caches {
			cache.Set(ctx, counted)
		}
	}
	for _, t := range tallies {
		if t.visitors != nil {
			t.answer.Visitors = int(t.visitors.GetCardinality())
		}
		for _, value := range t.values {
			t.answer.Value += value
		}
	}
	return nil
}

// touches tells whether the question's range touches a day.
func (t *tally) touches(day model.Day) bool {
	return day.Start() < t.question.In.To && t.question.In.From < (day+1).Start()
}

// take takes what is known of the bucket at a place.
func (t *tally) take(entry Entry, at int, day model.Day) {
	t.answer.Sessions += int(entry.Sessions)
	t.values[at] = entry.Value
	if step := t.question.step(day); step >= 0 {
		t.answer.Steps[step] += int(entry.Sessions)
	}
}

// part returns what is to be counted in a bucket.
func (t *tally) part() *part {
	p := &part{Question: t.question, text: t.text, steps: make([]int, len(t.answer.Steps))}
	if t.question.Visitors {
		p.visitors = roaring64.New()
	}
	return p
}

// add adds what was counted in the bucket at a place.
func (t *tally) add(at int, p *part) {
	t.answer.Sessions += p.sessions
	t.values[at] = p.value
	for i, n := range p.steps {
		t.answer.Steps[i] += n
	}
	if p.visitors != nil {
		if t.visitors == nil {
			t.visitors = roaring64.New()
		}
		t.visitors.Or(p.visitors)
	}
}

// step returns the step that holds the whole day, -1 where none does.
func (q *Question) step(day model.Day) int {
	behind, _ := slices.BinarySearchFunc(q.Steps, day.Start(), func(step, start model.Millis) int {
		return cmp.Or(cmp.Compare(step, start), -1)
	})
	if behind == 0 || behind == len(q.Steps) || q.Steps[behind] < (day+1).Start() {
		return -1
	}
	return behind - 1
}

// splits tells whether a day's sessions are of more than one step, or of a step and
// none.
func (q *Question) splits(day model.Day) bool {
	return slices.ContainsFunc(q.Steps, func(step model.Millis) bool {
		return day.Start() < step && step < (day+1).Start()
	})
}

// sharing groups the parts that have a predicate in common, by its text.
func sharing(parts []*part) map[string][]*part {
	shared := map[string][]*part{}
	for _, p := range parts {
		shared[p.text] = append(shared[p.text], p)
	}
	return shared
}
