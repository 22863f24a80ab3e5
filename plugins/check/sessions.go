package check

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/model/filter"
)

// sampler makes sessions that tell predicates from each other. Values come from
// the predicates themselves, with their neighbours: numbers beside the ends of
// ranges, texts that a glob just matches or that two match together, addresses
// at the ends of blocks. About half of the sessions are made to satisfy one of
// the predicates, or as many of them as go together.
//
// Each session could be a real one: its entry page is a page of it, its device is
// one of the four, its length is not negative.
type sampler struct {
	random  *rand.Rand
	exprs   []filter.Expr
	texts   map[filter.Field][]string
	numbers map[filter.Field][]float64
	// variants are those of each experiment.
	variants map[string][]string
}

func newSampler(random *rand.Rand, exprs ...filter.Expr) *sampler {
	s := &sampler{random: random, exprs: exprs, texts: map[filter.Field][]string{}, numbers: map[filter.Field][]float64{}, variants: map[string][]string{}}
	stems := map[filter.Field][]string{}
	for _, e := range exprs {
		filter.EachLeaf(e, func(leaf filter.Expr) { s.learn(leaf, stems) })
	}
	for field, of := range stems {
		for _, a := range of[:min(len(of), 20)] {
			for _, b := range of[:min(len(of), 20)] {
				s.texts[field] = append(s.texts[field], a+b)
			}
		}
	}
	return s
}

// mostValues of one list are learnt.
const mostValues = 50

// learn gathers the values that a leaf names. stems are texts that
// globs match, to be joined.
func (s *sampler) learn(e filter.Expr, stems map[filter.Field][]string) {
	switch e := e.(type) {
	case filter.In:
		s.texts[e.Field] = append(s.texts[e.Field], e.Values[:min(len(e.Values), mostValues)]...)
	case filter.Glob:
		for _, between := range []string{"", "x", "a/b"} {
			text := strings.ReplaceAll(e.Pattern, "*", between)
			s.texts[e.Field] = append(s.texts[e.Field], text)
			stems[e.Field] = append(stems[e.Field], text)
		}
	case filter.Within:
		for _, block := range e.Blocks[:min(len(e.Blocks), mostValues)] {
			first := block.Addr()
			s.texts[e.Field] = append(s.texts[e.Field], first.String())
			for _, near := range []interface {
				IsValid() bool
				String() string
			}{first.Next(), first.Prev()} {
				if near.IsValid() {
					s.texts[e.Field] = append(s.texts[e.Field], near.String())
				}
			}
		}
	case filter.Range:
		for _, end := range []float64{e.Min, e.Max, (e.Min + e.Max) / 2} {
			if !math.IsInf(end, 0) && !math.IsNaN(end) {
				s.numbers[e.Field] = append(s.numbers[e.Field], end-1, end, end+1)
			}
		}
	case filter.Assigned:
		s.variants[e.Experiment] = append(s.variants[e.Experiment], e.Variants[:min(len(e.Variants), mostValues)]...)
	}
}

// draft is a session in the making.
type draft struct {
	texts    map[filter.Field][]string
	numbers  map[filter.Field]float64
	assigned map[string]string
}

// session returns the next session.
func (s *sampler) session() *model.Session {
	d := draft{map[filter.Field][]string{}, map[filter.Field]float64{}, map[string]string{}}
	// In an order of their own, so that the same seed makes the same session.
	for _, field := range ordered(s.texts) {
		for range s.random.IntN(3) {
			d.texts[field] = append(d.texts[field], s.text(field))
		}
	}
	for _, field := range ordered(s.numbers) {
		if s.random.IntN(4) > 0 {
			d.numbers[field] = pick(s.random, s.numbers[field])
		}
	}
	for _, experiment := range slices.Sorted(maps.Keys(s.variants)) {
		if s.random.IntN(4) > 0 {
			d.assigned[experiment] = pick(s.random, append([]string{"something else"}, s.variants[experiment]...))
		}
	}
	if s.random.IntN(3) > 0 {
		for _, i := range s.random.Perm(len(s.exprs))[:1+s.random.IntN(len(s.exprs))] {
			s.satisfy(s.exprs[i], d)
		}
	}
	return d.session()
}

func ordered[V any](of map[filter.Field]V) []filter.Field {
	fields := make([]filter.Field, 0, len(of))
	for field := range of {
		fields = append(fields, field)
	}
	slices.SortFunc(fields, func(a, b filter.Field) int { return strings.Compare(a.String(), b.String()) })
	return fields
}

// text returns a value of the field, now and then one that no predicate names.
func (s *sampler) text(field filter.Field) string {
	if s.random.IntN(6) == 0 {
		return "something else"
	}
	return pick(s.random, s.texts[field])
}

