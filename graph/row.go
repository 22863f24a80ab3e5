package graph

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model/count"
)

// rowSelection tells what a client selects of the rows: measures, those of the other period, and of goals whether any, their
// converted visitors, and their values.
type rowSelection struct {
	measures, otherMeasures []count.Measure
	goals, converted, value bool
	compares                bool
}

func rowSelectionOf(ctx context.Context, unit view.CountUnit) (selected rowSelection) {
	operation := graphql.GetOperationContext(ctx)
	var ofRows []graphql.CollectedField
	for _, ofPage := range graphql.CollectFieldsCtx(ctx, []string{"BreakdownConnection"}) {
		switch ofPage.Name {
		case "nodes":
			ofRows = append(ofRows, graphql.CollectFields(operation, ofPage.Selections, []string{"BreakdownRow"})...)
		case "edges":
			for _, ofEdge := range graphql.CollectFields(operation, ofPage.Selections, []string{"BreakdownEdge"}) {
				if ofEdge.Name == "node" {
					ofRows = append(ofRows, graphql.CollectFields(operation, ofEdge.Selections, []string{"BreakdownRow"})...)
				}
			}
		}
	}
	own, other := measureSet{}, measureSet{}
	var cells cellSelection
	for _, ofRow := range ofRows {
		switch ofRow.Name {
		case "value":
			selected.goals, selected.value = true, true
		case "comparison":
			selected.compares = true
		case "goals":
			selected.goals = true
			for _, ofGoal := range graphql.CollectFields(operation, ofRow.Selections, []string{"BreakdownGoal"}) {
				selected.compares = selected.compares || ofGoal.Name == "comparison"
				cells.add(operation, ofGoal, unit)
			}
		}
		addMeasures(operation, ofRow, own, other)
	}
	if cells.own.visitors {
		own[count.Visitors] = true
	}
	if cells.other.visitors {
		other[count.Visitors] = true
	}
	selected.converted = cells.own.reached || cells.other.reached
	selected.value = selected.value || cells.own.value || cells.other.value
	selected.measures, selected.otherMeasures = own.list(), other.list()
	return selected
}

// measureSet is some measures.
type measureSet map[count.Measure]bool

// list returns the measures in their order; nil of none.
func (s measureSet) list() []count.Measure { return slices.Sorted(maps.Keys(s)) }

// addMeasures adds the measures that a field of sessions' figures is made of, and those of the other period: what differs is
// of both.
func addMeasures(operation *graphql.OperationContext, field graphql.CollectedField, own, other measureSet) {
	if measure, ok := measures[field.Name]; ok {
		own[measure] = true
	}
	if field.Name != "comparison" {
		return
	}
	for _, compared := range graphql.CollectFields(operation, field.Selections, []string{"SessionsComparison"}) {
		name, isChange := strings.CutSuffix(compared.Name, "Change")
		name, isDifference := strings.CutSuffix(name, "Difference")
		if measure, ok := measures[name]; ok {
			other[measure] = true
			if isChange || isDifference {
				own[measure] = true
			}
		}
	}
}

// measures are those that fields are made of.
var measures = map[string]count.Measure{
	"visitors": count.Visitors, "pageViews": count.PageViews, "bounceRate": count.Bounces, "medianDurationSeconds": count.Median, "meanDurationSeconds": count.Length,
}

// naming makes rows as clients see them.
type naming struct {
	by    []generated.Dimension
	unit  view.CountUnit
	goals []rowGoal
	// direct stands for no referrer.
	direct string
	// texts tell the rows of one question from those of others.
	texts []string
}

func (r *Resolver) namingOf(given breakdownArguments, query *count.BreakdownQuery, goals []rowGoal, times ranges) naming {
	n := naming{by: given.by, unit: given.unit, goals: goals, texts: []string{fmt.Sprint(query.Site, times.in, given.unit), query.Where.String()}}
	if t, ok := r.filters.Type("referrer"); ok {
		n.direct = t.None
	}
	if times.other != nil {
		n.texts = append(n.texts, "compared", fmt.Sprint(*times.other))
	}
	for i, grouping := range query.By {
		n.texts = append(n.texts, string(n.by[i]), grouping.Field.Key, fmt.Sprint(grouping.Zone))
		for _, choice := range grouping.Choices {
			n.texts = append(n.texts, choice.Where.String())
		}
	}
	for _, goal := range goals {
		n.texts = append(n.texts, "goal", encodeID(goalNoun, goal.ID))
	}
	return n
}

const rowNoun noun = "BreakdownRow"

// row returns the i-th row as clients see it.
func (n naming) row(row *count.Row, counts []goalCounts, i int) view.BreakdownRow {
	of := count.FingerprintOf(slices.Concat(n.texts, row.Values)...)
	named := view.BreakdownRow{
		ID: encodeTextID(rowNoun, hex.EncodeToString(of[:])), Values: make([]string, len(row.Values)), Figures: view.FiguresOf(row), Goals: make([]view.BreakdownGoal, len(n.goals)),
	}
	for i, value := range row.Values {
		named.Values[i] = n.value(n.by[i], value)
	}
	for i, figures := range n.figures(row, counts, i) {
		named.Goals[i].GoalFigures = figures
	}
	return named
}

// figures returns the figures of the goals in the i-th row.
func (n naming) figures(row *count.Row, counts []goalCounts, i int) []view.GoalFigures {
	active := known(count.Answer{Sessions: row.Sessions, Visitors: row.Visitors}, nil)
	figures := make([]view.GoalFigures, len(n.goals))
	for g := range n.goals {
		var converted count.Answer
		if counts[g].err == nil {
			of := counts[g].value[i]
			converted = count.Answer{Sessions: of.Conversions, Visitors: of.Visitors, Value: of.Value}
		}
		figures[g] = view.GoalFigures{Goal: n.goals[g].Goal, Unit: n.unit, Active: active, Converted: known(converted, counts[g].err)}
	}
	return figures
}

// known gives an answer that is there, or why there is none.
func known(answer count.Answer, err error) view.Answer {
	return func(context.Context) (count.Answer, error) { return answer, err }
}

var weekdays = [...]string{"MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"}

// value returns a value of a dimension as clients see it.
func (n naming) value(dimension generated.Dimension, value string) string {
	switch dimension {
	case generated.DimensionReferrer:
		return cmp.Or(value, n.direct)
	case generated.DimensionHour:
		return strconv.Itoa(slices.Index(count.HourOfDay.Values(), value))
	case generated.DimensionWeekday:
		return weekdays[slices.Index(count.DayOfWeek.Values(), value)]
	}
	return value
}

// placeCursor is the cursor of a row.
func placeCursor(place count.RowPlace) string {
	text, _ := json.Marshal(append([]string{strconv.FormatFloat(place.Figure, 'g', -1, 64)}, place.Values...)) // texts always are JSON
	return encodeCursor(string(text))
}

// decodePlace returns the place of a row with so many values.
func decodePlace(argument string, cursor *string, values int) (*count.RowPlace, error) {
	text, err := decodeCursor(argument, cursor)
	if err != nil || text == "" {
		return nil, err
	}
	var parts []string
	if json.Unmarshal([]byte(text), &parts) != nil || len(parts) != values+1 {
		return nil, badCursor(argument, *cursor)
	}
	figure, err := strconv.ParseFloat(parts[0], 64)
	if err != nil {
		return nil, badCursor(argument, *cursor)
	}
	return &count.RowPlace{Figure: figure, Values: parts[1:]}, nil
}
