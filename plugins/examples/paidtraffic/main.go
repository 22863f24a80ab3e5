// Command paidtraffic is a plugin with the filter type paidTraffic.
package main

import (
	"context"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// paidTraffic matches sessions that a paid campaign led to.
type paidTraffic struct{}
type args struct {
	Source []string `json:"source,omitempty"`
}

func (paidTraffic) Describe() plugins.Description {
	return plugins.Description{
		Name: "paidTraffic", Title: "Paid traffic", Rule: plugins.Intersection, Input: "PaidTrafficFilter",
		Description: "Sessions whose utm_medium is cpc, ppc or begins with paid. Merging keeps the sources that both filters allow.",
		SDL:         `"Sessions from a paid campaign." input PaidTrafficFilter { "One of these values of utm_source (google, bing). Any if left out." source: [String!] }`,
	}
}

func (paidTraffic) Compile(_ context.Context, a args) (filter.Expr, error) {
	paid := filter.Or{filter.In{Field: filter.UTMMedium, Values: []string{"cpc", "ppc"}}, filter.Glob{Field: filter.UTMMedium, Pattern: "paid*"}}
	if a.Source == nil {
		return paid, nil
	}
	return filter.And{paid, filter.In{Field: filter.UTMSource, Values: a.Source}}, plugins.CheckList("source", a.Source)
}

// Merge keeps the sources that both allow.
func (paidTraffic) Merge(_ context.Context, active, goal args) (args, error) {
	source, err := plugins.Intersect(active.Source, goal.Source)
	return args{Source: source}, err
}

func main() { plugins.Serve("paidtraffic", "1.0.0", plugins.Of(paidTraffic{})) }
