package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// everything is the range of all sessions.
var everything = model.Range{From: -model.Open, To: model.Open}

// zones are such whose clocks are not those of UTC, by half an hour too.
var zones = []*time.Location{time.UTC, mustZone("America/St_Johns"), mustZone("Asia/Kathmandu"), mustZone("Pacific/Auckland")}

func mustZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

var figures = []count.RowFigure{
	count.BySessions, count.ByVisitors, count.ByPageViews, count.ByBounceRate, count.ByMeanLength, count.ByMedianLength,
	count.ByConversions, count.ByConversionRate, count.ByConvertedVisitors, count.ByVisitorConversionRate, count.ByGoalValue, count.ByValues,
}

// breakdown returns a random question of any kind.
func (w *world) breakdown(r *rand.Rand) count.BreakdownQuery {
	question := w.question(r)
	q := count.BreakdownQuery{Site: w.site, In: question.In, Where: question.Where, Limit: 1 + r.IntN(30)}
	if r.IntN(3) > 0 {
		q.In = everything
	}
	if r.IntN(2) == 0 {
		q.Where = filter.Bool(true)
	}
	for range r.IntN(count.MaxGroupings + 1) {
		q.By = append(q.By, grouping(r, question.Steps))
	}
	for _, measure := range []count.Measure{count.Visitors, count.PageViews, count.Bounces, count.Length, count.Median} {
		if r.IntN(2) == 0 {
			q.Measures = append(q.Measures, measure)
		}
	}
	for range r.IntN(4) * r.IntN(5) {
		goal := count.GoalQuery{Where: w.question(r).Where, Event: []string{"", "purchase"}[r.IntN(2)], Visitors: r.IntN(2) == 0}
		if r.IntN(3) == 0 {
			goal.Where = filter.Bool(true)
		}
		q.Goals = append(q.Goals, goal)
	}
	q.Order = count.RowOrder{By: figures[r.IntN(len(figures))], Ascending: r.IntN(2) == 0}
	if ofGoal := count.ByConversions <= q.Order.By && q.Order.By <= count.ByGoalValue; ofGoal && len(q.Goals) == 0 {
		q.Order.By = count.BySessions
	} else if ofGoal {
		q.Order.Goal = r.IntN(len(q.Goals))
		if q.Order.By == count.ByConvertedVisitors || q.Order.By == count.ByVisitorConversionRate {
			q.Goals[q.Order.Goal].Visitors = true
		}
	}
	return q
}

// grouping returns a random grouping; steps are two instants or more, or it has none by steps.
func grouping(r *rand.Rand, steps []model.Millis) count.Grouping {
	switch n := r.IntN(8); {
	case n == 0:
		return count.Grouping{Clock: []count.Clock{count.HourOfDay, count.DayOfWeek}[r.IntN(2)], Zone: zones[r.IntN(len(zones))]}
	case n == 3:
		return count.Grouping{Field: filtertest.ClockFields[r.IntN(len(filtertest.ClockFields))]}
	case n == 1 && len(steps) > 1:
		return count.Grouping{Steps: steps}
	case n == 2:
		return count.Grouping{Choices: []count.Choice{
			{Value: "a", Where: filter.Simplify(filtertest.RandomExpr(r))}, {Value: "b", Where: filter.Simplify(filtertest.RandomExpr(r))}}}
	case n < 5:
		return count.Grouping{Field: filtertest.SetFields[r.IntN(len(filtertest.SetFields))]}
	}
	for {
		if field := filtertest.TextFields[r.IntN(len(filtertest.TextFields))]; field != filter.Visitor {
			return count.Grouping{Field: field}
		}
	}
}

// sameRows asks for rows that were found, in another range.
func sameRows(q count.BreakdownQuery, found []count.Row, in model.Range) count.BreakdownQuery {
	q.Rows, q.After, q.In = nil, nil, in
	for _, row := range found {
		q.Rows = append(q.Rows, row.Values)
	}
	return q
}

