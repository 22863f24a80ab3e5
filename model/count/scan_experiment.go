package count

import (
	"context"
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Results reads, for each question, the sessions and the hits of all visitors that are
// assigned, and folds them.
func (e *Scan) Results(ctx context.Context, questions []ExperimentQuestion) ([]ExperimentAnswer, error) {
	answers := make([]ExperimentAnswer, len(questions))
	for i := range questions {
		q := &questions[i]
		answer, err := e.results(ctx, q)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			if model.CodeOf(err) == model.Internal {
				return nil, err
			}
			answer = ExperimentAnswer{Err: err}
		}
		answers[i] = answer
	}
	return answers, nil
}

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

func (e *Scan) results(ctx context.Context, q *ExperimentQuestion) (ExperimentAnswer, error) {
	x, answer := &q.Experiment, newExperimentAnswer(q)
	wheres := []filter.Expr{q.Where}
	for _, metric := range q.Metrics {
		wheres = append(wheres, metric.Where)
	}
	fill, err := e.filler(ctx, x.Site, wheres, nil)
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
		rows, err := e.store.Assignments(ctx, x.Site, x.Key, partition.ID, 0)
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
			if err := fill(ctx, visits); err != nil {
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
				part, ok := visit.Part(model.Hit{At: p.at, ID: p.id}, q.end())
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
func (e *Scan) later(ctx context.Context, q *ExperimentQuestion, partition store.Partition, taking map[int64]*participant, fill filler) error {
	var ordinals []int32
	if err := e.store.EachSession(ctx, partition.ID, false, func(session *model.Session) error {
		p := taking[session.Visitor]
		if p != nil && session.ID != p.session && session.Start >= p.at && session.Start < q.end() {
			ordinals = append(ordinals, session.ID.Ordinal)
		}
		return nil
	}); err != nil {
		return err
	}
	return e.eachVisit(ctx, partition, ordinals, func(visits []model.Visit) error {
		if err := fill(ctx, visits); err != nil {
			return err
		}
		return q.measure(ctx, visits, fill, func(visit *model.Visit) (*participant, model.Session, bool) {
			part, ok := visit.Part(model.Hit{At: -model.Open}, q.end())
			return taking[visit.Session.Visitor], part, ok
		})
	})
}

// measure asks the metrics about the parts of visits that count.
func (q *ExperimentQuestion) measure(ctx context.Context, visits []model.Visit, fill filler,
	part func(visit *model.Visit) (*participant, model.Session, bool)) error {
	var parts []model.Visit
	var whose []*participant
	for i := range visits {
		p, session, ok := part(&visits[i])
		if !ok {
			continue
		}
		hits := slices.DeleteFunc(slices.Clone(visits[i].Hits), func(hit model.Hit) bool {
			return hit.At >= q.end() || session.ID == p.session && hit.Compare(model.Hit{At: p.at, ID: p.id}) < 0
		})
		session.Assigned = visits[i].Session.Assigned
		parts, whose = append(parts, model.Visit{Session: session, Hits: hits}), append(whose, p)
	}
	if err := fill(ctx, parts); err != nil {
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
func (q *ExperimentQuestion) sum(taking map[int64]*participant, answer *ExperimentAnswer) {
	earlier := func(at model.Millis, counts []int) {
		for i, step := range q.Steps {
			if at < step {
				counts[i]++
			}
		}
	}
	for _, visitor := range slices.Sorted(maps.Keys(taking)) {
		p := taking[visitor]
		v := &answer.Variants[slices.Index(q.Experiment.Variants, p.variant)]
		v.Visitors++
		earlier(p.at, v.Steps)
		if p.other < q.end() {
			answer.Contaminated++
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
func (e *Scan) standings(ctx context.Context, x *Experiment, above []string) (standings, error) {
	stand := standings{}
	if x.Run.From >= x.Run.To {
		return stand, nil
	}
	fill, err := e.filler(ctx, x.Site, []filter.Expr{x.Audience}, append(slices.Clip(above), x.Key))
	if err != nil {
		return nil, err
	}
	partitions, err := e.store.Partitions(ctx, x.Site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return nil, err
	}
	for _, partition := range partitions {
		rows, err := e.store.Assignments(ctx, x.Site, x.Key, partition.ID, 0)
		if err != nil {
			return nil, err
		}
		byOrdinal := map[int32][]store.Assignment{}
		for _, row := range rows {
			if x.takes(row.At, row.Variant) {
				byOrdinal[row.Ordinal] = append(byOrdinal[row.Ordinal], row)
			}
		}
		err = e.eachVisit(ctx, partition, slices.Sorted(maps.Keys(byOrdinal)), func(visits []model.Visit) error {
			if err := fill(ctx, visits); err != nil {
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
func (e *Scan) eachVisit(ctx context.Context, partition store.Partition, ordinals []int32, do func([]model.Visit) error) error {
	for batch := range slices.Chunk(ordinals, computeBatch) {
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

// filler fills in what predicates need of visits of a partition beside what is stored.
type filler func(ctx context.Context, visits []model.Visit) error

// filler returns one for predicates. above are the keys of the experiments whose
// audiences they are parts of.
func (e *Scan) filler(ctx context.Context, site int64, wheres []filter.Expr, above []string) (filler, error) {
	var keys []string
	for _, where := range wheres {
		keys = append(keys, filter.Computations(where)...)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) > 0 && e.computer == nil {
		return nil, noComputer(keys[0])
	}
	assigned, err := rostersFor(ctx, site, wheres, above, e.assign, e.definitions)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, visits []model.Visit) error {
		if len(visits) == 0 {
			return nil
		}
		for i := range visits {
			visits[i].Session.Computed = make(map[string]bool, len(keys))
			if visits[i].Session.Assigned == nil { // parts have what the whole has
				assigned.fill(&visits[i].Session)
			}
		}
		tracked := trackedOf(visits)
		for _, key := range keys {
			matches, err := e.computer.Compute(ctx, key, tracked)
			if err != nil {
				return err
			}
			for i, match := range matches {
				visits[i].Session.Computed[key] = match
			}
		}
		return nil
	}, nil
}

// assignOneByOne reads all assignments to an experiment.
func (e *Scan) assignOneByOne(ctx context.Context, x *Experiment, above []string) (*roster, error) {
	stand, err := e.standings(ctx, x, above)
	if err != nil {
		return nil, err
	}
	return stand.roster(x), nil
}

// trackedOf returns the visits as a Computer is asked about them: with page views and
// events alone.
func trackedOf(visits []model.Visit) []model.Visit {
	tracked := slices.Clone(visits)
	for i := range tracked {
		tracked[i].Hits = slices.DeleteFunc(slices.Clone(tracked[i].Hits), func(hit model.Hit) bool { return hit.Kind == model.Traits })
	}
	return tracked
}
