package graph

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
)

// The cost of an operation is how many fields its answer has, in points: what is known of that before it is carried
// out. Arguments say how long lists are, and ranges and intervals how many points a series has. Where only the data
// knows, a guess stands in: see few. Each filter that is given costs a point, too. What is really made is counted while it
// is made (budget.go).

// MaxCost is the highest cost of an operation, in points, and how many fields an answer may have.
const MaxCost = 200_000

// few is the length of a list that only the data knows.
const few = 5

// plenty stands for every cost that is higher.
const plenty = math.MaxInt32

// scope is what fields further up say about those below.
type scope struct {
	// in is the range that series cover.
	in model.Range
	// page is how many elements a connection's page has, or a payload, cells how many a card has, or goals a row, and steps
	// how many a funnel has.
	page, cells, steps int
}

// coster works out the cost of an operation. It works out each fragment once in a scope.
type coster struct {
	ctx       context.Context
	schema    *ast.Schema
	variables map[string]any
	now       model.Millis
	known     map[fragmentIn]int
	visited   int
	// introspects tells that the schema is asked for, and breaksDown that sessions are broken down.
	introspects, breaksDown bool
	err                     error
}

type fragmentIn struct {
	fragment *ast.FragmentDefinition
	in       scope
}

// costOf returns the cost of an operation that is valid, with its variables as they are coerced, and the coster, which
// tells what else it has met. The error is the context's.
func costOf(ctx context.Context, schema *ast.Schema, operation *ast.OperationDefinition, variables map[string]any, now time.Time) (cost int, met *coster, err error) {
	c := &coster{ctx: ctx, schema: schema, variables: variables, now: model.MillisOf(now), known: map[fragmentIn]int{}}
	all := scope{in: model.Range{From: -model.Open, To: model.Open}, page: few, cells: few, steps: few}
	cost = c.selections(operation.SelectionSet, all)
	return cost, c, c.err
}

func (c *coster) selections(set ast.SelectionSet, in scope) (cost int) {
	for _, selection := range set {
		if c.visited++; c.visited%256 == 0 && c.err == nil {
			c.err = c.ctx.Err()
		}
		if c.err != nil {
			return 0
		}
		own := 0
		switch s := selection.(type) {
		case *ast.Field:
			if c.isIncluded(s.Directives) {
				own = c.field(s, in)
			}
		case *ast.InlineFragment:
			if c.isIncluded(s.Directives) {
				own = c.selections(s.SelectionSet, in)
			}
		case *ast.FragmentSpread:
			if c.isIncluded(s.Directives) {
				own = c.fragment(s.Definition, in)
			}
		}
		cost = min(cost+own, plenty)
	}
	return cost
}

func (c *coster) fragment(definition *ast.FragmentDefinition, in scope) int {
	key := fragmentIn{definition, in}
	cost, found := c.known[key]
	if !found {
		cost = c.selections(definition.SelectionSet, in)
		c.known[key] = cost
	}
	return cost
}

// isIncluded tells whether a selection is not skipped.
func (c *coster) isIncluded(directives ast.DirectiveList) bool {
	for _, directive := range directives {
		if directive.Name != "skip" && directive.Name != "include" {
			continue
		}
		if condition, ok := directive.ArgumentMap(c.variables)["if"].(bool); ok && condition == (directive.Name == "skip") {
			return false
		}
	}
	return true
}

// field returns the cost of a field with all that is below it.
func (c *coster) field(field *ast.Field, in scope) int {
	if field.Name == "__schema" || field.Name == "__type" {
		c.introspects = true
	}
	filters := c.filters(field)
	if len(field.SelectionSet) == 0 {
		return 1 + filters
	}
	times, own, below := c.lengthOf(field, in)
	own += filters
	each := c.selections(field.SelectionSet, below)
	// Neither factor is above plenty, so that their product is no overflow.
	return int(min(1+int64(own)+int64(times)*int64(each), plenty))
}

// filters returns how many filters a field's arguments have, those in groups too.
func (c *coster) filters(field *ast.Field) (n int) {
	if field.Definition == nil || len(field.Arguments) == 0 {
		return 0
	}
	arguments := field.ArgumentMap(c.variables)
	for _, argument := range field.Definition.Arguments {
		n += c.filtersIn(argument.Type, arguments[argument.Name])
	}
	return min(n, plenty)
}

