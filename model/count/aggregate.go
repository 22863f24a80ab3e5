package count

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/store"
)

// aggregate is the answer to one question on its way. It adds up the partial aggregates of the partitions: those of
// the sealed ones, which mostly stay as they are, apart from that of the head.
type aggregate struct {
	question *Question
	text     string            // of the predicate
	where    *column.Predicate // made when the first scan needs it
	among    *column.Predicate // the same of the question's Among
	need     *need             // nil where columns are enough
	answer   *Answer
	// duplicates are the answers to equal questions.
	duplicates []*Answer
	// err says why there is no answer.
	err error
	// hasMoved tells that a partition was counted as it was later than the question saw it: the answer is right, and is
	// not that of the partitions that it would be kept by.
	hasMoved bool

	// fingerprint is of the question; partialFingerprint is of what is asked of a partition whose day is in the range.
	fingerprint, partialFingerprint Fingerprint
	answerKey, sealedKey            answerKey

	// head is the place of the newest partition. sealed is the answer over the others, which are asked only if it is not
	// known.
	head        int
	sealed      Answer
	sealedKnown bool
	// visitors are those of the head. The sealed ones do not change once they are known: the numbers of both do not add up.
	visitors, sealedVisitors *visitors
	// mu is held while visitors are added. gathering bounds them.
	mu        sync.Mutex
	gathering *gathering
}

// isLocal tells whether what the question counts in a partition follows from the partition alone.
func (a *aggregate) isLocal() bool { return a.need == nil || a.need.IsLocal() }

// fail makes an error the question's answer.
func (a *aggregate) fail(err error) {
	a.err = err
	*a.answer = Answer{Steps: make([]int, max(0, len(a.question.Steps)-1)), Err: err}
}

// asks tells whether the partition at a place is to be asked.
func (a *aggregate) asks(at int, day model.Day) bool {
	return touches(a.question.In, day) && !(a.sealedKnown && at < a.head)
}

// maxPartials bounds the partial aggregates that are looked up and scanned before the next: each takes memory.
const maxPartials = 1 << 16

// aggregate makes the answers from their partial aggregates: what the caches have not is scanned, some partitions at a
// time. Aggregates whose visitors would take too much memory beside those of others are made after them.
func (e *ColumnEngine) aggregate(ctx context.Context, partitions []store.Partition, aggregates []*aggregate) error {
	for len(aggregates) > 0 {
		gathering := &gathering{most: e.visitorBytes}
		for _, a := range aggregates {
			a.begin(gathering)
		}
		if err := e.pass(ctx, partitions, aggregates); err != nil {
			return err
		}
		var later []*aggregate
		for _, a := range aggregates {
			if gathering.puts(a) {
				later = append(later, a)
			} else {
				a.finish()
			}
		}
		aggregates = later
	}
	return nil
}

// pass adds the partial aggregates of all partitions up.
func (e *ColumnEngine) pass(ctx context.Context, partitions []store.Partition, aggregates []*aggregate) error {
	some := max(1, maxPartials/max(1, len(aggregates)))
	for from := 0; from < len(partitions); from += some {
		tasks := e.lookUp(ctx, partitions, from, min(from+some, len(partitions)), aggregates)
		counted := map[Key]Entry{}
		if err := e.scanAll(ctx, tasks, func(t *scanTask) { t.deliver(counted) }); err != nil {
			return err
		}
		if len(counted) > 0 {
			for _, cache := range e.caches {
				cache.Set(ctx, counted)
			}
		}
	}
	return nil
}

// begin makes the aggregate ready for its partial aggregates.
func (a *aggregate) begin(gathering *gathering) {
	a.partialFingerprint = FingerprintOf(a.text, a.question.Value)
	*a.answer, a.hasMoved = Answer{Steps: make([]int, len(a.answer.Steps))}, false
	a.gathering = gathering
	if a.question.Visitors {
		a.visitors = newVisitors(a.question)
	}
	if a.sealedKnown {
		return
	}
	a.sealed = Answer{Steps: make([]int, len(a.answer.Steps))}
	if a.question.Visitors {
		a.sealedVisitors = newVisitors(a.question)
	}
}

// sum is the answer that the partition at a place is added to, with its visitors.
func (a *aggregate) sum(at int) (*Answer, *visitors) {
	if at < a.head {
		return &a.sealed, a.sealedVisitors
	}
	return a.answer, a.visitors
}

// add adds what is known of the partition at a place, but visitors and the steps of a day that is split.
func (a *aggregate) add(at int, day model.Day, entry Entry) {
	sum, _ := a.sum(at)
	sum.Sessions += int(entry.Sessions)
	sum.Value = sum.Value.Add(entry.Value)
	if step := a.question.step(day); step >= 0 {
		sum.Steps[step] += int(entry.Sessions)
	}
}

// finish adds the head to the sealed partitions.
func (a *aggregate) finish() {
	if a.err != nil {
		a.fail(a.err)
		return
	}
	if a.question.Visitors {
		a.visitors.seal()
		if !a.sealedKnown {
			a.sealedVisitors.seal()
		}
		a.answer.Visitors = a.visitors.lenWith(a.sealedVisitors)
		a.visitors = nil
	}
	a.answer.Sessions += a.sealed.Sessions
	a.answer.Value = a.answer.Value.Add(a.sealed.Value)
	for i, n := range a.sealed.Steps {
		a.answer.Steps[i] += n
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

// splits tells whether a day's sessions are of more than one step, or of a step and none.
func (q *Question) splits(day model.Day) bool {
	return slices.ContainsFunc(q.Steps, func(step model.Millis) bool {
		return day.Start() < step && step < (day+1).Start()
	})
}