// Breakdowns are those of sessions that are put into rows one by one, and their pages join to the whole.
func TestBreakdown(t *testing.T) {
	t.Parallel()
	onEach(t, 11, 200, func(t *testing.T, r *rand.Rand, w *world, subject answering) {
		if _, isOracle := subject.(*naive.Engine); isOracle {
			t.Skip("which is what the others are held against")
		}
		oracle := naive.New(w.store, order{}, nil)
		rows, reached := 0, 0
		for range repeats(8, 300) {
			q := w.breakdown(r)
			if r.IntN(4) == 0 {
				q.Where = filter.Simplify(computed(r))
			}
			for range 3 { // again from what is kept, and then the next page, or the same rows of another range
				got, err := subject.Breakdown(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				want, err := oracle.Breakdown(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("%+v\nis  %+v\nwant %+v", q, got, want)
				}
				for _, row := range got.Rows {
					for _, goal := range row.Goals {
						reached += goal.Visitors
					}
				}
				if rows += len(got.Rows); len(got.Rows) > 0 && r.IntN(2) == 0 {
					place := q.Order.PlaceOf(&got.Rows[len(got.Rows)-1])
					if q.FromEnd {
						q.Before = &place
					} else {
						q.After = &place
					}
					q.FromEnd = r.IntN(3) == 0
				} else if len(q.By) > 0 && len(got.Rows) > 0 && r.IntN(2) == 0 { // the same rows, of other sessions
					q = sameRows(q, got.Rows, w.question(r).In)
				}
			}
		}
		if rows < 20 || reached == 0 {
			t.Errorf("only %d rows, with %d converted visitors: they say little", rows, reached)
		}
	})
}

// A breakdown of more rows than there is room for is refused, whether one day has them or several together, and one of fewer
// is answered. So are values.
func TestBreakdownOfManyRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), rand.New(rand.NewPCG(1, 19)), 0)
	var messages []model.Message
	const days, rows = 4, 300
	for i := range days * rows {
		visitor := fmt.Sprint(i)
		hit := model.Hit{
			ID: model.MessageIDOf(visitor), Visitor: visitor, At: (filtertest.Day + model.Day(i/rows)).Start(), Kind: model.PageView, Name: "/" + visitor,
			Origin: model.Origin{Country: "RO"}, Knows: model.KnowsAll,
		}
		messages = append(messages, model.Message{AnonymousID: visitor, Hit: hit})
	}
	if _, err := w.store.Write(t.Context(), w.site, messages); err != nil {
		t.Fatal(err)
	}
	day := model.Range{From: filtertest.Day.Start(), To: (filtertest.Day + 1).Start()}
	two := model.Range{From: filtertest.Day.Start(), To: (filtertest.Day + 2).Start()}
	subject := mustEngine(t, w.store, engine.Options{TableBytes: rows * 600})
	in := day
	ask := func(measure count.Measure, by ...filter.Field) (count.Breakdown, error) {
		q := count.BreakdownQuery{Site: w.site, In: in, Where: filter.Bool(true), Measures: []count.Measure{measure}, Limit: 2}
		for _, field := range by {
			q.By = append(q.By, count.Grouping{Field: field})
		}
		return subject.Breakdown(t.Context(), q)
	}
	if got, err := ask(count.Visitors, filter.Pages); err != nil || got.Total != rows || len(got.Rows) != 2 || got.Rows[0].Visitors != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	in = two // each of which fits
	if got, err := ask(count.PageViews, filter.Pages); model.CodeOf(err) != model.ResourceExhausted {
		t.Errorf("two days: %+v, %v", got, err)
	}
	in = day
	subject = mustEngine(t, w.store, engine.Options{TableBytes: rows * 250})
	for _, by := range [][]filter.Field{{filter.Pages}, {filter.Pages, filter.Country}, {filter.EntryPage, filter.Device}} {
		if got, err := ask(count.PageViews, by...); model.CodeOf(err) != model.ResourceExhausted {
			t.Errorf("%v: %+v, %v", by, got, err)
		}
	}
	for _, field := range []filter.Field{filter.Pages, filter.Visitor} {
		list := func(in model.Range, search string) ([]count.Value, error) {
			return subject.Values(t.Context(), count.ValueQuery{Site: w.site, In: in, Where: filter.Bool(true), Field: field, Search: search, Limit: 3})
		}
		if got, err := list(everything, ""); model.CodeOf(err) != model.ResourceExhausted {
			t.Errorf("%v: %+v, %v", field, got, err)
		}
		if got, err := list(day, ""); err != nil || len(got) != 3 || got[0].Sessions != 1 || got[0].Text >= got[1].Text {
			t.Errorf("%v of a day: %+v, %v", field, got, err)
		}
		if got, err := list(everything, "1199"); err != nil || len(got) != 1 || got[0].Sessions != 1 {
			t.Errorf("%v by a search: %+v, %v", field, got, err)
		}
	}
	few, err := subject.Breakdown(t.Context(), count.BreakdownQuery{
		Site: w.site, In: everything, Where: filter.In{Field: filter.Pages, Values: []string{"/7"}}, By: []count.Grouping{{Field: filter.Pages}, {Field: filter.Country}}, Limit: 2,
	})
	if err != nil || few.Total != 1 || few.Rows[0].Sessions != 1 {
		t.Errorf("of the sessions with one of the pages: %+v, %v", few, err)
	}
	if got, err := ask(count.PageViews, filter.Country, filter.Device); err != nil || got.Total != 1 || got.Rows[0].PageViews != rows {
		t.Errorf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := subject.Breakdown(ctx, count.BreakdownQuery{Site: w.site, In: everything, Where: filter.Bool(true)}); err == nil {
		t.Error("a cancelled breakdown answered")
	}
}
