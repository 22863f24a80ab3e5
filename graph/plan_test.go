package graph_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// A plan starts from the visitors of a segment in the last 28 days, or from what an experiment's visitors did so far.
func TestExperimentPlan(t *testing.T) {
	t.Parallel()
	now := at("2026-05-30T00:00:00Z").Time()
	graphs(t, func(t *testing.T, g *testGraph) {
		g.columns()
		site := g.site("a.example", "UTC")
		buy, look := g.tracked(site, "buy"), g.tracked(site, "look")
		var messages []model.Message
		for i := range 280 {
			visitor, when := fmt.Sprint("b ", i), fmt.Sprintf("2026-05-%02dT10:00:00Z", 3+i%27)
			messages = append(messages, assignment(visitor, when, "headline", []string{"a", "b"}[i%2], country([]string{"DE", "FR"}[i%2])))
			if i%10 < 4 {
				messages = append(messages, event(visitor, when, "buy", 0, soon))
			}
		}
		messages = append(messages, event("long ago", "2026-05-01T00:00:00Z", "buy", 0))
		g.write("a.example", messages...)

		type plan struct {
			Figure, VisitorsPerDay float64
			VisitorsPerVariant     int
			Days                   *int
			Effects                []struct {
				Day, VisitorsPerVariant int
				Effect                  *float64
			}
		}
		const fields = ` { figure visitorsPerDay visitorsPerVariant days effects(days: 40) { day visitorsPerVariant effect } }`
		ask := func(arguments string) plan {
			t.Helper()
			var data struct{ Site struct{ PlanExperiment plan } }
			g.into(&data, `query($s: ID!, $m: ID!) { site(id: $s) { planExperiment(metric: $m, `+arguments+`)`+fields+` } }`, vars{"s": site, "m": buy})
			return data.Site.PlanExperiment
		}
		must := func(name string, got plan, figure, daily float64, needed, days int) {
			t.Helper()
			if math.Abs(got.Figure-figure) > 1e-12 || math.Abs(got.VisitorsPerDay-daily) > 1e-9 || got.VisitorsPerVariant != needed || got.Days == nil || *got.Days != days {
				t.Errorf("%s: %+v, want %v, %v a day, %d visitors, %d days", name, got, figure, daily, needed, days)
			}
			last := got.Effects[len(got.Effects)-1]
			if len(got.Effects) != 40 || last.Day != 40 || last.Effect == nil || *last.Effect >= *got.Effects[5].Effect {
				t.Errorf("%s: the effects are %+v", name, got.Effects)
			}
		}
		// Fleiss, Levin and Paik: of 40 %, half more.
		must("everyone", ask("minimumEffect: 0.5"), 0.4, 10, 97, 20)
		must("a segment", ask(`minimumEffect: 0.5, filters: [{country: {is: "DE"}}]`), 0.4, 5, 97, 39)
		must("three variants", ask(`minimumEffect: 0.5, variants: 3`), 0.4, 10, 118, 36)

		e := g.experiment(site, "headline", buy)
		g.start(e, "2026-05-02T00:00:00Z")
		var data struct {
			Node struct {
				Results struct{ Metrics []struct{ Plan plan } }
			}
		}
		g.into(&data, `query($e: ID!) { node(id: $e) { ... on Experiment { results { metrics { plan(minimumEffect: 0.3)`+fields+` } } } } }`, vars{"e": e})
		must("under way", data.Node.Results.Metrics[0].Plan, 0.4, 10, 270, 26)

		for arguments, field := range map[string]string{
			`minimumEffect: 0`: "minimumEffect", `minimumEffect: 9`: "minimumEffect", `minimumEffect: 0.1, variants: 1`: "variants",
			`minimumEffect: 0.1, power: 0.01`: "power", `minimumEffect: 0.1, alpha: 2`: "alpha",
		} {
			g.refused(`query($s: ID!, $m: ID!) { site(id: $s) { planExperiment(metric: $m, `+arguments+`) { days } } }`, vars{"s": site, "m": buy}, model.BadInput, field)
		}
		g.refused(`query($s: ID!, $m: ID!) { site(id: $s) { planExperiment(metric: $m, minimumEffect: 0.1) { days } } }`, vars{"s": site, "m": look}, model.FailedPrecondition, "")
		g.refused(`query($s: ID!, $m: ID!) { site(id: $s) { planExperiment(metric: $m, minimumEffect: 0.1) { days } } }`, vars{"s": g.site("b.example", "UTC"), "m": buy}, model.NotFound, "metric")
		g.refused(`query($s: ID!, $m: ID!) { site(id: $s) { planExperiment(metric: $m, minimumEffect: 0.5) { effects(days: 366) { day } } } }`, vars{"s": site, "m": buy}, model.BadInput, "days")
	}, func(o *testOptions) { o.Now = func() time.Time { return now } })
}
