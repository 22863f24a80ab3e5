package experiment

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/stats"
)

// TestJudge has a clear winner, and what may be the matter with it.
func TestJudge(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	base := stats.Figure{Visitors: 4000, Mean: 0.1, ExpectedLoss: 0.02, PValue: 1, AdjustedPValue: 1}
	better := stats.Figure{Visitors: 4000, Mean: 0.12, ExpectedLoss: 1e-6, Better: true, PValue: 0.001, AdjustedPValue: 0.001}
	won := []stats.Figure{base, better}
	lost := []stats.Figure{{Visitors: 4000, Mean: 0.1, ExpectedLoss: 1e-6, PValue: 1, AdjustedPValue: 1}, {Visitors: 4000, Mean: 0.08, ExpectedLoss: 0.02, PValue: 0.001, AdjustedPValue: 0.001}}
	open := []stats.Figure{base, {Visitors: 4000, Mean: 0.101, ExpectedLoss: 0.002, Better: true, PValue: 0.4, AdjustedPValue: 0.4}}
	same := []stats.Figure{{Visitors: 4000, Mean: 0.1, ExpectedLoss: 1e-5}, {Visitors: 4000, Mean: 0.1, ExpectedLoss: 1e-5, PValue: 1, AdjustedPValue: 1}}
	for name, test := range map[string]struct {
		change   func(e *Evidence)
		decision stats.Decision
		leader   int
		codes    []ReasonCode
		says     string // in the first message
	}{
		"a winner":          {func(*Evidence) {}, stats.Winner, 1, []ReasonCode{ClearReason}, "new is better than old"},
		"the baseline":      {func(e *Evidence) { e.Figures = lost }, stats.BaselineWins, 0, []ReasonCode{ClearReason}, "old is better than new"},
		"no difference":     {func(e *Evidence) { e.Figures = same }, stats.NoDifference, -1, []ReasonCode{ClearReason}, "Every choice is safe"},
		"too close":         {func(e *Evidence) { e.Figures = open }, stats.Collecting, 1, []ReasonCode{OpenReason}, "too close"},
		"too early by days": {func(e *Evidence) { e.Ran = 5*day + 1 }, stats.Collecting, 1, []ReasonCode{TooFewDaysReason}, "for 7 days, so that each weekday is in it; 2 days to go"},
		"too few visitors": {func(e *Evidence) {
			e.Figures = slices.Clone(won)
			e.Figures[0].Visitors = 93
		}, stats.Collecting, 1, []ReasonCode{TooFewVisitorsReason}, "100 visitors; to go: 7 for old."},
		"too few values":  {func(e *Evidence) { e.Values = []int64{3, 9} }, stats.Collecting, 1, []ReasonCode{TooFewConversionsReason}, "10 conversions with a value; to go: 7 for old, 1 for new."},
		"enough values":   {func(e *Evidence) { e.Values = []int64{10, 10} }, stats.Winner, 1, []ReasonCode{ClearReason}, "better"},
		"a day too early": {func(e *Evidence) { e.Left = time.Hour }, stats.Collecting, 1, []ReasonCode{BeforeHorizonReason}, "after 1 day more."},
		"a mismatch": {func(e *Evidence) { e.SampleRatio = stats.SampleRatio{AnytimePValue: 1e-7, Mismatch: true} }, stats.Invalid, -1,
			[]ReasonCode{SampleRatioReason}, "p = 1e-07"},
		"both variants seen by a half, and unknown ones": {func(e *Evidence) { e.MultipleExposures, e.UnknownVariants = 4000, 6595 }, stats.Collecting, 1,
			[]ReasonCode{MultipleExposuresReason, UnknownVariantsReason}, "50 % of the visitors (4000)"},
		"a mismatch, and what may explain it": {func(e *Evidence) {
			e.SampleRatio = stats.SampleRatio{AnytimePValue: 1e-7, Mismatch: true}
			e.MultipleExposures, e.UnknownVariants, e.FilterAfterAssignment, e.Ran = 4000, 6595, true, 0
		}, stats.Invalid, -1, []ReasonCode{SampleRatioReason, MultipleExposuresReason, UnknownVariantsReason, FilterAfterAssignmentReason}, "p = 1e-07"},
		"stopped too early": {func(e *Evidence) {
			e.Stopped, e.Ran, e.Left, e.Figures = true, 5*day, 2*day, slices.Clone(won)
			e.Figures[0].Visitors, e.Values = 93, []int64{9, 10}
		}, stats.Collecting, 1, []ReasonCode{TooFewDaysReason, TooFewVisitorsReason, TooFewConversionsReason, BeforeHorizonReason}, "needed to run for 7 days, so that each weekday is in it; 2 days missing."},
		"stopped too close":           {func(e *Evidence) { e.Stopped, e.Figures = true, open }, stats.Collecting, 1, []ReasonCode{OpenReason}, "The variants are too close to tell which is better."},
		"both variants seen by a few": {func(e *Evidence) { e.MultipleExposures = 80 }, stats.Winner, 1, []ReasonCode{ClearReason}, "better"},
		"chosen by what followed":     {func(e *Evidence) { e.FilterAfterAssignment = true }, stats.Collecting, 1, []ReasonCode{FilterAfterAssignmentReason}, "after they were assigned"},
		"a guardrail": {func(e *Evidence) { e.Guardrails = []Guardrail{{"Refunds", 1, 0.2, 0.05}, {"Visits", 1, 0.99, 0.05}} }, stats.Collecting, 1,
			[]ReasonCode{GuardrailReason}, "Refunds does not get worse by more than 5 %: the probability is 20 %"},
		"no difference, but a guardrail": {func(e *Evidence) { e.Figures, e.Guardrails = same, []Guardrail{{"Refunds", 1, 0, 0.05}} }, stats.Collecting, -1,
			[]ReasonCode{GuardrailReason}, "new makes no difference to this metric, but it is not sure that Refunds"},
		"no difference, and a guardrail holds": {func(e *Evidence) { e.Figures, e.Guardrails = same, []Guardrail{{"Refunds", 1, 0.96, 0.05}} }, stats.NoDifference, -1,
			[]ReasonCode{ClearReason}, "Every choice is safe"},
		"a guardrail of another": {func(e *Evidence) { e.Guardrails = []Guardrail{{"Refunds", 0, 0.2, 0.05}} }, stats.Winner, 1, []ReasonCode{ClearReason}, "better"},
		"a guardrail of one who loses": {func(e *Evidence) {
			e.Figures, e.Guardrails = lost, []Guardrail{{"Refunds", 1, 0.2, 0.05}}
		}, stats.BaselineWins, 0, []ReasonCode{ClearReason}, "better"},
		"contrary by value": {func(e *Evidence) { e.Figures, e.ByValue = lost, won }, stats.BaselineWins, 0, []ReasonCode{ClearReason, ContraryValueReason}, "better"},
		"the same by value": {func(e *Evidence) { e.ByValue = won }, stats.Winner, 1, []ReasonCode{ClearReason}, "better"},
		"open by value":     {func(e *Evidence) { e.ByValue = open }, stats.Winner, 1, []ReasonCode{ClearReason}, "better"},
		"one of many, changed": {func(e *Evidence) { e.Comparisons, e.MetricChanged = 11, 1 }, stats.Winner, 1,
			[]ReasonCode{ClearReason, ManyComparisonsReason, MetricChangedReason}, "better"},
	} {
		t.Run(name, func(t *testing.T) {
			e := Evidence{Rules: stats.Rules{MinVisitors: 100, MinDuration: 7 * day}, Figures: won, Variants: []string{"old", "new"}, Visitors: 8000, Assigned: 9000, Ran: 8 * day, Comparisons: 1}
			test.change(&e)
			v := e.Judge()
			var codes []ReasonCode
			for _, reason := range v.Reasons {
				codes = append(codes, reason.Code)
				if !strings.HasSuffix(reason.Message, ".") {
					t.Errorf("%q is no sentence", reason.Message)
				}
				for _, word := range []string{"to go", "more.", "Let the", " needs "} {
					if e.Stopped && strings.Contains(reason.Message, word) {
						t.Errorf("%q is said of one that has stopped", reason.Message)
					}
				}
			}
			if v.Decision != test.decision || v.Leader != test.leader || !slices.Equal(codes, test.codes) {
				t.Fatalf("%s, led by %d: %v", v.Decision, v.Leader, v.Reasons)
			}
			if !strings.Contains(v.Reasons[0].Message, test.says) {
				t.Errorf("%q", v.Reasons[0].Message)
			}
		})
	}
}
