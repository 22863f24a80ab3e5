// Package experiment tells who is in which variant of an experiment, and what these visitors did.
//
// The problem: a visitor's standing assignment is the earliest one that qualifies, over all days, and the results count
// distinct visitors and the variance of their values. Neither adds up over days as counts of sessions do. So what is kept
// for each partition is by visitor, and joined in memory.
//
// The way of one question about results:
//
//  1. exposure.go keeps, for each partition with assignments, these assignments and the columns of the sessions cut to
//     begin at their first one: exposures. A partition.Cache loads them and brings them to the partition's revision.
//  2. assignments.go joins the partitions' assignments to an index of all visitors of the experiment (index.go), those
//     that match its audience alone. The newest index of each definition is kept; while the sealed partitions stay as
//     they are, the head alone is joined again. The index also answers filter.Assigned for the count engine: Assignments
//     are count.Leaves.
//  3. results.go knows whole answers whose partitions are as they were, and makes equal questions one.
//  4. measure.go chooses the visitors that take part, and cohort.go says for each visitor and metric whether and when the
//     visitor converted, and the value: from the exposures for the session of assignment, from all columns for others. A
//     session that no column says, because another assignment than its first stands or because it is under way at the
//     assignment or at the end, is refolded from its hits.
//  5. The visitors that take part in each question are added up, in the order of their numbers.
//
// Everything is known by fingerprints of what it was made from, and bounded by bytes. What is lost is made again.
package experiment

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/stats"
)

// Engine answers questions about experiments. Whatever the way, the answers are those that reading every hit gives.
type Engine interface {
	// Results answers questions together, in their order. An error is one about all of them; what is wrong with one
	// alone is its answer's. It ends with the context's error when that is done.
	Results(ctx context.Context, questions []Question) ([]Answer, error)
}

// Definition is what the definition of an experiment says of who takes part.
//
// The run is half open, [startedAt, stoppedAt). An assignment qualifies when it lies in the run, names one of the
// variants, and happened in a session that matches the audience: the whole session, as any segment's predicate would be
// asked. The standing assignment of a visitor is the earliest one that qualifies, in the order of the visitor's hits
// (model.Hit.Compare), whatever order messages arrive in. An assignment to a variant that the experiment does not have assigns nobody. A
// visitor with assignments that qualify to more than one variant has multiple exposures; the visitor counts in the
// first.
//
// Where ByUser is set, all of this is said of users: the visitors that are one user's are one, whose assignments are those of all of
// them, and sessions and conversions too. Which visitor is whose says store.VisitorUser, whenever it became known; who is nobody's
// counts by itself. What follows calls them visitors too.
type Definition struct {
	Site int64
	// Key is what messages call the experiment.
	Key string
	// Run is empty where the experiment has not started: nobody is assigned. It ends at
	// model.Open while the experiment runs.
	Run model.Range
	// Variants are the keys of the variants, each once.
	Variants []string
	// Audience is simplified; filter.Bool(true) for everyone.
	Audience filter.Expr
	// ByUser tells that visitors are taken together by their users.
	ByUser bool
}

// Definitions says what experiments are that a filter.Assigned names. It is an
// interface because a count knows nothing of filters, of which an audience is made.
type Definitions interface {
	// Experiment returns the site's experiment of a key. Where there is none the error
	// is a BadInput that says so: it is that of the questions that name it.
	Experiment(ctx context.Context, site int64, key string) (Definition, error)
}

// Metric is what is measured: a goal.
type Metric struct {
	// Where is the goal's predicate, simplified.
	Where filter.Expr
	// Value names the event whose values are summed; empty for none.
	Value string
}

