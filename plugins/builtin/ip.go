package builtin

import (
	"context"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// ip matches the visitor's address. Its rule is LAST: a goal's addresses replace
// the segment's.
func ip() plugins.Type { return plugins.Of(ipFilter{}) }

type (
	ipFilter struct{}
	ipArgs   struct {
		Is []string `json:"is"`
	}
)

func (ipFilter) Describe() plugins.Description {
	return plugins.Description{
		Name:  "ip",
		Title: "IP address",
		Description: "Sessions from one of these IP addresses. A goal's addresses replace the active segment's, " +
			"so the goal may count sessions that the segment does not have.",
		Rule: plugins.Last,
		SDL: `
"Sessions from one of these IP addresses. Merge rule LAST."
input IpFilter {
  "One of these addresses (203.0.113.7, 2001:db8::1) or CIDR blocks (203.0.113.0/24, 2001:db8::/32)."
  is: [String!]!
}`,
		Input:     "IpFilter",
		Dimension: filter.IP,
	}
}

func (ipFilter) Compile(_ context.Context, args ipArgs) (filter.Expr, error) {
	if err := plugins.RequireList("is", args.Is); err != nil {
		return nil, err
	}
	within := filter.Within{Field: filter.IP}
	for i, text := range args.Is {
		block, ok := filter.Prefix(text)
		if !ok {
			return nil, plugins.ArgError(plugins.At("is", i),
				"%q is neither an IP address nor a CIDR block; write it like 203.0.113.7 or 203.0.113.0/24", text)
		}
		within.Blocks = append(within.Blocks, block)
	}
	return within, nil
}

func (ipFilter) Label(args ipArgs) string { return "IP address is " + plugins.OneOf(args.Is) }
