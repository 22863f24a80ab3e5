// Command journey is a plugin with the computed filter type journey.
package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// journey matches sessions that viewed pages in an order. No predicate says that, so
// it looks at the sessions' hits.
type journey struct{}

type args struct {
	Steps         []string `json:"steps"`
	WithinMinutes *int     `json:"withinMinutes,omitempty"`
}

const maxSteps = 20

func (journey) Describe() plugins.Description {
	return plugins.Description{
		Name: "journey", Title: "Journey", Rule: plugins.Union, Input: "JourneyFilter",
		Description: "Sessions that viewed pages in this order. Other pages may come between. Merging requires both journeys.",
		SDL: `
"Sessions that viewed pages in this order. Other pages may come between. Merge rule UNION."
input JourneyFilter {
  "2 to 20 path globs (/pricing, /docs/*). Each must match a page view of its own. * stands for any characters; upper and lower case differ."
  steps: [String!]!
  "The most minutes from the first page view to the last, 1 or more (30). No limit if left out."
  withinMinutes: Int
}`,
	}
}

// Compile returns what every session satisfies that made the journey: it viewed all of
// the pages. Few do, and only for them is the order looked at.
func (journey) Compile(_ context.Context, a args) (filter.Expr, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	viewed := make(filter.And, len(a.Steps))
	for i, step := range a.Steps {
		viewed[i] = plugins.Globs{}.Expr(filter.Pages, step)
	}
	return viewed, nil
}

func (a args) check() error {
	if err := plugins.RequireList("steps", a.Steps); err != nil {
		return err
	}
	if n := len(a.Steps); n < 2 || n > maxSteps {
		return plugins.ArgError("steps", "has %d pages; a journey has 2 to %d", n, maxSteps)
	}
	for i, step := range a.Steps {
		if err := plugins.CheckGlob(plugins.At("steps", i), step); err != nil {
			return err
		}
	}
	if a.WithinMinutes != nil && *a.WithinMinutes < 1 {
		return plugins.ArgError("withinMinutes", "must be at least 1, not %d", *a.WithinMinutes)
	}
	return nil
}

// Compute tells whether the visit made the journey.
func (journey) Compute(_ context.Context, a args, visit plugins.Visit) (bool, error) {
	// begun[i] is when the latest attempt began that has made i+1 steps so far. The
	// latest is the one with most time left.
	begun := make([]time.Time, len(a.Steps))
	for _, hit := range visit.Hits {
		if hit.Kind != plugins.PageView {
			continue
		}
		for i := len(a.Steps) - 1; i >= 0; i-- { // the last first, so that a view is one step
			if i > 0 && begun[i-1].IsZero() || !filter.MatchGlob(a.Steps[i], hit.Name) {
				continue
			}
			if begun[i] = hit.At; i > 0 {
				begun[i] = begun[i-1]
			}
		}
		if last := begun[len(begun)-1]; !last.IsZero() && a.inTime(hit.At.Sub(last)) {
			return true, nil
		}
	}
	return false, nil
}

func (a args) inTime(took time.Duration) bool {
	return a.WithinMinutes == nil || took <= time.Duration(*a.WithinMinutes)*time.Minute
}

// Label words the journey: "Journey /pricing → /signup within 30 minutes".
func (journey) Label(a args) string {
	label := "Journey " + strings.Join(a.Steps, " → ")
	switch {
	case a.WithinMinutes == nil:
		return label
	case *a.WithinMinutes == 1:
		return label + " within a minute"
	}
	return fmt.Sprintf("%s within %d minutes", label, *a.WithinMinutes)
}

func main() { plugins.Serve("journey", "1.0.0", plugins.Of(journey{})) }
