package naive

import (
	"context"
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Results reads, for each question, all sessions of the site with their hits, and folds those of the visitors that are
// assigned.
func (e *Engine) Results(ctx context.Context, questions []experiment.Question) ([]experiment.Answer, error) {
	answers := make([]experiment.Answer, len(questions))
	for i := range questions {
		answer, err := e.results(ctx, &questions[i])
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

// participant is a visitor that takes part, and what the metrics came to.
type participant struct {
	standing
	// value is that of the question's field, in the session of assignment.
	value string
	// converted is when the visitor first did, by metric; model.Open where that did not happen.
	converted []model.Millis
	values    []model.Sum
	// before are the values before the assignment.
	before []model.Sum
}

func (e *Engine) results(ctx context.Context, q *experiment.Question) (answer experiment.Answer, err error) {
	x := &q.Definition
	wheres := []filter.Expr{q.Where}
	for _, metric := range q.Metrics {
		wheres = append(wheres, metric.Where)
	}
	fill, err := e.filling(ctx, x.Site, wheres)
	if err != nil {
		return answer, err
	}
	stand, err := e.standings(ctx, x)
	if err != nil {
		return answer, err
	}
	partitions, err := e.store.Partitions(ctx, x.Site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return answer, err
	}
	answer = experiment.NewAnswer(q)
	var all []model.Visit
	for i := range partitions {
		rows, err := e.store.Assignments(ctx, x.Site, x.Key, partitions[i].ID)
		if err != nil {
			return answer, err
		}
		for _, row := range rows {
			switch {
			case !x.Run.Contains(row.At) || !q.In.Contains(row.At):
			case slices.Contains(x.Variants, row.Variant):
				answer.Assigned++
			default:
				answer.Unknown++
			}
		}
		visits, err := fill.visits(ctx, &partitions[i], true)
		if err != nil {
			return answer, err
		}
		all = append(all, visits...)
	}
	taking := map[int64]*participant{} // by unit
	takes := func(session *model.Session) *participant { return taking[stand.unit(session.Visitor)] }
	for i := range all {
		session := &all[i].Session
		now, found := stand.of(session.Visitor)
		if !found || now.session != session.ID || !q.In.Contains(now.assignment.At) {
			continue
		}
		if q.Where.Match(session) {
			taking[stand.unit(session.Visitor)] = &participant{now, q.By.Text(session), slices.Repeat([]model.Millis{model.Open}, len(q.Metrics)), make([]model.Sum, len(q.Metrics)), make([]model.Sum, len(q.Metrics))}
		}
	}
	for i := range all {
		session := &all[i].Session
		p := takes(session)
		if p == nil || session.End >= p.assignment.At || session.Start < p.assignment.At-experiment.PeriodBefore {
			continue
		}
		for m, metric := range q.Metrics {
			if event, _ := session.Event(metric.Value); metric.Where.Match(session) {
				p.before[m] = p.before[m].Add(event.Sum)
			}
		}
	}
	err = measure(ctx, q, fill, all, func(session *model.Session) *participant {
		p := takes(session)
		if p == nil || p.session != session.ID {
			return nil
		}
		return p
	})
	if err == nil && q.Later {
		err = measure(ctx, q, fill, all, func(session *model.Session) *participant {
			p := takes(session)
			if p == nil || p.session == session.ID {
				return nil
			}
			return p
		})
	}
	if err != nil {
		return answer, err
	}
	return answer, sum(q, taking, &answer)
}

// measure asks the metrics about those visits of which choose returns the participant whose it is: about what came at or
// after the assignment, and before the end.
func measure(ctx context.Context, q *experiment.Question, fill *filling, visits []model.Visit, choose func(*model.Session) *participant) error {
	var parts []model.Visit
	var whose []*participant
	for i := range visits {
		visit := &visits[i]
		p := choose(&visit.Session)
		if p == nil {
			continue
		}
		end := q.EndFor(p.assignment.At)
		session, ok := visit.Part(p.assignment.At, end)
		if !ok {
			continue
		}
		session.Assigned = visit.Session.Assigned // the whole session's
		hits := slices.DeleteFunc(slices.Clone(visit.Hits), func(hit model.Hit) bool { return hit.At >= end || hit.At < p.assignment.At })
		parts, whose = append(parts, model.Visit{Session: session, Hits: hits}), append(whose, p)
	}
	if err := fill.compute(ctx, parts); err != nil {
		return err
	}
	for i, p := range whose {
		session := &parts[i].Session
		for m, metric := range q.Metrics {
			if metric.Where.Match(session) {
				p.converted[m] = min(p.converted[m], session.Start)
				event, _ := session.Event(metric.Value)
				p.values[m] = p.values[m].Add(event.Sum)
			}
		}
	}
	return nil
}

// sum adds up what the visitors did.
func sum(q *experiment.Question, taking map[int64]*participant, answer *experiment.Answer) error {
	values := make([]experiment.Values, len(q.Metrics))
	for m := range values {
		values[m] = q.NewValues()
	}
	countSteps := func(at model.Millis, counts []int) {
		for i, step := range q.Steps {
			if at < step {
				counts[i]++
			}
		}
	}
	groupOf, groups := q.NewGroups()
	for _, unit := range slices.Sorted(maps.Keys(taking)) {
		p := taking[unit]
		if p.other < q.End() {
			answer.MultipleExposures++
			countSteps(p.other, answer.MultipleSteps)
			groupOf(p.value).MultipleExposures++
			if q.Exclude {
				continue
			}
		}
		variant := slices.Index(q.Definition.Variants, p.variant)
		v := &answer.Variants[variant]
		v.Visitors++
		countSteps(p.assignment.At, v.Steps)
		phase := 0
		for phase < len(q.Phases) && q.Phases[phase] <= p.assignment.At {
			phase++
		}
		groupOf(p.value).Visitors[variant][phase]++
		if len(q.Phases) > 0 {
			v.Phases[phase]++
			countSteps(p.assignment.At, v.PhaseSteps[phase])
		}
		for m, metric := range q.Metrics {
			before, during := p.before[m].Float64(), p.values[m].Float64()
			if q.Before && metric.Value != "" && (before != 0 || during != 0) {
				v.Metrics[m].Pairs.Add(before, during)
			}
		}
		for m, at := range p.converted {
			if at == model.Open {
				continue
			}
			tallies := []*experiment.Tally{&v.Metrics[m].Tally}
			if len(q.Phases) > 0 {
				tallies = append(tallies, &v.Metrics[m].Phases[phase])
				countSteps(at, v.Metrics[m].PhaseSteps[phase])
			}
			countSteps(at, v.Metrics[m].Steps)
			for _, to := range tallies {
				to.Conversions++
				if q.Metrics[m].Value != "" {
					to.Add(p.values[m])
				}
			}
			if q.Metrics[m].Value != "" {
				values[m][variant][phase] = append(values[m][variant][phase], p.values[m].Float64())
			}
		}
	}
	if q.By != (filter.Field{}) {
		answer.Groups = groups()
	}
	for m, metric := range q.Metrics {
		if metric.Value == "" {
			continue
		}
		if err := answer.Winsorize(m, values[m]); err != nil {
			return err
		}
		for i := range answer.Variants {
			if v := &answer.Variants[i]; q.Before {
				v.Metrics[m].Pairs.AddZeros(int64(v.Visitors) - v.Metrics[m].Pairs.X.N)
			}
		}
	}
	return nil
}
