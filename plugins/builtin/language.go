package builtin

import (
	"fmt"
	"strings"

	xlanguage "golang.org/x/text/language"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// language matches the language that the visitor's browser asks for.
func language() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "language",
			Title:       "Language",
			Description: "Sessions by browser language. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by browser language. Give is, isNot or both. Merge rule INTERSECTION."
input LanguageFilter {
  "One of these BCP 47 tags (en, en-GB), in any case. en matches en and en-GB; en-GB matches en-GB and its subtags only."
  is: [String!]
  "None of these BCP 47 tags (en, en-GB), in any case. A session without a language matches."
  isNot: [String!]
}`,
			Input:     "LanguageFilter",
			Dimension: filter.Language,
		},
		Values: languages{},
	})
}

// languages are tags, each of which stands for itself and for what is below it.
type languages struct{}

// Normal returns the tag in lower case, as sessions have it.
func (languages) Normal(value string) (string, error) {
	if _, err := xlanguage.Parse(value); err != nil || strings.Contains(value, "_") {
		return "", fmt.Errorf("%q is not a BCP 47 language tag; write it like en or en-GB", value)
	}
	return strings.ToLower(value), nil
}

// Expr matches the tag and its subtags.
func (languages) Expr(field filter.Field, tag string) filter.Expr {
	return filter.Or{
		filter.In{Field: field, Values: []string{tag}},
		filter.Glob{Field: field, Pattern: tag + "-*"},
	}
}

// Relate compares tags as places in a tree.
func (languages) Relate(a, b string) plugins.Relation {
	switch {
	case a == b || strings.HasPrefix(a, b+"-"):
		return plugins.Inside
	case strings.HasPrefix(b, a+"-"):
		return plugins.Around
	}
	return plugins.Disjoint
}
