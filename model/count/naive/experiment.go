package naive

import (
	"context"
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Results reads, for each question, the sessions and the hits of all visitors that are assigned, and folds them.
func (e *Engine) Results(ctx context.Context, questions []experiment.Question) ([]experiment.Answer, error) {
	answers := make([]experiment.Answer, len(questions))
	for i := range questions {
		answer, err := e.results(ctx, &question{&questions[i]})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			if model.CodeOf(err) == model.Internal {
				return nil, err
			}
			answer = experiment.Answer{Err: err}
		}
		answers[i] = answer
	}
	return answers, nil
}

type question struct{ *experiment.Question }

// participant is a visitor that takes part, and what the metrics came to.
type participant struct {
	standing
	metrics []participantMetric
}

type participantMetric struct {
	// at is when the visitor first converted; model.Open where that did not happen.
	at    model.Millis
	value float64
}

func (e *Engine) results(ctx context.Context, q *question) (experiment.Answer, error) {
	x, answer := &q.Definition, experiment.NewAnswer(q.Question)
	wheres := []filter.Expr{q.Where}
	for _, metric := range q.Metrics {
		wheres = append(wheres, metric.Where)
	}
	fill, err := e.filling(ctx, x.Site, wheres, nil)
	if err != nil {
		return answer, err
	}
	stand, err := e.standings(ctx, x, nil)
	if err != nil {
		return answer, err
	}
	partitions, err := e.store.Partitions(ctx, x.Site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return answer, err
	}
	taking := map[int64]*participant{}
	for _, partition := range partitions {
		rows, err := e.store.Assignments(ctx, x.Site, x.Key, partition.ID)
		if err != nil {
			return answer, err
		}
		var ordinals []int32
		for _, row := range rows {
			if x.Run.Contains(row.At) && q.In.Contains(row.At) && !slices.Contains(x.Variants, row.Variant) {
				answer.Unknown++
			}
			if now, found := stand[row.VisitorID]; found && now.session == (model.SessionID{Partition: partition.ID, Ordinal: row.Ordinal}) && q.In.Contains(now.at) {
				ordinals = append(ordinals, row.Ordinal)
			}
		}
		slices.Sort(ordinals)
		err = e.eachVisit(ctx, partition, slices.Compact(ordinals), func(visits []model.Visit) error {
			if err := fill.visits(ctx, visits); err != nil {
				return err
			}
			for _, visit := range visits {
				if !q.Where.Match(&visit.Session) {
					continue
				}
				p := &participant{standing: stand[visit.Session.Visitor], metrics: make([]participantMetric, len(q.Metrics))}
				for m := range p.metrics {
					p.metrics[m].at = model.Open
				}
				taking[visit.Session.Visitor] = p
			}
			return q.measure(ctx, visits, fill, func(visit *model.Visit) (*participant, model.Session, bool) {
				p := taking[visit.Session.Visitor]
				if p == nil {
					return nil, model.Session{}, false
				}
				part, ok := visit.Part(model.Hit{At: p.at, ID: p.id}, q.End())
				return p, part, ok
			})
		})
		if err != nil {
			return answer, err
		}
	}
	if q.Later {
		for _, partition := range partitions {
			if err := e.later(ctx, q, partition, taking, fill); err != nil {
				return answer, err
			}
		}
	}
	q.sum(taking, &answer)
	return answer, nil
}

// later measures those of a partition's sessions that count beside the sessions of
// assignment.
func (e *Engine) later(ctx context.Context, q *question, partition store.Partition, taking map[int64]*participant, fill *filling) error {
	var ordinals []int32
	if err := e.store.EachSession(ctx, partition.ID, false, func(session *model.Session) error {
		p := taking[session.Visitor]
		if p != nil && session.ID != p.session && session.Start >= p.at && session.Start < q.End() {
			ordinals = append(ordinals, session.ID.Ordinal)
		}
		return nil
	}); err != nil {
		return err
	}
	return e.eachVisit(ctx, partition, ordinals, func(visits []model.Visit) error {
		if err := fill.visits(ctx, visits); err != nil {
			return err
		}
		return q.measure(ctx, visits, fill, func(visit *model.Visit) (*participant, model.Session, bool) {
			part, ok := visit.Part(model.Hit{At: -model.Open}, q.End())
			return taking[visit.Session.Visitor], part, ok
		})
	})
}

