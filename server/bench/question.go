package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// Size of a matrix.
const (
	segmentsOfMatrix = 5
	goalsOfMatrix    = 6
)

// condition is one filter of a segment or a goal. Each system gets it in its own language.
type condition struct {
	field field
	not   bool
	// any holds numbers of the vocabulary; a session matches if it has one of them. A literal is one number, a glob all
	// that it matches. If the field can be empty, 0 means empty, and the values count from 1.
	any []int
	// min and max are inclusive bounds of a number.
	min, max int
}

// field is a field of a session, by its column in SQL.
type field string

const (
	country  field = "country"
	referrer field = "referrer"
	browser  field = "browser"
	device   field = "device"
	source   field = "utm_source"
	medium   field = "utm_medium"
	campaign field = "utm_campaign"
	pages    field = "pages"
	tags     field = "tags"
	events   field = "events"
	length   field = "length_ms"
	views    field = "page_views"
)

func (f field) isSet() bool    { return f == pages || f == tags || f == events }
func (f field) isNumber() bool { return f == length || f == views }

// names returns the values of a field, by their number.
func (v *vocabulary) names(f field) []string {
	switch f {
	case country:
		return v.countries
	case referrer:
		return slices.Concat([]string{""}, v.referrers)
	case browser:
		return v.browsers
	case device:
		return devices
	case source:
		return slices.Concat([]string{""}, utmSources)
	case medium:
		return slices.Concat([]string{""}, utmMediums)
	case campaign:
		return slices.Concat([]string{""}, v.campaigns)
	case pages:
		return v.pages
	case tags:
		return v.tags
	case events:
		return v.events
	}
	return nil
}

// definition is a segment or a goal: the sessions that match all conditions.
type definition struct {
	conditions []condition
	// filters are the conditions in GraphQL.
	filters []map[string]any
}

