package check

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// generator makes arguments of an input, as a server would give them: of the right
// types, with defaults filled in.
//
// What a text or a number may be, only its author knows, so it tries, in this
// order of likelihood: what the argument's description names in parentheses,
// quotes or backquotes, for people read that too; values that sessions have in
// the type's dimension; and what filters are mostly asked for.
type generator struct {
	random      *rand.Rand
	definitions map[string]*ast.Definition
	input       *ast.Definition
	// dimension holds the usual values of the type's dimension.
	dimension []string
}

func newGenerator(t plugins.Description) *generator {
	var seed [32]byte
	copy(seed[:], t.Name)
	g := &generator{random: rand.New(rand.NewChaCha8(seed)), definitions: inputs(t.SDL), dimension: usual[t.Dimension.Name]}
	g.input = g.definitions[t.Input]
	if t.None != "" {
		g.dimension = append(slices.Clone(g.dimension), t.None)
	}
	return g
}

// usual are values that sessions have.
var usual = map[string][]string{
	filter.IP.Name:          {"203.0.113.7", "203.0.113.0/24", "198.51.100.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32"},
	filter.Country.Name:     {"RO", "US", "DE", "FR"},
	filter.Referrer.Name:    {"www.google.com", "*google*", "t.co", "news.example.com", "*.com"},
	filter.EntryPage.Name:   paths,
	filter.ExitPage.Name:    paths,
	filter.Pages.Name:       paths,
	filter.Browser.Name:     {"Chrome", "Firefox", "Safari"},
	filter.OS.Name:          {"Windows", "Linux", "iOS"},
	filter.Device.Name:      {"DESKTOP", "MOBILE", "TABLET", "OTHER"},
	filter.Language.Name:    {"en", "en-GB", "ro", "de"},
	filter.UTMSource.Name:   {"google", "bing", "newsletter"},
	filter.UTMMedium.Name:   {"cpc", "email", "social"},
	filter.UTMCampaign.Name: {"spring", "launch"},
	filter.VisitorKind.Name: {filter.NewVisitor, filter.ReturningVisitor},
	filter.Tags.Name:        {"blog", "docs", "beta"},
	filter.Events.Name:      {"purchase", "sign up", "download"},
}

var (
	paths = []string{"/", "/pricing", "/blog/*", "/blog/first", "*/docs"}
	// common is tried for any text.
	common = []string{"a", "b", "google", "/pricing", "purchase", "RO", "en", "203.0.113.7", "example.com", "2015-05-17", "09:00", "Europe/Berlin", "UTC"}
	whole  = []int{0, 1, 2, 3, 5, 7, 10, 30, 60, 100, 1000}
)

// object returns a JSON object of the input, nil where it must not be given. The
// argument force is among its arguments.
func (g *generator) object(input *ast.Definition, depth int, force string) map[string]any {
	object := map[string]any{}
	if input.Directives.ForName("oneOf") != nil {
		field := input.Fields[g.random.IntN(len(input.Fields))]
		if forced := input.Fields.ForName(force); forced != nil {
			field = forced
		}
		object[field.Name] = g.value(field.Type, field, depth)
		return object
	}
	for _, field := range input.Fields {
		must := field.Name == force || field.Type.NonNull && field.DefaultValue == nil
		switch {
		case must || depth < 3 && g.random.IntN(2) == 0:
			object[field.Name] = g.value(field.Type, field, depth)
		case field.DefaultValue != nil:
			if value, err := field.DefaultValue.Value(nil); err == nil {
				object[field.Name] = value
			}
		}
	}
	return object
}

func (g *generator) value(t *ast.Type, field *ast.FieldDefinition, depth int) any {
	if t.Elem != nil {
		list := []any{}
		for range 1 + g.random.IntN(3) {
			value := g.value(t.Elem, field, depth)
			if !slices.ContainsFunc(list, func(other any) bool { return fmt.Sprint(other) == fmt.Sprint(value) }) {
				list = append(list, value)
			}
		}
		return list
	}
	switch t.NamedType {
	case "Int":
		return g.number(field)
	case "Float":
		return float64(g.number(field)) + pick(g.random, []float64{0, 0, 0.5})
	case "Boolean":
		return g.random.IntN(2) == 0
	case "String", "ID":
		return g.text(field)
	}
	definition := g.definitions[t.NamedType]
	if definition.Kind == ast.Enum {
		return pick(g.random, definition.EnumValues).Name
	}
	return g.object(definition, depth+1, "")
}

func (g *generator) text(field *ast.FieldDefinition) string {
	from := [][]string{named(field.Description), g.dimension, common}
	from = slices.DeleteFunc(from, func(list []string) bool { return len(list) == 0 })
	// The first that there is half of the time, then the next.
	i := 0
	for i < len(from)-1 && g.random.IntN(2) == 0 {
		i++
	}
	return pick(g.random, from[i])
}

var digits = regexp.MustCompile(`-?\d+`)

func (g *generator) number(field *ast.FieldDefinition) int {
	var numbers []int
	for _, text := range digits.FindAllString(field.Description, 10) {
		if n, err := strconv.ParseInt(text, 10, 32); err == nil {
			numbers = append(numbers, int(n))
		}
	}
	if len(numbers) == 0 || g.random.IntN(2) == 0 {
		return pick(g.random, whole)
	}
	least, most := slices.Min(numbers), slices.Max(numbers)
	if least == most {
		return least
	}
	return least + g.random.IntN(min(most-least, 1000)+1)
}

var examples = regexp.MustCompile("\\(([^()]+)\\)|`([^`]+)`|\"([^\"]+)\"")

// named returns what a description names as examples.
func named(description string) (values []string) {
	for _, found := range examples.FindAllStringSubmatch(description, 20) {
		inParentheses, quoted := found[1], found[2]+found[3]
		if quoted != "" {
			values = append(values, quoted)
			continue
		}
		for value := range strings.SplitSeq(inParentheses, ",") {
			values = append(values, strings.Trim(strings.TrimSpace(value), "`\""))
		}
	}
	return slices.DeleteFunc(values, func(value string) bool { return value == "" || len(value) > 100 })
}

func pick[T any, L ~[]T](r *rand.Rand, from L) T { return from[r.IntN(len(from))] }

// encode returns the arguments as servers send them: names in order, characters as
// they are.
func encode(args any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(args); err != nil {
		panic(err) // only values that generators make
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// decode is encode's reverse.
func decode(args string) map[string]any {
	var object map[string]any
	decoder := json.NewDecoder(strings.NewReader(args))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		panic(err) // only what encode wrote
	}
	return object
}