// Question asks for the results of an experiment.
//
// A visitor takes part whose standing assignment lies in the range and whose session
// of assignment matches Where; which assignment stands is decided before, and does not
// depend on either. The end is that of the run or of the range, whichever is earlier.
//
// The visitor converts when the session of assignment matches the metric, folded again from those of its hits that
// happened at the time of the assignment or later, and before the end. Its start is then the assignment's, and what
// it has of its origin and whether it is the visitor's first stays the whole session's. Where Later is set, the visitor
// converts too when any other session matches, folded so: one that began before the assignment may go on after it. A
// filter.Assigned in a metric is asked of the whole session in all cases.
//
// Where Within is set, the end is for each visitor no later than so long after the assignment.
//
// The visitor's value is the sum of the event's values over all sessions that match so.
type Question struct {
	Definition Definition
	// Later tells that sessions after that of the assignment count too: attribution by
	// experiment. Without it, attribution is by session.
	Later bool
	// Within is how long after the assignment something counts; 0 for as long as the experiment runs.
	Within model.Millis
	// Before tells that what visitors did before their assignment is asked for, too: see MetricAnswer.Pairs.
	Before bool
	// Exclude tells that visitors with multiple exposures before the end do not take part; else they count in the first variant.
	Exclude bool
	// In narrows the results to what happened in it.
	In model.Range
	// Where is simplified; filter.Bool(true) for everyone.
	Where   filter.Expr
	Metrics []Metric
	// Steps are instants in ascending order, such as the ends of days: the results as
	// they were seen then are asked for, too.
	Steps []model.Millis
	// Phases are instants in ascending order, at which phases begin, without the first one: the results of the visitors assigned in
	// each are asked for, too. There are none in an experiment of one phase.
	Phases []model.Millis
	// By is a text field that a session has one value of: the visitors of each are asked for, too. It is zero for none.
	By filter.Field
}

// Answer is what an Question asks for.
type Answer struct {
	// Variants are those of the experiment, in its order.
	Variants []VariantAnswer
	// Assigned is how many assignments lie in the run and in the range that name one of the variants, and Unknown how many name one
	// that the experiment does not have, whatever the audience and Where. Each counts: a visitor may have several.
	Assigned, Unknown int
	// MultipleExposures is how many visitors, of those that the question is about, have a qualifying assignment to another variant
	// before the end.
	MultipleExposures int
	// MultipleSteps are for each of the question's steps those of them whose first assignment to another variant is earlier.
	MultipleSteps []int
	// Groups are the visitors by the value of their session of assignment, those with the most first, at most MaxGroups.
	Groups []Group
	// Err says why there is no answer to this question, while others have theirs. Nothing else is set.
	Err error
}

// MaxGroups is how many groups an answer has at most.
const MaxGroups = 100

// Group is some of the visitors of an answer.
type Group struct {
	// Value is that of their sessions of assignment; empty for none.
	Value string
	// Visitors are those that take part, of each variant and phase.
	Visitors [][]int
	// MultipleExposures are the answer's, of the group.
	MultipleExposures int
}

// NewGroups returns what counts the visitors of a question by value, and what lists them: those with the most visitors first, at most
// MaxGroups.
func (q *Question) NewGroups() (of func(value string) *Group, list func() []Group) {
	groups := map[string]*Group{}
	of = func(value string) *Group {
		if groups[value] == nil {
			groups[value] = &Group{Value: value, Visitors: make([][]int, len(q.Definition.Variants))}
			for i := range groups[value].Visitors {
				groups[value].Visitors[i] = make([]int, len(q.Phases)+1)
			}
		}
		return groups[value]
	}
	list = func() []Group {
		all := make([]Group, 0, len(groups))
		for _, group := range groups {
			all = append(all, *group)
		}
		slices.SortFunc(all, func(a, b Group) int {
			return cmp.Or(cmp.Compare(b.size(), a.size()), strings.Compare(a.Value, b.Value))
		})
		return slices.Clone(all[:min(len(all), MaxGroups)])
	}
	return of, list
}

// size is how many visitors there are.
func (g *Group) size() (n int) {
	for _, phases := range g.Visitors {
		for _, visitors := range phases {
			n += visitors
		}
	}
	return n
}