func (d definition) String() string {
	text, err := json.Marshal(d.filters)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// question is a random question: one definition for a single count, the segments and goals of a matrix, and
// the goals and the filters of its breakdowns.
type question struct {
	one            definition
	segments, goal []definition
	reached        []definition
	within         definition
}

// asker makes questions. No two of them share a leaf, which is one value, glob or range of one field.
type asker struct {
	*generator
	r    *rand.Rand
	used map[string]bool
}

func newAsker(g *generator) *asker {
	return &asker{generator: g, r: rand.New(rand.NewPCG(g.seed, math.MaxUint64)), used: map[string]bool{}}
}

// kinds are the filter types that questions use.
var kinds = []string{"country", "referrer", "pages", "tags", "events", "sessionLength", "pageViews", "browser", "device", "utm"}

// oneOfEach makes one definition for each filter type.
func (a *asker) oneOfEach() []definition {
	definitions := make([]definition, len(kinds))
	for i, kind := range kinds {
		for !a.add(&definitions[i], kind) {
		}
	}
	return definitions
}

// questions makes n questions. It draws the single counts first, because the values that are left get rarer.
func (a *asker) questions(n int) []question {
	questions := make([]question, n)
	for i := range questions {
		questions[i].one = a.definition(2 + a.r.IntN(3)) // like a merged segment
	}
	for i := range questions {
		a.matrix(&questions[i])
	}
	for i := range questions {
		for range goalsOfBreakdown {
			questions[i].reached = append(questions[i].reached, a.definition(1+a.r.IntN(2)))
		}
		questions[i].within = a.definition(1)
	}
	return questions
}

func (a *asker) matrix(q *question) {
	for range segmentsOfMatrix {
		q.segments = append(q.segments, a.definition(1+a.r.IntN(3)))
	}
	for range goalsOfMatrix {
		q.goal = append(q.goal, a.definition(1+a.r.IntN(3)))
	}
}

// definition makes a definition of n filters of different types.
func (a *asker) definition(n int) definition {
	var d definition
	var taken []string
	for len(d.filters) < n {
		kind := kinds[a.r.IntN(len(kinds))]
		// There are few events and devices: when all are used, this draws another type.
		if !slices.Contains(taken, kind) && a.add(&d, kind) {
			taken = append(taken, kind)
		}
	}
	return d
}

// add adds a random filter of a type. It returns false, and adds nothing, if a leaf was used before.
func (a *asker) add(d *definition, kind string) bool {
	conditions, args := a.filter(kind)
	leaves := make([]string, len(conditions))
	for i, c := range conditions {
		if !c.field.isNumber() && len(c.any) == 0 {
			return false // a glob without a match
		}
		slices.Sort(c.any)
		leaves[i] = fmt.Sprint(c.field, c.any, c.min, c.max)
		if a.used[leaves[i]] {
			return false
		}
	}
	for _, leaf := range leaves {
		a.used[leaf] = true
	}
	d.conditions = append(d.conditions, conditions...)
	d.filters = append(d.filters, map[string]any{kind: args})
	return true
}

// filter makes a random filter of a type: its conditions, and its GraphQL arguments.
func (a *asker) filter(kind string) ([]condition, map[string]any) {
	switch kind {
	case "country":
		return a.choice(country, a.country, 0, 1+a.r.IntN(4), "is", "isNot")
	case "browser":
		return a.choice(browser, a.browser, 0, 1+a.r.IntN(4), "is", "isNot")
	case "device":
		return a.choice(device, a.device, 0, 1+a.r.IntN(2), "is", "isNot")
	case "utm":
		return a.choice([]field{source, medium, campaign}[a.r.IntN(3)], nil, 1, 1+a.r.IntN(4), "", "")
	case "referrer":
		if a.r.IntN(2) == 0 {
			return a.choice(referrer, a.referrer, 1, 1+a.r.IntN(5), "is", "isNot")
		}
		pattern := []func() string{
			func() string { return fmt.Sprintf("*.site%d.example", a.r.IntN(97)) },
			func() string { return fmt.Sprintf("*%d%d*", a.r.IntN(10), a.r.IntN(10)) },
			func() string {
				return fmt.Sprintf("%s%d*", []string{"blog", "news", "forum"}[a.r.IntN(3)], 1+a.r.IntN(99))
			},
			func() string { return "*" + []string{"google", "face", "com", "reddit", "duck"}[a.r.IntN(5)] + "*" },
		}[a.r.IntN(4)]()
		c := condition{field: referrer, any: glob(a.names(referrer), pattern), not: a.r.IntN(4) == 0}
		return []condition{c}, map[string]any{choose(c.not, "isNot", "is"): []string{pattern}}
	case "pages":
		if a.r.IntN(2) == 0 {
			return a.every(pages, a.page, 1+a.r.IntN(2))
		}
		pattern := []func() string{
			func() string {
				return fmt.Sprintf("/%s/*-%d/*", []string{"docs", "blog", "shop", "help"}[a.r.IntN(4)], a.r.IntN(41))
			},
			func() string { return fmt.Sprintf("*/%d*", 1+a.r.IntN(99)) },
			func() string {
				return fmt.Sprintf("/%s/%s-*%d", []string{"docs", "blog", "shop", "help"}[a.r.IntN(4)], []string{"alpha", "beta", "gamma"}[a.r.IntN(3)], a.r.IntN(10))
			},
		}[a.r.IntN(3)]()
		return []condition{{field: pages, any: glob(a.pages, pattern)}}, map[string]any{"all": []string{pattern}}
	case "tags":
		return a.every(tags, a.tag, 1+a.r.IntN(2))
	case "events":
		return a.every(events, a.event, 1)
	case "sessionLength":
		low := a.r.IntN(300)
		high := low + 5 + a.r.IntN(1000)
		return []condition{{field: length, min: low * 1000, max: high*1000 + 999}}, map[string]any{"min": low, "max": high}
	default: // pageViews
		low := 1 + a.r.IntN(4)
		high := low + a.r.IntN(12)
		return []condition{{field: views, min: low, max: high}}, map[string]any{"min": low, "max": high}
	}
}

func choose(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}

// choice makes a condition on some values of a field. offset is 1 if number 0 means empty. is and isNot name the GraphQL
// arguments; if they are empty, the argument has the field's name and cannot be negated.
func (a *asker) choice(f field, p *picker, offset, n int, is, isNot string) ([]condition, map[string]any) {
	names := a.names(f)
	if p == nil {
		p = zipf(len(names)-offset, 0.5)
	}
	c := condition{field: f, not: isNot != "" && a.r.IntN(4) == 0}
	for range n {
		if i := p.pick(a.r) + offset; !slices.Contains(c.any, i) {
			c.any = append(c.any, i)
		}
	}
	name := choose(c.not, isNot, is)
	if name == "" {
		name = strings.TrimPrefix(string(f), "utm_")
	}
	return []condition{c}, map[string]any{name: namesOf(names, c.any)}
}

// every makes conditions on a set, each for one value.
func (a *asker) every(f field, p *picker, n int) ([]condition, map[string]any) {
	numbers := a.distinct(a.r, p, n)
	conditions := make([]condition, len(numbers))
	for i, number := range numbers {
		conditions[i] = condition{field: f, any: []int{number}}
	}
	return conditions, map[string]any{"all": namesOf(a.names(f), numbers)}
}

// glob returns the numbers of the names that a pattern matches. It shares no code with the product.
func glob(names []string, pattern string) (numbers []int) {
	parts := strings.Split(pattern, "*")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	match := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
	for i, name := range names {
		if match.MatchString(name) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// answer holds the sessions of each segment, and the conversions of each segment and goal.
type answer struct {
	Sessions    []int
	Conversions [][]int // by segment, by goal
}

func newAnswer(segments, goals int) answer {
	a := answer{Sessions: make([]int, segments), Conversions: make([][]int, segments)}
	for i := range a.Conversions {
		a.Conversions[i] = make([]int, goals)
	}
	return a
}

// foldMask adds sessions to the segments and goals of a mask: a bit for each segment from bit 0 on, then one for each goal.
func (a answer) foldMask(mask, sessions int) {
	for i := range a.Sessions {
		if mask>>i&1 == 0 {
			continue
		}
		a.Sessions[i] += sessions
		for j := range a.Conversions[i] {
			if mask>>(len(a.Sessions)+j)&1 == 1 {
				a.Conversions[i][j] += sessions
			}
		}
	}
}

// plus returns a + factor × b.
func (a answer) plus(b answer, factor int) answer {
	sum := newAnswer(len(a.Sessions), len(a.Conversions[0]))
	for i := range a.Sessions {
		sum.Sessions[i] = a.Sessions[i] + factor*b.Sessions[i]
		for j := range a.Conversions[i] {
			sum.Conversions[i][j] = a.Conversions[i][j] + factor*b.Conversions[i][j]
		}
	}
	return sum
}

func (a answer) equal(b answer) bool {
	return slices.Equal(a.Sessions, b.Sessions) && slices.EqualFunc(a.Conversions, b.Conversions, slices.Equal[[]int])
}
