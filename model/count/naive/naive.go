// Package naive is the oracle: it counts by reading every session and evaluating it, and knows nothing of columns.
//
// The engines are checked against it, so it shares nothing with them but the contracts, the store and the predicates'
// own Match. It keeps nothing. Each question reads all sessions of its partitions, fills in what plugins compute and which
// variants visitors were assigned to (fill.go), and looks at one session after the other. It is slow, and needs memory for
// one day's sessions at a time, or for all of a site's with their hits to answer questions about experiments.
package naive

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Engine answers questions about sessions and about experiments.
type Engine struct {
	store       *store.Store
	computer    count.Computer
	definitions experiment.Definitions
}

// New returns an engine over a store. The computer and the definitions may be nil; questions that need them have errors
// then.
func New(st *store.Store, computer count.Computer, definitions experiment.Definitions) *Engine {
	return &Engine{store: st, computer: computer, definitions: definitions}
}

var (
	_ count.Engine      = (*Engine)(nil)
	_ experiment.Engine = (*Engine)(nil)
)

// Prefetch does nothing: sessions are read when they are asked for.
func (*Engine) Prefetch(int64) {}

// Count answers questions one after the other. Each visit is read once for all of them.
func (e *Engine) Count(ctx context.Context, questions []count.Question) ([]count.Answer, error) {
	answers := make([]count.Answer, len(questions))
	read := map[readKey][]model.Visit{}
	for i, q := range questions {
		answer, err := e.count(ctx, q, read)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			if model.CodeOf(err) == model.Internal {
				return nil, err
			}
			answer = count.Answer{Steps: make([]int, max(0, len(q.Steps)-1)), Err: err}
		}
		answers[i] = answer
	}
	return answers, nil
}

func (e *Engine) count(ctx context.Context, q count.Question, read map[readKey][]model.Visit) (count.Answer, error) {
	answer := count.Answer{Steps: make([]int, max(0, len(q.Steps)-1))}
	visitors := map[int64]bool{}
	err := e.each(ctx, q.Site, q.In, q.Where, read, func(session *model.Session) {
		answer.Sessions++
		visitors[session.Visitor] = true
		if event, ok := session.Event(q.Value); ok && q.Value != "" {
			answer.Value = answer.Value.Add(event.Sum)
		}
		for i := range answer.Steps {
			if q.Steps[i] <= session.Start && session.Start < q.Steps[i+1] {
				answer.Steps[i]++
			}
		}
	})
	if err != nil || !q.Visitors {
		return answer, err
	}
	if q.Among != nil {
		among := map[int64]bool{}
		err = e.each(ctx, q.Site, q.In, q.Among, read, func(session *model.Session) { among[session.Visitor] = true })
		maps.DeleteFunc(visitors, func(visitor int64, _ bool) bool { return !among[visitor] })
	}
	answer.Visitors = len(visitors)
	return answer, err
}

// Sessions reads all matching sessions, and cuts the page out of them.
func (e *Engine) Sessions(ctx context.Context, q count.SessionQuery) (page []model.Session, err error) {
	err = e.each(ctx, q.Site, q.In, q.Where, nil, func(session *model.Session) {
		isAfter := q.After == nil || compare(session.Start, session.ID, q.After.Start, q.After.ID) > 0
		isBefore := q.Before == nil || compare(session.Start, session.ID, q.Before.Start, q.Before.ID) < 0
		if isAfter && isBefore {
			session.Computed, session.Assigned = nil, nil
			page = append(page, *session)
		}
	})
	slices.SortFunc(page, func(a, b model.Session) int { return compare(a.Start, a.ID, b.Start, b.ID) })
	if q.OldestFirst {
		slices.Reverse(page)
	}
	return page[:min(len(page), max(0, q.Limit))], err
}

// compare orders sessions, the newest first.
func compare(start model.Millis, id model.SessionID, otherStart model.Millis, other model.SessionID) int {
	return cmp.Or(cmp.Compare(otherStart, start), cmp.Compare(other.Partition, id.Partition), cmp.Compare(other.Ordinal, id.Ordinal))
}

// Values counts the values of all matching sessions.
func (e *Engine) Values(ctx context.Context, q count.ValueQuery) ([]count.Value, error) {
	counts := map[string]int{}
	err := e.each(ctx, q.Site, q.In, q.Where, nil, func(session *model.Session) {
		texts := q.Field.Texts(session)
		for _, text := range texts {
			if strings.Contains(strings.ToLower(text), strings.ToLower(q.Search)) {
				counts[text]++
			}
		}
		if len(texts) == 0 && q.None {
			counts[""]++
		}
	})
	values := make([]count.Value, 0, len(counts))
	for text, sessions := range counts {
		values = append(values, count.Value{Text: text, Sessions: sessions})
	}
	slices.SortFunc(values, func(a, b count.Value) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), strings.Compare(a.Text, b.Text))
	})
	return values[:min(len(values), q.Limit)], err
}

// each calls do with the sessions of a site that started in a range and match, the oldest day first and by ordinal.
func (e *Engine) each(ctx context.Context, site int64, in model.Range, where filter.Expr, read map[readKey][]model.Visit, do func(*model.Session)) error {
	if where == filter.Expr(filter.Bool(false)) {
		return nil
	}
	return e.eachFilled(ctx, site, in, []filter.Expr{where}, read, func(session *model.Session) {
		if where.Match(session) {
			do(session)
		}
	})
}

// eachFilled calls do with all sessions of a site that started in a range, with what predicates need of them filled in.
func (e *Engine) eachFilled(ctx context.Context, site int64, in model.Range, wheres []filter.Expr, read map[readKey][]model.Visit, do func(*model.Session)) error {
	if in.From >= in.To {
		return nil
	}
	fill, err := e.filling(ctx, site, wheres)
	if err != nil {
		return err
	}
	fill.read = read
	partitions, err := e.store.Partitions(ctx, site, in)
	if err != nil {
		return err
	}
	for i := range partitions {
		visits, err := fill.visits(ctx, &partitions[i], false)
		if err != nil {
			return err
		}
		for v := range visits {
			if session := &visits[v].Session; in.Contains(session.Start) {
				do(session)
			}
		}
	}
	return ctx.Err()
}
