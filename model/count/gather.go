package count

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// gathering is a way to answer questions from their parts in the partitions. A
// question whose partitions are all as they were is answered from memory, and one of
// which only the newest partition has changed from what all others came to. Of the
// rest, the parts of partitions that are as they were come from the caches, and what
// then is unknown is counted, some partitions at a time.
type gathering struct {
	store *store.Store
	count partitionCounter
	// answers, and caches of parts, the nearest first. There may be none.
	answers *answers
	caches  []Cache
	layers  []*layer // of the caches
	// same makes equal questions about a partition that are asked at once one.
	same singleflight.Group
	// ready returns an error where a computation is not known for partitions. It is set
	// where answers are.
	ready func(ctx context.Context, key string, partitions []store.Partition) error
	// assigned returns the rosters that a predicate needs.
	assigned func(ctx context.Context, site int64, where filter.Expr) (rosters, error)
}

// part is what one question gathers in one partition.
type part struct {
	*Question
	text  string // of the predicate
	where *column.Predicate
	// computations are the keys of those that the predicate needs.
	computations []string
	assigned     rosters
	sessions     int
	visitors     *roaring64.Bitmap // nil where the question does not ask
	value        float64
	steps        []int
	// err says why the part is not counted, while others are.
	err error
}

// partitionCounter counts the parts of a partition.
type partitionCounter func(ctx context.Context, partition store.Partition, parts []*part) error

// tally adds up the parts of one question.
type tally struct {
	question     *Question
	text         string            // of the predicate
	where        *column.Predicate // made when a part is
	computations []string
	// assigned are the rosters that the predicate needs. What depends on them is of more
	// than the partitions that are asked, and is in no cache.
	assigned rosters
	answer   *Answer
	// whole is the hash of all that the question says, and equal are the answers to those
	// that say the same.
	whole [16]byte
	equal []*Answer
	// err says why there is no answer.
	err error
	// asked is the hash of what is asked of a partition whose day is in the range.
	asked [16]byte
	// older is the answer over all partitions but the newest, which are asked only where
	// it is not known.
	older      Answer
	olderKnown bool
	newest     int // place of the newest partition
	// wholeKey and olderKey name answer and older.
	wholeKey, olderKey answerKey
	// visitors are those of the newest partition, and olderVisitors those of the others,
	// which are not changed once they are known: the numbers of both do not add up.
	visitors, olderVisitors *roaring64.Bitmap
	// values are the sums of the partitions, which are added in the end: the order of
	// floating-point additions must not depend on which partition came first.
	values []float64
}

// answer answers questions. Equal ones are counted once.
func (g *gathering) answer(ctx context.Context, questions []Question) ([]Answer, error) {
	answers := make([]Answer, len(questions))
	bySite := map[int64][]*tally{}
	tallies := map[[16]byte]*tally{} // by what is asked
	for i := range questions {
		q := &questions[i]
		answers[i].Steps = make([]int, max(0, len(q.Steps)-1))
		if q.Where == filter.Expr(filter.Bool(false)) || q.In.From >= q.In.To {
			continue
		}
		text := q.Where.String()
		asked := q.hash(text)
		t := tallies[asked]
		if t == nil {
			t = &tally{question: q, whole: asked, text: text, computations: filter.Computations(q.Where), answer: &answers[i]}
			tallies[asked] = t
			bySite[q.Site] = append(bySite[q.Site], t)
		} else {
			t.equal = append(t.equal, &answers[i])
		}
	}
	for site, tallies := range bySite {
		if err := g.site(ctx, site, tallies); err != nil {
			return nil, err
		}
	}
	for _, t := range tallies {
		for _, answer := range t.equal {
			*answer = *t.answer
			answer.Steps = slices.Clone(t.answer.Steps)
		}
	}
	return answers, nil
}

func (g *gathering) site(ctx context.Context, site int64, tallies []*tally) error {
	all := tallies[0].question.In
	for _, t := range tallies {
		all.From, all.To = min(all.From, t.question.In.From), max(all.To, t.question.In.To)
	}
	partitions, err := g.store.Partitions(ctx, site, all)
	if err != nil {
		return err
	}
	if tallies, err = g.assign(ctx, site, tallies); err != nil {
		return err
	}
	if g.answers == nil || len(partitions) == 0 {
		return g.add(ctx, partitions, tallies)
	}
	var unknown []*tally
	g.answers.name(partitions, tallies)
	for _, t := range tallies {
		if t.assigned == nil && g.answers.get(t.wholeKey, t.answer, nil) {
			continue
		}
		t.olderKnown = t.assigned == nil && g.answers.get(t.olderKey, &t.older, &t.olderVisitors)
		t.newest = len(partitions) - 1
		unknown = append(unknown, t)
	}
	unknown, err = g.whole(ctx, partitions, unknown)
	if err != nil {
		return err
	}
	if err := g.add(ctx, partitions, unknown); err != nil {
		return err
	}
	for _, t := range unknown {
		if t.err != nil || t.assigned != nil {
			continue
		}
		g.answers.set(t.wholeKey, t.answer, nil)
		if !t.olderKnown {
			g.answers.set(t.olderKey, &t.older, t.olderVisitors)
		}
	}
	return nil
}