func (c *coster) filtersIn(typ *ast.Type, value any) (n int) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			n += c.filtersIn(typ, element)
		}
	case map[string]any:
		definition := c.schema.Types[typ.Name()]
		if definition.Name == filterInput {
			n = 1
		}
		for _, field := range definition.Fields {
			if member, isGiven := value[field.Name]; isGiven {
				n += c.filtersIn(field.Type, member)
			}
		}
	}
	return n
}

// lengthOf returns how many elements a field has, what they cost beside what is selected of them, and the scope of these.
func (c *coster) lengthOf(field *ast.Field, in scope) (times, own int, below scope) {
	arguments, below := field.ArgumentMap(c.variables), in
	if when, isGiven := arguments["range"]; isGiven {
		below.in = c.rangeOfArgument(when)
	}
	isList := field.Definition.Type.Elem != nil
	if ids, together := arguments["ids"]; together && field.ObjectDefinition == c.schema.Mutation {
		below.page = listed(ids)
	}
	switch parent := field.ObjectDefinition.Name; parent + "." + field.Name {
	case "Query.nodes":
		return listed(arguments["ids"]), 0, below
	case "Site.goalCards", "Subscription.goalCards":
		below.cells = listedIn(arguments, "segments", "adHocSegments")
		times = listedIn(arguments, "goals", "adHocGoals")
		if first := arguments["first"]; first != nil && arguments["goals"] == nil && arguments["adHocGoals"] == nil {
			times = pageOf(first)
		}
		return times, times * below.cells, below // each cell is merged, whatever is selected of it
	case "Goal.card":
		below.cells = listedIn(arguments, "segments", "adHocSegments")
		return 1, 0, below
	case "GoalCard.cells":
		return in.cells, 0, below
	case "Site.funnel", "Subscription.funnel":
		below.cells, below.steps = listedIn(arguments, "segments", "adHocSegments"), listedIn(arguments, "steps", "adHocGoals")
		return 1, below.cells * below.steps, below // each step is merged with each segment, whatever is selected of them
	case "Site.breakdown", "Subscription.breakdown":
		c.breaksDown = true
		below.page, below.cells = pageOf(sizeOf(arguments)), listedIn(arguments, "goals", "adHocGoals")
		return 1, 0, below
	case "BreakdownRow.goals":
		return in.cells, 0, below
	case "Funnel.segments":
		return in.cells, 0, below
	case "FunnelSegment.steps":
		return in.steps, 0, below
	case "Experiment.breakdown":
		return listedIn(arguments, "segments", "adHocSegments"), 0, below
	case "GoalCell.series", "VariantResult.series", "ExperimentResult.sampleRatioSeries", "Totals.series":
		interval, _ := arguments["interval"].(string)
		points := c.points(in.in, model.Interval(interval))
		return points, points, below
	case "Experiment.interactions":
		c.breaksDown = true // all of them are measured, whatever is selected of them
		return maxBeside, 1000, below
	case "ExperimentPlan.effects":
		return numberOf(arguments["days"], defaultAhead, maxAhead), 0, below
	case "VariantResult.density":
		return numberOf(arguments["points"], defaultDensity, maxDensity), 0, below
	case "Query.filterTypes":
		return len(c.schema.Types[filterInput].Fields) - len(groupFields()), 0, below
	case "__Schema.types":
		return len(c.schema.Types), 0, below
	case "__Schema.directives":
		return len(c.schema.Directives), 0, below
	case "__Type.fields", "__Type.inputFields", "__Type.enumValues", "__Type.interfaces", "__Type.possibleTypes", "__Field.args":
		return c.perType(field.Name), 0, below
	default:
		isPage := field.Definition.Arguments.ForName("first") != nil
		switch {
		case isPage && isList:
			return pageOf(arguments["first"]), 0, below
		case isPage: // it is read, whatever is selected of it
			below.page = pageOf(sizeOf(arguments))
			return 1, below.page, below
		case isList && (isConnection(field.ObjectDefinition) || strings.HasSuffix(field.ObjectDefinition.Name, "Payload")):
			return in.page, 0, below
		case isList:
			return few, 0, below
		}
		return 1, 0, below
	}
}

