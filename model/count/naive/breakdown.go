package naive

import (
	"context"
	"fmt"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
)

// row is a row of a breakdown, and what its figures are made of.
type row struct {
	count.Row
	visitors map[int64]bool
	reached  []map[int64]bool // the visitors of each goal
	lengths  []model.Millis
}

// Breakdown puts one session after the other into its rows, measures everything, and then leaves out what is not asked for.
func (e *Engine) Breakdown(ctx context.Context, q count.BreakdownQuery) (count.Breakdown, error) {
	rows := map[[count.MaxGroupings]string]*row{}
	at := func(values [count.MaxGroupings]string) *row {
		if rows[values] == nil {
			rows[values] = &row{visitors: map[int64]bool{}}
			rows[values].Values = slices.Clone(values[:len(q.By)])
			rows[values].Goals = make([]count.GoalCount, len(q.Goals))
			for range q.Goals {
				rows[values].reached = append(rows[values].reached, map[int64]bool{})
			}
		}
		return rows[values]
	}
	if len(q.By) == 0 {
		at([count.MaxGroupings]string{})
	}
	named := map[[count.MaxGroupings]string]bool{}
	for _, row := range q.Rows {
		var values [count.MaxGroupings]string
		copy(values[:], row)
		named[values] = true
		at(values)
	}
	wheres := []filter.Expr{q.Where}
	for _, goal := range q.Goals {
		wheres = append(wheres, goal.Where)
	}
	for _, by := range q.By {
		for _, choice := range by.Choices {
			wheres = append(wheres, choice.Where)
		}
	}
	err := e.eachFilled(ctx, q.Site, q.In, wheres, nil, func(session *model.Session) {
		for _, values := range rowsOf(q.By, session) {
			at(values).add(session, &q)
		}
	})
	if err != nil {
		return count.Breakdown{}, err
	}
	var all []count.Row
	for values, r := range rows {
		if named[values] || len(named) == 0 && (r.Sessions > 0 || len(q.By) == 0) {
			all = append(all, r.measured(&q))
		}
	}
	slices.SortFunc(all, func(a, b count.Row) int { return q.Order.Compare(q.Order.PlaceOf(&a), q.Order.PlaceOf(&b)) })
	answer := count.Breakdown{Rows: []count.Row{}, Total: len(all)}
	if q.FromEnd {
		slices.Reverse(all)
	}
	for _, r := range all {
		place := q.Order.PlaceOf(&r)
		isAfter := q.After == nil || q.Order.Compare(place, *q.After) > 0
		isBefore := q.Before == nil || q.Order.Compare(place, *q.Before) < 0
		if len(answer.Rows) < q.Limit && isAfter && isBefore {
			answer.Rows = append(answer.Rows, r)
		}
	}
	return answer, nil
}

// rowsOf returns the values of the rows that a session stands in.
func rowsOf(by []count.Grouping, session *model.Session) [][count.MaxGroupings]string {
	all := [][count.MaxGroupings]string{{}}
	for i := range by {
		var more [][count.MaxGroupings]string
		for _, values := range all {
			for _, value := range valuesOf(&by[i], session) {
				values[i] = value
				more = append(more, values)
			}
		}
		all = more
	}
	return all
}

// valuesOf returns the values of the groups that a session is in.
func valuesOf(by *count.Grouping, session *model.Session) []string {
	switch {
	case by.Field != filter.Field{}:
		if texts := by.Field.Texts(session); len(texts) > 0 {
			return texts
		}
		return []string{""}
	case by.Choices != nil:
		for _, choice := range by.Choices {
			if choice.Where.Match(session) {
				return []string{choice.Value}
			}
		}
		return []string{""}
	case by.Clock == count.HourOfDay:
		return []string{fmt.Sprintf("%02d", session.Start.Time().In(by.Zone).Hour())}
	case by.Clock == count.DayOfWeek:
		return []string{fmt.Sprint((int(session.Start.Time().In(by.Zone).Weekday())+6)%7 + 1)}
	}
	for i := 1; i < len(by.Steps); i++ {
		if by.Steps[i-1] <= session.Start && session.Start < by.Steps[i] {
			return []string{count.StepValue(i - 1)}
		}
	}
	return nil
}

func (r *row) add(session *model.Session, q *count.BreakdownQuery) {
	for i, goal := range q.Goals {
		if goal.Where.Match(session) {
			r.Goals[i].Conversions++
			r.reached[i][session.Visitor] = true
			if event, ok := session.Event(goal.Event); ok && goal.Event != "" {
				r.Goals[i].Value = r.Goals[i].Value.Add(event.Sum)
			}
		}
	}
	if !q.Where.Match(session) {
		return
	}
	r.Sessions++
	r.visitors[session.Visitor] = true
	r.PageViews += session.PageViews
	if session.PageViews == 1 && len(session.Events) == 0 {
		r.Bounces++
	}
	r.Length += int64(session.Length())
	r.lengths = append(r.lengths, session.Length())
}

// measured returns the row with the measures that are asked for.
func (r *row) measured(q *count.BreakdownQuery) count.Row {
	asked := r.Row
	asked.PageViews, asked.Bounces, asked.Length = 0, 0, 0
	for i, goal := range q.Goals {
		for visitor := range r.reached[i] {
			if goal.Visitors && r.visitors[visitor] {
				asked.Goals[i].Visitors++
			}
		}
	}
	for _, measure := range append(slices.Clone(q.Measures), q.Order.By.Measures()...) {
		switch measure {
		case count.Visitors:
			asked.Visitors = len(r.visitors)
		case count.PageViews:
			asked.PageViews = r.PageViews
		case count.Bounces:
			asked.Bounces = r.Bounces
		case count.Length:
			asked.Length = r.Length
		case count.Median:
			if n := len(r.lengths); n > 0 {
				slices.Sort(r.lengths)
				asked.Median = float64(r.lengths[(n-1)/2]+r.lengths[n/2]) / 2
			}
		}
	}
	return asked
}