// assign gives the tallies their rosters. Those that have none for a reason have it for
// their errors, and are left out.
func (g *gathering) assign(ctx context.Context, site int64, tallies []*tally) (able []*tally, err error) {
	type result struct {
		assigned rosters
		err      error
	}
	results := map[string]result{} // by the experiments that are needed
	for _, t := range tallies {
		keys := filter.Experiments(t.question.Where)
		if len(keys) == 0 {
			able = append(able, t)
			continue
		}
		needed := strings.Join(keys, "\x00")
		r, found := results[needed]
		if !found {
			r.assigned, r.err = g.assigned(ctx, site, t.question.Where)
			results[needed] = r
		}
		switch {
		case r.err == nil:
			t.assigned = r.assigned
			able = append(able, t)
		case ctx.Err() != nil || model.CodeOf(r.err) == model.Internal:
			return nil, r.err
		default:
			t.fail(r.err)
		}
	}
	return able, nil
}

// whole returns the tallies whose computations are known for all their partitions. The
// others have their errors.
func (g *gathering) whole(ctx context.Context, partitions []store.Partition, tallies []*tally) (whole []*tally, err error) {
	type need struct {
		key   string
		in    model.Range
		older bool
	}
	errs := map[need]error{} // most questions are about one range
	for _, t := range tallies {
		for _, key := range t.computations {
			n := need{key, t.question.In, !t.olderKnown}
			err, found := errs[n]
			if !found {
				var asked []store.Partition
				for at := range partitions {
					if t.asks(at, partitions[at].Day) {
						asked = append(asked, partitions[at])
					}
				}
				err = g.ready(ctx, key, asked)
				errs[n] = err
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				t.fail(err)
				break
			}
		}
		if t.err == nil {
			whole = append(whole, t)
		}
	}
	return whole, nil
}

// fail makes the error the tally's answer.
func (t *tally) fail(err error) {
	t.err = err
	*t.answer = Answer{Steps: make([]int, max(0, len(t.question.Steps)-1)), Err: err}
}

// add adds up what the tallies' questions gather in the partitions.
func (g *gathering) add(ctx context.Context, partitions []store.Partition, tallies []*tally) error {
	for _, t := range tallies {
		t.values = make([]float64, len(partitions))
		t.asked = askedOf(t.text, t.question.Value)
		t.newest = len(partitions) - 1
		if t.question.Visitors {
			t.visitors = roaring64.New()
		}
		if t.olderKnown {
			continue
		}
		t.older.Steps = make([]int, len(t.answer.Steps))
		if t.question.Visitors {
			t.olderVisitors = roaring64.New()
		}
	}
	shares := g.recall(ctx, partitions, tallies)
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
		if t.err == nil {
			t.finish()
		} else {
			t.fail(t.err)
		}
	}
	return nil
}

// finish adds up the answer.
func (t *tally) finish() {
	if t.visitors != nil {
		t.answer.Visitors = int(t.visitors.OrCardinality(t.olderVisitors))
	}
	for at, value := range t.values {
		if at < t.newest {
			t.older.Value += value // 0 where it is known
		} else {
			t.answer.Value = t.older.Value + value
		}
	}
	t.answer.Sessions += t.older.Sessions
	for i, n := range t.older.Steps {
		t.answer.Steps[i] += n
	}
}

// touches tells whether the question's range touches a day.
func (t *tally) touches(day model.Day) bool {
	return day.Start() < t.question.In.To && t.question.In.From < (day+1).Start()
}

// asks tells whether the partition at a place is to be asked.
func (t *tally) asks(at int, day model.Day) bool {
	return t.touches(day) && !(t.olderKnown && at < t.newest)
}

// sum is what the partition at a place is added to.
func (t *tally) sum(at int) *Answer {
	if at < t.newest {
		return &t.older
	}
	return t.answer
}

// take takes what is known of the partition at a place.
func (t *tally) take(entry Entry, at int, day model.Day) {
	sum := t.sum(at)
	sum.Sessions += int(entry.Sessions)
	t.values[at] = entry.Value
	if step := t.question.step(day); step >= 0 {
		sum.Steps[step] += int(entry.Sessions)
	}
}

// part returns what is to be counted in a partition.
func (t *tally) part() *part {
	if t.where == nil {
		t.where = column.Prepare(t.question.Where)
	}
	p := &part{Question: t.question, text: t.text, where: t.where, computations: t.computations, assigned: t.assigned, steps: make([]int, len(t.answer.Steps))}
	if t.question.Visitors {
		p.visitors = roaring64.New()
	}
	return p
}

// add adds what was counted in the partition at a place.
func (t *tally) add(at int, p *part) {
	if p.err != nil {
		t.err = p.err
		return
	}
	sum := t.sum(at)
	sum.Sessions += p.sessions
	t.values[at] = p.value
	for i, n := range p.steps {
		sum.Steps[i] += n
	}
	if p.visitors != nil {
		visitors := t.visitors
		if at < t.newest {
			visitors = t.olderVisitors
		}
		visitors.Or(p.visitors)
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
