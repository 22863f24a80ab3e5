package check_test

import (
	"context"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/check"
)

// kinds has an input of every kind that an SDL can have: a oneOf that holds itself,
// an object with a default, an enum, a list of it, an ID and a boolean.
type kinds struct{}

type kindsArgs struct {
	Views *struct {
		Least float64  `json:"least"`
		Most  *float64 `json:"most,omitempty"`
	} `json:"views,omitempty"`
	Device []string    `json:"device,omitempty"`
	Bounce *bool       `json:"bounce,omitempty"`
	Visit  *string     `json:"visit,omitempty"`
	Any    []kindsArgs `json:"any,omitempty"`
}

func (kinds) Describe() plugins.Description {
	return plugins.Description{
		Name: "kinds", Title: "Kinds", Description: "Sessions by one of many things. Merged, both hold.", Rule: plugins.Intersection, Input: "KindsFilter",
		SDL: `
"One thing."
input KindsFilter @oneOf {
  "By page views."
  views: KindsViews
  "One of these devices."
  device: [KindsDevice!]
  "Whether there is one page view only."
  bounce: Boolean
  "The visitor's id."
  visit: ID
  "One of these things at least."
  any: [KindsFilter!]
}
"Page views."
input KindsViews {
  "This many or more."
  least: Float! = 1.5
  "This many or fewer."
  most: Float
}
"A device."
enum KindsDevice {
  "A phone."
  MOBILE
  "A computer."
  DESKTOP @deprecated
}`,
	}
}

func (k kinds) Compile(ctx context.Context, args kindsArgs) (filter.Expr, error) {
	switch {
	case args.Views != nil:
		span := plugins.Span[float64]{Min: &args.Views.Least, Max: args.Views.Most}
		if span.Check() != nil {
			return nil, plugins.ArgError("views", "no number is that")
		}
		return span.Expr(filter.PageViews), nil
	case args.Device != nil:
		for i, device := range args.Device {
			if device != "MOBILE" && device != "DESKTOP" {
				return nil, plugins.ArgError(plugins.At("device", i), "%q is no device", device)
			}
		}
		return filter.In{Field: filter.Device, Values: args.Device}, plugins.CheckList("device", args.Device)
	case args.Bounce != nil && *args.Bounce:
		return filter.Range{Field: filter.PageViews, Min: 1, Max: 1}, nil
	case args.Bounce != nil:
		return filter.Not{Expr: filter.Range{Field: filter.PageViews, Min: 1, Max: 1}}, nil
	case args.Visit != nil:
		return filter.In{Field: filter.Visitor, Values: []string{*args.Visit}}, plugins.CheckValue("visit", *args.Visit)
	case len(args.Any) > 0:
		var any filter.Or
		for _, one := range args.Any {
			e, err := k.Compile(ctx, one)
			if err != nil {
				return nil, plugins.ArgError("any", "%v", err)
			}
			any = append(any, e)
		}
		return any, nil
	}
	return nil, plugins.ArgError("", "give one argument")
}

func (k kinds) Label(args kindsArgs) string {
	if e, err := k.Compile(context.Background(), args); err == nil {
		return e.String()
	}
	return "Kinds"
}

func TestEveryKindOfInputIsTried(t *testing.T) {
	report := check.Plugin(t.Context(), check.InProcess(plugins.Server("kinds", "1.0.0", plugins.Of(kinds{}))), check.Options{})
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	if report.Findings() > 0 || !strings.Contains(text.String(), "KindsFilter: views, device, bounce, visit, any\n") {
		t.Error(text.String())
	}
}