// VariantAnswer is what is counted of the visitors that are assigned to a variant.
type VariantAnswer struct {
	Visitors int
	// Steps are for each of the question's the visitors whose assignment is earlier.
	Steps []int
	// Phases are the visitors of each phase, and PhaseSteps are Steps of each; nil where the question has one phase.
	Phases     []int
	PhaseSteps [][]int
	// Metrics are in the order of the question's.
	Metrics []MetricAnswer
}

// MetricAnswer is what is counted of a metric.
type MetricAnswer struct {
	Tally
	// Winsorized are the values, of which none counts for more than a cap.
	Winsorized Winsorized
	// Steps are for each of the question's the visitors that had converted earlier: a conversion is of the moment at
	// which its session started or, in the session of assignment, of the assignment's.
	Steps []int
	// Phases are of the visitors of each phase, and PhaseSteps are Steps of each; nil where the question has one phase.
	Phases     []Tally
	PhaseSteps [][]int
	// Pairs are, where the question asks for what was before, of all visitors the values before and from the assignment on, as
	// doubles. Before are the values of the sessions that match as a whole, began in the time PeriodBefore before the assignment, and
	// were over when it came. Those of visitors without either come last; the others in the order of their numbers. A user's is
	// UserNumber.
	Pairs stats.JointMoments
}

// PeriodBefore is how far what visitors did before their assignment reaches back.
const PeriodBefore model.Millis = 28 * 24 * 60 * 60 * 1000

// Tally is what some visitors did by a metric.
type Tally struct {
	// Conversions is how many of the visitors converted.
	Conversions int
	// Total is the sum of the visitors' values, and exact.
	Total model.Sum
	// Values is how many of the values are not 0.
	Values int
	// Moments are of the values' nearest doubles, the zeros among them too. They are float64s, good for the variance that they are
	// there for, and added in the order of the visitors' numbers, so that the same data gives the same digits. They are of no values
	// where the metric has none.
	Moments stats.Moments
}

// Add adds the value of a visitor.
func (t *Tally) Add(value model.Sum) {
	t.Total = t.Total.Add(value)
	t.Moments.Add(value.Float64())
	if value != (model.Sum{}) {
		t.Values++
	}
}

// Winsorized is what values come to under a cap.
type Winsorized struct {
	// Cap is the highest value that counts in full; the largest double where nothing is capped.
	Cap float64
	// Capped is how many of the values are higher.
	Capped int
	// Moments are of the values as they count.
	Moments stats.Moments
	// Phases are those of each phase; nil where the question has one.
	Phases []stats.Moments
}

// Values are the values of converted visitors by variant and phase, each list in the order of the visitors' numbers.
type Values [][][]float64

// NewValues returns no values yet of a question's visitors.
func (q *Question) NewValues() Values {
	values := make(Values, len(q.Definition.Variants))
	for i := range values {
		values[i] = make([][]float64, len(q.Phases)+1)
	}
	return values
}

// Winsorize sets what a metric's values come to under a cap: the 99 % quantile of those above 0 of all variants together.
func (a *Answer) Winsorize(metric int, values Values) error {
	winsor, err := stats.WinsorOf(slices.Concat(slices.Concat(values...)...), stats.DefaultWinsorQuantile)
	if err != nil {
		return err
	}
	for i := range a.Variants {
		w := Winsorized{Cap: winsor.Cap}
		for _, list := range values[i] {
			var phase stats.Moments
			for _, value := range list {
				if value > winsor.Cap {
					w.Capped++
				}
				phase.Add(winsor.Of(value))
			}
			w.Moments.Merge(phase)
			if len(values[i]) > 1 {
				w.Phases = append(w.Phases, phase)
			}
		}
		a.Variants[i].Metrics[metric].Winsorized = w
	}
	return nil
}

