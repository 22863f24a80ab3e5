package count

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Scan is the Engine that reads every session of the buckets in question and
// evaluates it. Buckets are streamed, some at a time, so that its memory does
// not grow with the range: what it keeps are counters, and a compressed bitmap
// of visitors where they are asked for.
type Scan struct {
	store   *store.Store
	workers int
}

// NewScan returns a Scan over a store.
func NewScan(st *store.Store) *Scan {
	return &Scan{store: st, workers: runtime.GOMAXPROCS(0)}
}

var _ Engine = (*Scan)(nil)

// Count answers questions together: each bucket is read once for all of them.
func (e *Scan) Count(ctx context.Context, questions []Question) ([]Answer, error) {
	answers := make([]Answer, len(questions))
	bySite := map[int64][]int{}
	for i, q := range questions {
		answers[i].Steps = make([]int, max(0, len(q.Steps)-1))
		if q.Where == filter.Expr(filter.Bool(false)) || q.In.From >= q.In.To {
			continue
		}
		bySite[q.Site] = append(bySite[q.Site], i)
	}
	for site, indexes := range bySite {
		if err := e.countSite(ctx, site, indexes, questions, answers); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// tally is what one question gathers.
type tally struct {
	question *Question
	// values are the sums of the buckets, which are added up in the end: the
	// order of floating-point additions must not depend on which came first.
	values []float64

	mu       sync.Mutex
	sessions int
	steps    []int
	visitors *roaring64.Bitmap
}

func (e *Scan) countSite(ctx context.Context, site int64, indexes []int, questions []Question, answers []Answer) error {
	all := questions[indexes[0]].In
	for _, i := range indexes {
		all.From, all.To = min(all.From, questions[i].In.From), max(all.To, questions[i].In.To)
	}
	buckets, err := e.store.Buckets(ctx, site, all)
	if err != nil {
		return err
	}
	tallies := make([]*tally, len(indexes))
	for n, i := range indexes {
		q := &questions[i]
		tallies[n] = &tally{question: q, values: make([]float64, len(buckets)), steps: answers[i].Steps}
		if q.Visitors {
			tallies[n].visitors = roaring64.New()
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(e.workers)
	for at, bucket := range buckets {
		group.Go(func() error { return e.countBucket(ctx, bucket, at, tallies) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for n, i := range indexes {
		answers[i].Sessions = tallies[n].sessions
		for _, value := range tallies[n].values {
			answers[i].Value += value
		}
		if tallies[n].visitors != nil {
			answers[i].Visitors = int(tallies[n].visitors.GetCardinality())
		}
	}
	return nil
}

// shared is a predicate that some questions have in common.
type shared struct {
	where filter.Expr
	parts []*part
}

// part is what one question gathers in one bucket.
type part struct {
	*tally
	sessions int
	steps    []int
	value    float64
	visitors *roaring64.Bitmap
}

func (e *Scan) countBucket(ctx context.Context, bucket store.Bucket, at int, tallies []*tally) error {
	var predicates []*shared
	byText := map[string]*shared{}
	withKeys := false
	for _, t := range tallies {
		if t.question.In.To <= bucket.Day.Start() || (bucket.Day+1).Start() <= t.question.In.From {
			continue
		}
		text := t.question.Where.String()
		if byText[text] == nil {
			byText[text] = &shared{where: t.question.Where}
			predicates = append(predicates, byText[text])
			withKeys = withKeys || filter.Uses(t.question.Where, filter.Visitor)
		}
		p := &part{tally: t, steps: make([]int, len(t.steps))}
		if t.visitors != nil {
			p.visitors = roaring64.New()
		}
		byText[text].parts = append(byText[text].parts, p)
	}
	if len(predicates) == 0 {
		return nil
	}
	err := e.store.EachSession(ctx, bucket.ID, withKeys, func(session *model.Session) error {
		for _, s := range predicates {
			if s.where.Match(session) {
				for _, p := range s.parts {
					p.add(session)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range predicates {
		for _, p := range s.parts {
			p.done(at)
		}
	}
	return nil
}

func (p *part) add(session *model.Session) {
	q := p.question
	if !q.In.Contains(session.Start) {
		return
	}
	p.sessions++
	if p.visitors != nil {
		p.visitors.Add(uint64(session.Visitor))
	}
	if q.Value != "" {
		event, _ := session.Event(q.Value)
		p.value += event.Sum
	}
	if len(p.steps) > 0 {
		behind := sort.Search(len(q.Steps), func(i int) bool { return q.Steps[i] > session.Start })
		if 0 < behind && behind < len(q.Steps) {
			p.steps[behind-1]++
		}
	}
}

// done hands the bucket's figures to the question's.
func (p *part) done(at int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.values[at] = p.value
	p.tally.sessions += p.sessions
	for i, n := range p.steps {
		p.tally.steps[i] += n
	}
	if p.visitors != nil {
		p.tally.visitors.Or(p.visitors)
	}
}

// newestFirst orders sessions as Sessions lists them.
func newestFirst(a, b Position) int {
	return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(b.ID.Bucket, a.ID.Bucket), cmp.Compare(b.ID.Ordinal, a.ID.Ordinal))
}

// PositionOf returns the session's place in a list that is ordered by start.
func PositionOf(s *model.Session) Position { return Position{Start: s.Start, ID: s.ID} }

// Sessions reads the buckets from the newest on until the page is full.
func (e *Scan) Sessions(ctx context.Context, q SessionQuery) ([]model.Session, error) {
	var page []model.Session
	if q.Limit <= 0 || q.Where == filter.Expr(filter.Bool(false)) || q.In.From >= q.In.To {
		return page, nil
	}
	in := q.In
	if q.After != nil {
		in.To = min(in.To, q.After.Start+1)
	}
	buckets, err := e.store.Buckets(ctx, q.Site, in)
	if err != nil {
		return nil, err
	}
	order := func(a, b model.Session) int { return newestFirst(PositionOf(&a), PositionOf(&b)) }
	for _, bucket := range slices.Backward(buckets) {
		var found []model.Session
		cut := func() {
			slices.SortFunc(found, order)
			found = found[:min(len(found), q.Limit-len(page))]
		}
		err := e.store.EachSession(ctx, bucket.ID, true, func(session *model.Session) error {
			if !in.Contains(session.Start) || q.After != nil && newestFirst(PositionOf(session), *q.After) <= 0 || !q.Where.Match(session) {
				return nil
			}
			if found = append(found, *session); len(found) >= 2*q.Limit {
				cut()
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		cut()
		if page = append(page, found...); len(page) == q.Limit {
			break
		}
	}
	return page, nil
}

// maxValues bounds the memory of Values: a field of more distinct values is asked
// about with a search.
const maxValues = 500_000

// Values counts the values of all sessions.
func (e *Scan) Values(ctx context.Context, q ValueQuery) ([]Value, error) {
	buckets, err := e.store.Buckets(ctx, q.Site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return nil, err
	}
	search := strings.ToLower(q.Search)
	var mu sync.Mutex
	counts := map[string]int{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(e.workers)
	for _, bucket := range buckets {
		group.Go(func() error {
			mine := map[string]int{}
			err := e.store.EachSession(ctx, bucket.ID, q.Field == filter.Visitor, func(session *model.Session) error {
				texts := q.Field.Texts(session)
				if len(texts) == 0 && q.None && q.Search == "" {
					mine[""]++
				}
				for _, text := range texts {
					if search == "" || strings.Contains(strings.ToLower(text), search) {
						mine[text]++
					}
				}
				if len(mine) > maxValues {
					return tooManyValues()
				}
				return nil
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
				return tooManyValues()
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

func tooManyValues() error {
	return model.Errorf(model.ResourceExhausted, "more than %d distinct values match; search for a part of the value", maxValues)
}
