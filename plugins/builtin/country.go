package builtin

import (
	"fmt"
	"strings"

	xlanguage "golang.org/x/text/language"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// country matches where the session's first hit came from.
func country() plugins.Type {
	return plugins.Of(plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "country",
			Title:       "Country",
			Description: "Sessions by the country of the first hit. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by the country of the first hit. Give is, isNot or both. Merge rule INTERSECTION."
input CountryFilter {
  "One of these ISO 3166-1 alpha-2 codes (RO, US)."
  is: [String!]
  "None of these ISO 3166-1 alpha-2 codes (RO, US). An unknown country matches."
  isNot: [String!]
}`,
			Input:     "CountryFilter",
			Dimension: filter.Country,
		},
		Values: countries{},
	})
}

// countries are exact values that must be codes of countries.
type countries struct{ plugins.Exact }

// misused are codes that people write for others.
func misused(code string) string {
	switch code {
	case "UK":
		return "GB"
	case "EL":
		return "GR"
	}
	return ""
}

// Normal returns the code in upper case.
func (countries) Normal(value string) (string, error) {
	code := strings.ToUpper(value)
	if right := misused(code); right != "" {
		return "", fmt.Errorf("%q is not an ISO 3166-1 alpha-2 code; write %s", value, right)
	}
	region, err := xlanguage.ParseRegion(code)
	// Codes of numbers, of three letters, and those that stand for another
	// region now parse too, but no session has them. XK is Kosovo's by common
	// use.
	if err != nil || len(code) != 2 || region.String() != code || region.Canonicalize() != region || (!region.IsCountry() && code != "XK") {
		return "", fmt.Errorf("%q is not an ISO 3166-1 alpha-2 code; write it like RO or US", value)
	}
	return code, nil
}
