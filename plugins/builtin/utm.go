package builtin

import (
	"context"
	"strings"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// utm matches the campaign parameters of the link that led to the session.
func utm() plugins.Type { return plugins.Of(utmFilter{}) }

type (
	utmFilter struct{}
	utmArgs   struct {
		Source   []string `json:"source,omitempty"`
		Medium   []string `json:"medium,omitempty"`
		Campaign []string `json:"campaign,omitempty"`
		Term     []string `json:"term,omitempty"`
		Content  []string `json:"content,omitempty"`
	}
	// utmParameter is one of the five lists.
	utmParameter struct {
		name  string
		field filter.Field
		list  *[]string
	}
)

func (args *utmArgs) parameters() []utmParameter {
	return []utmParameter{
		{"source", filter.UTMSource, &args.Source},
		{"medium", filter.UTMMedium, &args.Medium},
		{"campaign", filter.UTMCampaign, &args.Campaign},
		{"term", filter.UTMTerm, &args.Term},
		{"content", filter.UTMContent, &args.Content},
	}
}

func (utmFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "utm",
		Title: "UTM",
		Description: "Sessions by the campaign parameters of their link. All given parameters must match. " +
			"Merging keeps what both filters allow, parameter by parameter.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by campaign parameters. Give at least one; all that you give must match. Merge rule INTERSECTION."
input UtmFilter {
  "One of these values of utm_source, exactly as sent."
  source: [String!]
  "One of these values of utm_medium, exactly as sent."
  medium: [String!]
  "One of these values of utm_campaign, exactly as sent."
  campaign: [String!]
  "One of these values of utm_term, exactly as sent."
  term: [String!]
  "One of these values of utm_content, exactly as sent."
  content: [String!]
}`,
		Input:     "UtmFilter",
		Dimension: filter.UTMSource,
		Arguments: utmSuggestions(),
	}
}

// utmSuggestions are the values of each parameter.
func utmSuggestions() (list []plugins.Argument) {
	for _, p := range new(utmArgs).parameters() {
		list = append(list, plugins.Argument{Path: p.name, Suggest: plugins.SuggestValues, Key: p.name})
	}
	return list
}

func (utmFilter) Compile(_ context.Context, args utmArgs) (filter.Expr, error) {
	var all filter.And
	for _, p := range args.parameters() {
		if err := plugins.CheckList(p.name, *p.list); err != nil {
			return nil, err
		}
		if *p.list != nil {
			all = append(all, filter.In{Field: p.field, Values: *p.list})
		}
	}
	if all == nil {
		return nil, plugins.ArgError("", "give at least one of source, medium, campaign, term and content")
	}
	return all, nil
}

func (utmFilter) Merge(_ context.Context, active, goal utmArgs) (utmArgs, error) {
	var merged utmArgs
	into, from := merged.parameters(), goal.parameters()
	for i, p := range active.parameters() {
		both, err := plugins.Intersect(*p.list, *from[i].list)
		if err != nil {
			return utmArgs{}, err
		}
		*into[i].list = both
	}
	return merged, nil
}

func (utmFilter) Warn(args utmArgs) (warnings []plugins.Warning) {
	for _, p := range args.parameters() {
		warnings = append(warnings, plugins.Doubts(p.name, *p.list, plugins.Exact{})...)
	}
	return warnings
}

func (utmFilter) Label(args utmArgs) string {
	var parts []string
	for _, p := range args.parameters() {
		if *p.list != nil {
			parts = append(parts, p.name+" is "+plugins.OneOf(*p.list))
		}
	}
	return "UTM " + strings.Join(parts, ", ")
}
