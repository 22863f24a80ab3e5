// Package filtertest makes random predicates and random sessions over one small
// vocabulary, so that about as many sessions match a predicate as do not. The
// vocabulary holds what is easy to get wrong: values that are missing, that
// differ by case, that hold stars, quotes, control characters and characters
// beyond ASCII, and numbers on the edges of ranges.
package filtertest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Day is the UTC day around which RandomSession's sessions start.
const Day model.Day = 20_000

// The fields that occur in predicates: every one that there is, a keyed one by the
// keys that sessions have and by one that none has.
var (
	TextFields = fields(map[dimension.Kind][]string{dimension.Text: {""}, dimension.KeyedText: append([]string{unheardOf}, properties...)})
	SetFields  = fields(map[dimension.Kind][]string{dimension.Texts: {""}})
	// ClockFields are in the zone of the site, and in others.
	ClockFields  = fields(map[dimension.Kind][]string{dimension.Clock: zones})
	NumberFields = fields(map[dimension.Kind][]string{dimension.Number: {""}, dimension.KeyedNumber: {"purchase", "sign up", unheardOf}})
)

// fields returns the fields of some kinds of dimensions, each under all keys.
func fields(keys map[dimension.Kind][]string) (fields []filter.Field) {
	for _, d := range dimension.All() {
		for _, key := range keys[d.Kind] {
			fields = append(fields, filter.Field{Name: d.Name, Key: key})
		}
	}
	return fields
}

const unheardOf = "unheard of"

// zones are those of ClockFields. In some of them, a day of UTC has two days, and hours that begin in its middle.
var zones = []string{"", "UTC", "America/St_Johns", "Asia/Kathmandu", "Pacific/Auckland"}

// properties are the keys of properties that sessions have.
var properties = []string{"plan", `ké"y`}