// satisfy changes the draft so that the predicate likely matches.
func (s *sampler) satisfy(e filter.Expr, d draft) {
	switch e := e.(type) {
	case filter.And:
		for _, part := range e {
			s.satisfy(part, d)
		}
	case filter.Or:
		if len(e) > 0 {
			s.satisfy(pick(s.random, e), d)
		}
	case filter.Not:
		for _, field := range filter.Fields(e.Expr) {
			delete(d.texts, field)
			delete(d.numbers, field)
		}
		for _, experiment := range filter.Experiments(e.Expr) {
			delete(d.assigned, experiment)
		}
	case filter.In:
		if len(e.Values) > 0 {
			d.add(e.Field, pick(s.random, e.Values))
		}
	case filter.Glob:
		d.add(e.Field, strings.ReplaceAll(e.Pattern, "*", pick(s.random, []string{"", "x", "a/b"})))
	case filter.Within:
		if len(e.Blocks) > 0 {
			d.add(e.Field, pick(s.random, e.Blocks).Addr().String())
		}
	case filter.Range:
		low, high := e.Min, e.Max
		switch {
		case math.IsInf(low, -1) && math.IsInf(high, 1):
			low, high = 0, 0
		case math.IsInf(low, -1):
			low = high
		case math.IsInf(high, 1):
			high = low
		}
		d.numbers[e.Field] = pick(s.random, []float64{low, high})
	case filter.Assigned:
		if len(e.Variants) > 0 {
			d.assigned[e.Experiment] = pick(s.random, e.Variants)
		}
	}
}

// add gives the field a value, in place of what it had where it holds only one.
func (d draft) add(field filter.Field, value string) {
	switch {
	case value == "":
		delete(d.texts, field)
	case field.Kind() == filter.Many:
		d.texts[field] = append(d.texts[field], value)
	default:
		d.texts[field] = []string{value}
	}
}

// one returns the value of a field that holds only one.
func (d draft) one(field filter.Field) string {
	if list := d.texts[field]; len(list) > 0 {
		return list[0]
	}
	return ""
}

// number returns a whole number of 0 to most.
func (d draft) number(field filter.Field, most float64) int64 {
	return int64(max(0, min(most, math.Round(d.numbers[field]))))
}

func (d draft) session() *model.Session {
	const (
		mostLength = 1e11
		mostStart  = 4e12
	)
	s := &model.Session{
		VisitorKey: d.one(filter.Visitor),
		First:      d.one(filter.VisitorKind) == filter.NewVisitor,
		Start:      model.Millis(d.number(filter.Start, mostStart)),
		Tags:       distinct(d.texts[filter.Tags]),
		Properties: map[string]string{},
		Assigned:   d.assigned,
	}
	s.End = s.Start + model.Millis(d.number(filter.Length, mostLength))
	for _, of := range dimension.Origins() {
		if value := d.one(filter.Field{Name: of.Name}); of.Values == nil || slices.Contains(of.Values, value) {
			*of.Origin(&s.Origin) = value
		}
	}
	for _, field := range ordered(d.texts) {
		if field.Name == "property" && d.one(field) != "" {
			s.Properties[field.Key] = d.one(field)
		}
	}
	for _, field := range ordered(d.numbers) {
		if field.Name == "value" {
			s.Events = append(s.Events, model.EventSum{Name: field.Key, Count: 1, Values: 1, Sum: model.SumOf(d.numbers[field])})
		}
	}
	for _, name := range distinct(d.texts[filter.Events]) {
		if _, found := s.Event(name); !found {
			s.Events = append(s.Events, model.EventSum{Name: name, Count: 1})
		}
	}
	d.visit(s)
	return s
}

// visit gives the session its pages.
func (d draft) visit(s *model.Session) {
	pages := slices.Concat([]string{s.EntryPage}, d.texts[filter.Pages], []string{d.one(filter.ExitPage)})
	s.Pages = distinct(pages)
	views := d.number(filter.PageViews, 1e6)
	if len(s.Pages) == 0 && (views > 0 || len(s.Events) == 0) {
		s.Pages = []string{"/"}
	}
	if len(s.Pages) == 0 {
		return
	}
	s.PageViews = max(int(views), len(s.Pages))
	s.EntryPage, s.ExitPage = s.Pages[0], s.Pages[len(s.Pages)-1]
	if exit := d.one(filter.ExitPage); exit != "" {
		s.ExitPage = exit
	}
}

// distinct returns the values but the empty ones, each once.
func distinct(list []string) (kept []string) {
	for _, value := range list {
		if value != "" && !slices.Contains(kept, value) {
			kept = append(kept, value)
		}
	}
	return kept
}

// tell words of a session what the predicates look at.
func tell(s *model.Session, exprs ...filter.Expr) string {
	var parts []string
	for _, field := range filter.Fields(filter.And(exprs)) {
		var part string
		if field.Kind() == filter.Number {
			n, has := field.Number(s)
			part = fmt.Sprintf("%s %v", field, n)
			if !has {
				part = "no " + field.String()
			}
		} else if part = fmt.Sprintf("%s %q", field, strings.Join(field.Texts(s), ", ")); len(field.Texts(s)) == 0 {
			part = "no " + field.String()
		}
		parts = append(parts, part)
	}
	for _, experiment := range filter.Experiments(filter.And(exprs)) {
		part := fmt.Sprintf("no assignment to %q", experiment)
		if variant := s.Assigned[experiment]; variant != "" {
			part = fmt.Sprintf("an assignment to %q of %q", variant, experiment)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "any session"
	}
	return "a session with " + strings.Join(parts, " and ")
}