// FollowsAssignment tells whether sessions are chosen by what may happen in them once a visitor is assigned, which the variant
// may have caused: pages, events and their values, tags, properties, the length and the end, variants of other experiments, and all
// that plugins compute.
func FollowsAssignment(where filter.Expr) bool {
	return len(filter.Computations(where)) > 0 || len(filter.Experiments(where)) > 0 || slices.ContainsFunc(filter.Fields(where), func(field filter.Field) bool {
		switch field {
		case filter.Pages, filter.ExitPage, filter.PageViews, filter.Events, filter.Tags, filter.Length, filter.End:
			return true
		}
		return field == filter.EventValue(field.Key) || field == filter.Property(field.Key)
	})
}

// IsKnownBefore tells whether a visitor can be told to match before the session, or at its beginning: by address, language,
// browser, where the visitor comes from, and properties, but by nothing that the session holds only later.
func IsKnownBefore(where filter.Expr) bool {
	return len(filter.Computations(where)) == 0 && len(filter.Experiments(where)) == 0 && !slices.ContainsFunc(filter.Fields(where), func(field filter.Field) bool {
		return !slices.Contains(knownBefore, field) && field != filter.Property(field.Key)
	})
}

var knownBefore = []filter.Field{
	filter.IP, filter.Country, filter.Region, filter.City, filter.Language, filter.Browser, filter.OS, filter.Device, filter.Referrer, filter.EntryPage,
	filter.Hostname, filter.UTMSource, filter.UTMMedium, filter.UTMCampaign, filter.UTMTerm, filter.UTMContent, filter.Visitor, filter.VisitorKind,
}

// NewAnswer returns the answer to a question in which nobody takes part.
func NewAnswer(q *Question) Answer {
	a := Answer{Variants: make([]VariantAnswer, len(q.Definition.Variants)), MultipleSteps: make([]int, len(q.Steps))}
	for i := range a.Variants {
		v := &a.Variants[i]
		v.Steps, v.Metrics = make([]int, len(q.Steps)), make([]MetricAnswer, len(q.Metrics))
		for m := range v.Metrics {
			v.Metrics[m].Steps = make([]int, len(q.Steps))
		}
		if len(q.Phases) == 0 {
			continue
		}
		v.Phases, v.PhaseSteps = make([]int, len(q.Phases)+1), q.phaseSteps()
		for m := range v.Metrics {
			v.Metrics[m].Phases, v.Metrics[m].PhaseSteps = make([]Tally, len(q.Phases)+1), q.phaseSteps()
		}
	}
	return a
}

func (q *Question) phaseSteps() [][]int {
	steps := make([][]int, len(q.Phases)+1)
	for i := range steps {
		steps[i] = make([]int, len(q.Steps))
	}
	return steps
}

// AsSeenAt returns what the answer was at a step: visitors and conversions.
func (a *Answer) AsSeenAt(step int) *Answer {
	then := &Answer{Variants: make([]VariantAnswer, len(a.Variants))}
	for i, v := range a.Variants {
		seen := &then.Variants[i]
		seen.Visitors, seen.Metrics = v.Steps[step], make([]MetricAnswer, len(v.Metrics))
		for _, steps := range v.PhaseSteps {
			seen.Phases = append(seen.Phases, steps[step])
		}
		for m, metric := range v.Metrics {
			seen.Metrics[m].Conversions = metric.Steps[step]
			for _, steps := range metric.PhaseSteps {
				seen.Metrics[m].Phases = append(seen.Metrics[m].Phases, Tally{Conversions: steps[step]})
			}
		}
	}
	return then
}

// EndFor is the instant from which on nothing counts of a visitor who was assigned at a time.
func (q *Question) EndFor(assigned model.Millis) model.Millis {
	if q.Within == 0 {
		return q.End()
	}
	return min(q.End(), assigned+q.Within)
}

// End is the instant from which on nothing counts.
func (q *Question) End() model.Millis { return min(q.Definition.Run.To, q.In.To) }

// Takes tells whether an assignment is in the run and to one of the variants.
func (d *Definition) Takes(at model.Millis, variant string) bool {
	return d.Run.Contains(at) && slices.Contains(d.Variants, variant)
}