var (
	// Hits have no empty names or tags.
	words     = []string{"a", "b", "ab", "aB", "ba", "aab", "a*b", "é", "/", "/a", "/a/b", `"\`, "x y", "\n\x7f", "日本"}
	addresses = []string{"", "10.0.0.1", "10.0.0.2", "10.1.0.1", "192.168.0.1", "::1", "2001:db8::1", "2001:db8:1::1"}
	blocks    = []string{"10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/31", "10.0.0.1/32", "192.168.0.0/24", "::/0", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1/128"}
	patterns  = []string{"", "*", "**", "a*", "*b", "a*b", "*a*", "a**b", "*a*b*", "/*", "/a/*", "é*", "*\n*", "10.*", "N*", "a", "*aab*ab"}
	events    = []string{"purchase", "sign up", "é"}
	// Of these, some sums are no sums of doubles, and some pass 64 bits.
	values = []model.Decimal{-model.One, 0, model.One / 10, model.One / 5, model.One, 5 * model.One / 2, 10_100_000, 20_200_000, 8_999_999_999_999_000_000}
	// Of the experiments, none has an assignment to the last one.
	experiments = []string{"headline", `pri"cé`, unheardOf}
	variants    = []string{"a", "b", "é"}
)

// optional are the values of what a session may lack.
var optional = append([]string{""}, words...)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func some(r *rand.Rand, most int, from []string) (list []string) {
	for range r.IntN(most + 1) {
		list = append(list, pick(r, from))
	}
	return list
}

// RandomSession returns a session made by folding the hits of one visit, as
// every real one is, with assignments. Its ID and Visitor are not set.
func RandomSession(r *rand.Rand) model.Session {
	session := model.Fold(RandomVisit(r))[0].Session
	session.First = r.IntN(2) == 0
	session.Assigned = map[string]string{}
	for _, experiment := range experiments[:2] {
		if r.IntN(4) > 0 {
			session.Assigned[experiment] = pick(r, variants)
		}
	}
	return session
}

// RandomVisit returns the hits of one visit, in order of time.
func RandomVisit(r *rand.Rand) []model.Hit {
	at := Day.Start() + model.Millis(r.IntN(4))*6*60*60*1000
	var origin model.Origin
	for _, d := range dimension.Origins() {
		*d.Origin(&origin) = pick(r, vocabulary(filter.Field{Name: d.Name}))
	}
	visitor := pick(r, words)
	var hits []model.Hit
	for range 1 + r.IntN(5) {
		hit := model.Hit{
			ID: model.MessageIDOf(fmt.Sprint(r.Uint64())), Visitor: visitor, At: at,
			Kind: pick(r, []model.HitKind{model.PageView, model.PageView, model.Event, model.Traits}),
			Tags: some(r, 2, words), Origin: origin, Knows: model.KnowsAll &^ model.KnowsPage,
		}
		switch hit.Kind {
		case model.PageView:
			hit.Knows = model.KnowsAll
			hit.Name = pick(r, words)
		case model.Event:
			hit.Name = pick(r, events)
			hit.Value, hit.HasValue = pick(r, values), r.IntN(3) > 0
		}
		if r.IntN(2) == 0 {
			hit.Properties = map[string]string{pick(r, properties): pick(r, words)}
		}
		hits = append(hits, hit)
		at += model.Millis(r.IntN(3)) * 10_000
	}
	return hits
}

// RandomExpr returns a predicate, not in canonical form, of up to four levels,
// whose leaves are RandomLeaf's.
func RandomExpr(r *rand.Rand) filter.Expr { return RandomExprOf(r, RandomLeaf) }

// RandomExprOf returns a predicate as RandomExpr does, of other leaves.
func RandomExprOf(r *rand.Rand, leaf func(*rand.Rand) filter.Expr) filter.Expr {
	return expr(r, leaf, 3)
}

func expr(r *rand.Rand, leaf func(*rand.Rand) filter.Expr, depth int) filter.Expr {
	if depth == 0 || r.IntN(3) == 0 {
		return leaf(r)
	}
	if r.IntN(3) == 0 {
		return filter.Not{Expr: expr(r, leaf, depth-1)}
	}
	// Parts over a few fields make them meet.
	parts := make([]filter.Expr, r.IntN(5))
	for i := range parts {
		parts[i] = expr(r, leaf, depth-1)
	}
	if r.IntN(2) == 0 {
		return filter.And(parts)
	}
	return filter.Or(parts)
}

// RandomAssigned returns a leaf about assignments.
func RandomAssigned(r *rand.Rand) filter.Expr {
	return filter.Assigned{Experiment: pick(r, experiments), Variants: some(r, 3, append([]string{"", "other"}, variants...))}
}

// RandomLeaf returns a predicate of one level: a constant, or a leaf over any field.
func RandomLeaf(r *rand.Rand) filter.Expr {
	switch n := r.IntN(20); {
	case n == 0:
		return filter.Bool(r.IntN(2) == 0)
	case n < 10:
		field := textField(r)
		return filter.In{Field: field, Values: some(r, 4, vocabulary(field))}
	case n < 13:
		return filter.Glob{Field: textField(r), Pattern: pick(r, patterns)}
	case n < 15:
		within := filter.Within{Field: filter.IP}
		for _, block := range some(r, 3, blocks) {
			within.Blocks = append(within.Blocks, netip.MustParsePrefix(block))
		}
		return within
	default:
		field := pick(r, NumberFields)
		return filter.Range{Field: field, Min: end(r, field, math.Inf(-1)), Max: end(r, field, math.Inf(1))}
	}
}

// textField prefers a few fields, so that leaves over one field meet.
func textField(r *rand.Rand) filter.Field {
	switch r.IntN(10) {
	case 0:
		return pick(r, ClockFields)
	case 1, 2, 3:
		return pick(r, TextFields)
	case 4, 5, 6:
		return pick(r, SetFields)
	default:
		return pick(r, []filter.Field{filter.Country, filter.Device, filter.VisitorKind, filter.Tags})
	}
}

// vocabulary returns the values that sessions may have in a text field, and "".
func vocabulary(field filter.Field) []string {
	switch field {
	case filter.IP:
		return addresses
	case filter.Country:
		return []string{"", "RO", "US", "DE", "ro"}
	case filter.Events:
		return append([]string{""}, events...)
	}
	if values := dimension.Named(field.Name).Values; values != nil {
		return append([]string{""}, values...)
	}
	return optional
}

// end returns an end of a range: now and then open, otherwise one that sessions' numbers meet.
func end(r *rand.Rand, field filter.Field, open float64) float64 {
	if r.IntN(4) == 0 {
		return open
	}
	switch field {
	case filter.Length:
		return float64(r.IntN(8)*10_000 + r.IntN(3) - 1)
	case filter.PageViews:
		return float64(r.IntN(6))
	case filter.Start, filter.End:
		return float64(Day.Start()) + float64(r.IntN(5)*6*60*60*1000+r.IntN(3)-1)
	}
	// Now and then as plugins add doubles up.
	a, b := pick(r, values), pick(r, values)
	if r.IntN(4) == 0 {
		return a.Float64() + b.Float64()
	}
	return a.Sum().Add(b.Sum()).Float64()
}
