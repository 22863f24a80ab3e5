package graph

import (
	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
)

// complexity says how many fields a selection may resolve to, so that one request
// cannot ask for more than a server should hold.
func complexity() generated.ComplexityRoot {
	var c generated.ComplexityRoot
	// A list that is not given is one of a few that the site has.
	many := func(ids []string) int {
		if ids == nil {
			return 5
		}
		return max(len(ids), 1)
	}
	paged := func(child int, first *int, otherwise int) int {
		if first != nil {
			otherwise = min(max(*first, 0), maxFirst)
		}
		return 1 + child*max(otherwise, 1)
	}
	c.Site.Segments = func(child int, _ *string, _ *bool, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Site.Goals = func(child int, _ *string, _ *bool, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Site.Experiments = func(child int, _ *string, _ []model.ExperimentStatus, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Goal.Experiments = func(child int) int { return 1 + child*many(nil) }
	c.Experiment.SecondaryMetrics = func(child int) int { return 1 + child*many(nil) }
	c.ExperimentResult.Metrics = func(child int) int { return 1 + child*many(nil) }
	c.MetricResult.Variants = func(child int) int { return 1 + child*3 }
	c.VariantResult.Series = func(child int, _ model.Interval) int { return 1 + child*30 }
	c.Experiment.Breakdown = func(child int, segments []string, _ *generated.TimeRange) int { return 1 + child*many(segments) }
	c.Site.Events = func(child int, _ *string, first *int, _ *string) int { return paged(child, first, defaultFirst) }
	c.Site.AuditLog = func(child int, first *int, _ *string) int { return paged(child, first, defaultFirst) }
	c.Experiment.History = func(child int, first *int, _ *string) int { return paged(child, first, defaultFirst) }
	c.Query.APIKeys = func(child int) int { return 1 + child*many(nil) }
	c.Query.Users = func(child int) int { return 1 + child*many(nil) }
	c.Site.Values = func(child int, _ string, _ *string, first *int) int { return paged(child, first, defaultFirst) }
	c.Site.Sessions = func(child int, _ []scalar.FilterInput, _ generated.TimeRange, first *int, _ *string) int {
		return paged(child, first, defaultFirst)
	}
	c.Site.GoalCards = func(child int, segments, goals []string, _ generated.TimeRange) int {
		return 1 + child*many(segments)*many(goals)
	}
	c.Subscription.GoalCards = func(child int, _ string, segments, goals []string, _ generated.TimeRange) int {
		return 1 + child*many(segments)*many(goals)
	}
	c.Site.Funnel = func(child int, steps, segments []string, _ generated.TimeRange) int {
		return 1 + child*many(steps)*many(segments)
	}
	c.Goal.Card = func(child int, segments []string, _ generated.TimeRange) int { return 1 + child*many(segments) }
	c.GoalCell.Series = func(child int, _ model.Interval) int { return 1 + child*30 }
	c.Query.Nodes = func(child int, ids []string) int { return 1 + child*many(ids) }
	return c
}
