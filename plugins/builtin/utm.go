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
		Description: "Sessions by the campaign parameters of the link that led to them. All given parameters must hold. " +
			"Merged, only what both allow is left, parameter by parameter.",
		Rule: plugins.Intersection,
		SDL: `
"Sessions by campaign parameters: all that are given must hold, and at least one is. Merge rule INTERSECTION."
input UtmFilter {
  "Values of utm_source, exactly: one of them."
  source: [String!]
  "Values of utm_medium, exactly: one of them."
  medium: [String!]
  "Values of utm_campaign, exactly: one of them."
  campaign: [String!]
  "Values of utm_term, exactly: one of them."
  term: [String!]
  "Values of utm_content, exactly: one of them."
  content: [String!]
}`,
		Input:     "UtmFilter",
		Dimension: filter.UTMSource,
	}
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
		return nil, plugins.ArgError("", "give source, medium, campaign, term or content")
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

func (utmFilter) Label(args utmArgs) string {
	var parts []string
	for _, p := range args.parameters() {
		if *p.list != nil {
			parts = append(parts, p.name+" is "+plugins.OneOf(*p.list))
		}
	}
	return "UTM " + strings.Join(parts, ", ")
}