// perType returns how long a list of the schema's types is on average.
func (c *coster) perType(list string) int {
	all := 0
	for _, t := range c.schema.Types {
		isInput := t.Kind == ast.InputObject
		switch {
		case list == "fields" && !isInput, list == "inputFields" && isInput:
			all += len(t.Fields)
		case list == "enumValues":
			all += len(t.EnumValues)
		}
	}
	return all/len(c.schema.Types) + 1
}

// isConnection tells whether objects are pages of a list.
func isConnection(definition *ast.Definition) bool {
	return definition.Fields.ForName("pageInfo") != nil
}

// listed returns how many elements a list has that a client names.
func listed(argument any) int {
	switch list := argument.(type) {
	case nil:
		return few
	case []any:
		return len(list)
	case []string:
		return len(list)
	}
	return 1 // which is made a list
}

// sizeOf returns the argument that says how large a connection's page is.
func sizeOf(arguments map[string]any) any {
	if last := arguments["last"]; last != nil {
		return last
	}
	return arguments["first"]
}

// listedIn returns how many elements are named by ids and given ad hoc. Without either, only the data knows.
func listedIn(arguments map[string]any, ids, adHoc string) (n int) {
	if arguments[adHoc] != nil {
		n = listed(arguments[adHoc])
	}
	if n == 0 || arguments[ids] != nil || arguments["includeInactive"] == true {
		n += listed(arguments[ids])
	}
	return n
}

// pageOf returns how many elements a page has.
func pageOf(first any) int { return numberOf(first, defaultFirst, maxFirst) }

// numberOf returns a number that is given, from 0 up to the most that it may be, or the default.
func numberOf(argument any, otherwise, most int64) int {
	n := otherwise
	switch given := argument.(type) {
	case int64:
		n = given
	case int:
		n = int64(given)
	case json.Number:
		if number, err := given.Int64(); err == nil {
			n = number
		}
	}
	return int(min(max(n, 0), most))
}

// rangeOfArgument returns the range that a TimeRange says, about: days are those of UTC. What it says wrongly is refused when
// it is read.
func (c *coster) rangeOfArgument(argument any) model.Range {
	given, _ := argument.(map[string]any)
	in, ok := timeRangeOf(given)
	period, err := in.Resolve(c.now.Time(), time.UTC)
	if !ok || err != nil {
		return model.Range{From: -model.Open, To: model.Open}
	}
	return period.Range
}

// timeRangeOf returns the TimeRange of an argument. ok is false where a part of it is wrong.
func timeRangeOf(given map[string]any) (in model.TimeRange, ok bool) {
	dates, _ := given["date"].(map[string]any)
	var date model.DateRange
	ok = read(given, "from", scalar.UnmarshalTime, &in.From) && read(given, "to", scalar.UnmarshalTime, &in.To) &&
		read(given, "last", scalar.UnmarshalDays, &in.Last)
	if name, isName := given["name"].(string); isName {
		in.Name = (*model.RangeName)(&name)
	}
	if dates != nil {
		var from, to *model.Date
		ok = ok && read(dates, "from", scalar.UnmarshalDate, &from) && read(dates, "to", scalar.UnmarshalDate, &to)
		if ok && from != nil && to != nil {
			date = model.DateRange{From: *from, To: *to}
		}
		in.Date = &date
	}
	return in, ok
}

// read reads a member of an object, if there is one.
func read[T any](object map[string]any, name string, unmarshal func(any) (T, error), into **T) bool {
	value := object[name]
	if value == nil {
		return true
	}
	read, err := unmarshal(value)
	*into = &read
	return err == nil
}

// points returns about how many points a series has. Without a beginning it is of the time that an experiment runs.
func (c *coster) points(in model.Range, interval model.Interval) int {
	length := map[model.Interval]int64{model.Hour: 1, model.CalendarDay: 24, model.Week: 7 * 24, model.Month: 28 * 24}[interval]
	if length == 0 {
		length = 24
	}
	const hour, run = int64(time.Hour / time.Millisecond), 30 * 24
	to := min(in.To, c.now+1)
	hours := int64(run)
	if in.From != -model.Open {
		hours = max(0, int64(to-in.From)) / hour
	}
	return int(min(hours/length+2, model.MaxPoints))
}