// measure asks the metrics about the parts of visits that count.
func (q *question) measure(ctx context.Context, visits []model.Visit, fill *filling,
	part func(visit *model.Visit) (*participant, model.Session, bool)) error {
	var parts []model.Visit
	var whose []*participant
	for i := range visits {
		p, session, ok := part(&visits[i])
		if !ok {
			continue
		}
		hits := slices.DeleteFunc(slices.Clone(visits[i].Hits), func(hit model.Hit) bool {
			return hit.At >= q.End() || session.ID == p.session && hit.Compare(model.Hit{At: p.at, ID: p.id}) < 0
		})
		session.Assigned = visits[i].Session.Assigned
		parts, whose = append(parts, model.Visit{Session: session, Hits: hits}), append(whose, p)
	}
	if err := fill.visits(ctx, parts); err != nil {
		return err
	}
	for i, p := range whose {
		session := &parts[i].Session
		for m, metric := range q.Metrics {
			if !metric.Where.Match(session) {
				continue
			}
			p.metrics[m].at = min(p.metrics[m].at, max(session.Start, p.at))
			event, _ := session.Event(metric.Value)
			p.metrics[m].value += event.Sum
		}
	}
	return nil
}

// sum adds up what the visitors did.
func (q *question) sum(taking map[int64]*participant, answer *experiment.Answer) {
	earlier := func(at model.Millis, counts []int) {
		for i, step := range q.Steps {
			if at < step {
				counts[i]++
			}
		}
	}
	for _, visitor := range slices.Sorted(maps.Keys(taking)) {
		p := taking[visitor]
		v := &answer.Variants[slices.Index(q.Definition.Variants, p.variant)]
		v.Visitors++
		earlier(p.at, v.Steps)
		if p.other < q.End() {
			answer.MultipleExposures++
		}
		for m, measured := range p.metrics {
			if measured.at == model.Open {
				continue
			}
			to := &v.Metrics[m]
			to.Conversions++
			earlier(measured.at, to.Steps)
			to.Total += measured.value
			to.Squares += measured.value * measured.value
		}
	}
}

// standings reads all assignments to the experiment.
func (e *Engine) standings(ctx context.Context, x *experiment.Definition, above []string) (standings, error) {
	stand := standings{}
	if x.Run.From >= x.Run.To {
		return stand, nil
	}
	fill, err := e.filling(ctx, x.Site, []filter.Expr{x.Audience}, append(slices.Clip(above), x.Key))
	if err != nil {
		return nil, err
	}
	partitions, err := e.store.Partitions(ctx, x.Site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return nil, err
	}
	for _, partition := range partitions {
		rows, err := e.store.Assignments(ctx, x.Site, x.Key, partition.ID)
		if err != nil {
			return nil, err
		}
		byOrdinal := map[int32][]store.Assignment{}
		for _, row := range rows {
			if x.Takes(row.At, row.Variant) {
				byOrdinal[row.Ordinal] = append(byOrdinal[row.Ordinal], row)
			}
		}
		err = e.eachVisit(ctx, partition, slices.Sorted(maps.Keys(byOrdinal)), func(visits []model.Visit) error {
			if err := fill.visits(ctx, visits); err != nil {
				return err
			}
			for _, visit := range visits {
				if !x.Audience.Match(&visit.Session) {
					continue
				}
				for _, row := range byOrdinal[visit.Session.ID.Ordinal] {
					stand.add(visit.Session.Visitor, assignment{row.At, row.Message(), row.Variant, visit.Session.ID})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return stand, nil
}

// eachVisit calls do with the visits at the ordinals, which ascend, some at a time and
// in their order.
func (e *Engine) eachVisit(ctx context.Context, partition store.Partition, ordinals []int32, do func([]model.Visit) error) error {
	for batch := range slices.Chunk(ordinals, visitBatch) {
		visits, err := e.store.WholeVisitsAt(ctx, partition.ID, batch, true)
		if err != nil {
			return err
		}
		slices.SortFunc(visits, func(a, b model.Visit) int { return int(a.Session.ID.Ordinal) - int(b.Session.ID.Ordinal) })
		if err := do(visits); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// assignment is one that qualifies.
type assignment struct {
	at      model.Millis
	id      model.MessageID
	variant string
	session model.SessionID
}

func (a *assignment) before(b *assignment) bool {
	return model.Hit{At: a.at, ID: a.id}.Compare(model.Hit{At: b.at, ID: b.id}) < 0
}

// standing is the assignment of a visitor that stands.
type standing struct {
	assignment
	// other is when the visitor's first assignment to another variant was; model.Open without any.
	other model.Millis
}

// standings are the standing assignments to an experiment, by visitor.
type standings map[int64]standing

// add takes in an assignment that qualifies. The order does not matter.
func (s standings) add(visitor int64, a assignment) {
	now, found := s[visitor]
	switch {
	case !found:
		now = standing{a, model.Open}
	case a.before(&now.assignment):
		if a.variant != now.variant {
			now.other = now.at // all others are later
		}
		now.assignment = a
	case a.variant != now.variant:
		now.other = min(now.other, a.at)
	}
	s[visitor] = now
}

// variantOf returns the variant that a session's visitor is assigned to when the session happens.
func (s standings) variantOf(session *model.Session) (variant string, ok bool) {
	now, found := s[session.Visitor]
	return now.variant, found && (now.session == session.ID || now.at < session.Start)
}
