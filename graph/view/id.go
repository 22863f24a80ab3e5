package view

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// IDOf returns the id of an object that no id finds again: a client's cache knows by it that two answers speak of the
// same thing, which is what the kind and the parts say.
func IDOf(kind string, parts ...any) string {
	hash := sha256.New()
	_ = json.NewEncoder(hash).Encode(parts) // of texts, numbers and times, which have JSON
	return base64.RawURLEncoding.EncodeToString(append([]byte(kind+":"), hash.Sum(nil)[:15]...))
}

// Asked is what figures are asked for beside goals, segments and experiments. Clients know answers by what they asked: those
// for today are the same objects tomorrow, with the figures of another day.
type Asked struct {
	// Range is as the client said it, with its instants in UTC.
	Range   model.TimeRange
	Unit    CountUnit
	Compare *model.Comparison
}

// SegmentsAsked names the segments that a client has asked for: those with its ids or, where it gives none, the active
// ones or all.
func SegmentsAsked(ids []string, includeInactive bool) string {
	switch {
	case ids != nil:
		return strings.Join(ids, " ")
	case includeInactive:
		return "all"
	}
	return "active"
}

// ID stands for the goal, the segments, and what was asked for.
func (c *GoalCard) ID() string { return IDOf("GoalCard", c.Goal.ID, c.AskedSegments, c.Asked) }

// ID stands for the goal, the segment, and what was asked for.
func (c *GoalCell) ID() string { return IDOf("GoalCell", c.Goal.ID, c.Segment.ID, c.Asked) }

// ID stands for the steps, the segments, and what was asked for.
func (f *Funnel) ID() string { return IDOf("Funnel", f.Steps, f.AskedSegments, f.Asked) }

// ID stands for the steps, the segment, and what was asked for.
func (s *FunnelSegment) ID() string {
	last := &s.Steps[len(s.Steps)-1]
	return IDOf("FunnelSegment", last.goals(), s.Segment.ID, last.Asked)
}

// ID stands for the step, those before it, the segment, and what was asked for.
func (s *FunnelStep) ID() string { return IDOf("FunnelStep", s.goals(), s.Segment.ID, s.Asked) }

// goals are the ids of the goals up to the step.
func (s *FunnelStep) goals() []int64 {
	var ids []int64
	for _, goal := range s.Before {
		ids = append(ids, goal.ID)
	}
	return append(ids, s.Goal.ID)
}

// ID stands for the experiment, and what was asked for.
func (r *ExperimentResult) ID() string { return IDOf("ExperimentResult", r.Experiment.ID, r.Asked) }

// ID stands for the experiment, the segment and the range.
func (r *SegmentResult) ID() string { return IDOf("SegmentResult", r.Asked) }

// ID stands for the result and the goal.
func (m *MetricResult) ID() string { return IDOf("MetricResult", m.Result, m.Goal.ID) }

// ID stands for the metric's result and the variant.
func (v *VariantResult) ID() string { return IDOf("VariantResult", v.Metric.ID(), v.Variant.Key) }

// Variant is a variant of an experiment.
type Variant struct {
	Experiment int64
	model.Variant
}

// ID stands for the experiment and the key.
func (v *Variant) ID() string { return IDOf("Variant", v.Experiment, v.Key) }

// VariantsOf returns the variants of an experiment.
func VariantsOf(e *model.Experiment) []Variant {
	variants := make([]Variant, len(e.Variants))
	for i, v := range e.Variants {
		variants[i] = Variant{e.ID, v}
	}
	return variants
}

// ID stands for the site and the name.
func (e *Event) ID() string { return IDOf("Event", e.Site, e.Name) }
