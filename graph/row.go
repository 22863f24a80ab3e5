package graph

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/99designs/gqlgen/graphql"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

// rowSelection tells what a client selects of the rows: measures, the goals, and values of these.
type rowSelection struct {
	measures     []count.Measure
	goals, value bool
}

func rowSelectionOf(ctx context.Context) (selected rowSelection) {
	operation := graphql.GetOperationContext(ctx)
	take := func(rows graphql.CollectedField) {
		for _, ofRow := range graphql.CollectFields(operation, rows.Selections, []string{"BreakdownRow"}) {
			if measure, ok := measures[ofRow.Name]; ok && !slices.Contains(selected.measures, measure) {
				selected.measures = append(selected.measures, measure)
			}
			switch ofRow.Name {
			case "value":
				selected.goals, selected.value = true, true
			case "goals":
				selected.goals = true
				for _, ofGoal := range graphql.CollectFields(operation, ofRow.Selections, []string{"BreakdownGoal"}) {
					selected.value = selected.value || ofGoal.Name == "valueTotal"
				}
			}
		}
	}
	for _, ofPage := range graphql.CollectFieldsCtx(ctx, []string{"BreakdownConnection"}) {
		switch ofPage.Name {
		case "nodes":
			take(ofPage)
		case "edges":
			for _, ofEdge := range graphql.CollectFields(operation, ofPage.Selections, []string{"BreakdownEdge"}) {
				if ofEdge.Name == "node" {
					take(ofEdge)
				}
			}
		}
	}
	slices.Sort(selected.measures)
	return selected
}

// measures are those that fields are made of.
var measures = map[string]count.Measure{
	"visitors": count.Visitors, "pageViews": count.PageViews, "bounceRate": count.Bounces, "medianDurationSeconds": count.Median, "meanDurationSeconds": count.Length,
}

// naming makes rows as clients see them.
type naming struct {
	by []generated.Dimension
	// direct stands for no referrer.
	direct string
	// texts tell the rows of one question from those of others.
	texts []string
}

func (r *Resolver) namingOf(by []generated.Dimension, query *count.BreakdownQuery) naming {
	n := naming{by: by, texts: []string{fmt.Sprint(query.Site, query.In.From, query.In.To), query.Where.String()}}
	if t, ok := r.filters.Type("referrer"); ok {
		n.direct = t.None
	}
	for i, grouping := range query.By {
		n.texts = append(n.texts, string(by[i]), grouping.Field.Key, fmt.Sprint(grouping.Zone))
		for _, choice := range grouping.Choices {
			n.texts = append(n.texts, choice.Where.String())
		}
	}
	for _, goal := range query.Goals {
		n.texts = append(n.texts, "goal", goal.Where.String(), goal.Event)
	}
	return n
}

const rowNoun noun = "BreakdownRow"

// row returns a row as clients see it.
func (n naming) row(row *count.Row, goals []model.Goal) view.BreakdownRow {
	of := count.FingerprintOf(slices.Concat(n.texts, row.Values)...)
	figures := view.FiguresOf(row)
	named := view.BreakdownRow{
		ID: encodeTextID(rowNoun, hex.EncodeToString(of[:])), Values: make([]string, len(row.Values)),
		Sessions: figures.Sessions, Visitors: figures.Visitors, PageViews: figures.PageViews,
		BounceRate: *figures.BounceRate, MedianDurationSeconds: *figures.MedianDurationSeconds, MeanDurationSeconds: *figures.MeanDurationSeconds,
		Goals: make([]view.BreakdownGoal, len(row.Goals)),
	}
	for i, value := range row.Values {
		named.Values[i] = n.value(n.by[i], value)
	}
	var value model.Sum
	for i, reached := range row.Goals {
		goal := view.BreakdownGoal{Goal: goals[i], Conversions: reached.Conversions, ConversionRate: *view.Rate(reached.Conversions, row.Sessions)}
		if goals[i].ValueEvent != "" {
			total := reached.Value.Float64()
			goal.ValueTotal = &total
			value = value.Add(reached.Value)
			sum := value.Float64()
			named.Value = &sum
		}
		named.Goals[i] = goal
	}
	return named
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
