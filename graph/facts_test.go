package graph_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/ingest"
)

const (
	sampleDomain = "www.semicomplete.com"
	sampleLog    = "../server/app/sample/apache_logs.gz"
	may2015      = `{"from": "2015-05-01T00:00:00Z", "to": "2015-06-01T00:00:00Z"}`
)

// importSample loads the access log into a site of its own, bots included, and
// returns the site's id.
func (g *testGraph) importSample() string {
	g.Helper()
	id := g.site(sampleDomain, "UTC")
	site, err := g.store.SiteByDomain(g.Context(), sampleDomain)
	if err != nil {
		g.Fatal(err)
	}
	summary, err := ingest.Import(g.Context(), ingest.Options{
		Files: []string{sampleLog}, Format: ingest.Combined, IncludeBots: true,
		Write: func(ctx context.Context, batch []model.Message) (store.Written, error) {
			return g.store.Write(ctx, site.ID, batch)
		},
	})
	if err != nil {
		g.Fatal(err)
	}
	if summary.Ignored != 6012 || summary.Rejected != 0 || summary.Messages != 3988 {
		g.Errorf("%+v", summary)
	}
	return id
}

// The figures were counted by other programs from the same log.
func TestFactsOfTheSample(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		site := g.importSample()
		all := g.segmentNamed(site, "All")
		segments := []string{
			g.segment(site, "Google", raw(`{"referrer": {"is": ["*google*"]}}`)),
			g.segment(site, "Direct", raw(`{"referrer": {"is": ["(direct)"]}}`)),
		}
		xdotool := g.goal(site, "xdotool", raw(`{"pages": {"all": ["/projects/xdotool*"]}}`))
		blog := g.goal(site, "blog", raw(`{"pages": {"all": ["/blog/*"]}}`))
		home := g.goal(site, "home", raw(`{"pages": {"all": ["/"]}}`))
		both := g.goal(site, "both", raw(`{"pages": {"all": ["/projects/xdotool*", "/"]}}`))
		projects := g.goal(site, "projects", raw(`{"pages": {"all": ["/projects/*"]}}`))

		t.Run("totals", func(t *testing.T) {
			g := g.in(t)
			g.want(`query($d: String!, $r: TimeRange!) { site(domain: $d) { sessionCount(range: $r)
				goalCards(goals: [], range: $r) { cells { sessions } } } }`,
				vars{"d": sampleDomain, "r": raw(may2015)}, `{"site": {"sessionCount": 2347, "goalCards": []}}`)
			g.want(`query($g: ID!, $s: [ID!], $r: TimeRange!) { node(id: $g) { ... on Goal { card(segments: $s, range: $r) { cells { segment { name } visitors } } } } }`,
				vars{"g": home, "s": []string{all}, "r": raw(may2015)}, `{"node": {"card": {"cells": [{"segment": {"name": "All"}, "visitors": 1299}]}}}`)
		})

		t.Run("by day", func(t *testing.T) {
			g := g.in(t)
			for i, want := range []int{409, 736, 628, 574, 0} {
				day := fmt.Sprintf(`{"from": "2015-05-%dT00:00:00Z", "to": "2015-05-%dT00:00:00Z"}`, 17+i, 18+i)
				g.want(`query($s: ID!, $r: TimeRange!) { site(id: $s) { sessionCount(range: $r) } }`, vars{"s": site, "r": raw(day)},
					fmt.Sprintf(`{"site": {"sessionCount": %d}}`, want))
			}
			// The zone's offset counts, and the end is not part of the range.
			g.want(`{ site(domain: "`+sampleDomain+`") { sessionCount(range: {from: "2015-05-17T02:00:00+02:00", to: "2015-05-18T02:00:00+02:00"}) } }`, nil,
				`{"site": {"sessionCount": 409}}`)
		})

		t.Run("goal cards", func(t *testing.T) {
			g := g.in(t)
			g.want(`query($s: ID!, $g: [ID!], $r: TimeRange!) { site(id: $s) { goalCards(goals: $g, range: $r) { goal { key } range { from to }
				cells { segment { name } sessions conversions conversionRate merged { empty } } } } }`,
				vars{"s": site, "g": []string{xdotool, blog, home}, "r": raw(may2015)},
				matrix([]string{"xdotool", "blog", "home"}, []string{"All", "Google", "Direct"}, []int{2347, 423, 1760},
					[][]int{{315, 143, 115}, {980, 131, 790}, {526, 4, 514}}))
			// The order asked for is kept, and one may be asked for twice.
			g.want(`query($g: ID!, $s: [ID!], $r: TimeRange!) { node(id: $g) { ... on Goal { card(segments: $s, range: $r) { cells { conversions } } } } }`,
				vars{"g": xdotool, "s": []string{segments[1], segments[0], segments[1]}, "r": raw(may2015)},
				`{"node": {"card": {"cells": [{"conversions": 115}, {"conversions": 143}, {"conversions": 115}]}}}`)
			g.want(`query($g: ID!, $s: [ID!], $r: TimeRange!) { node(id: $g) { ... on Goal { card(segments: $s, range: $r) { cells { conversions } } } } }`,
				vars{"g": both, "s": []string{all}, "r": raw(may2015)}, `{"node": {"card": {"cells": [{"conversions": 6}]}}}`)
		})

		t.Run("session length", func(t *testing.T) {
			g := g.in(t)
			const query = `query($s: ID!, $f: [FilterInput!], $r: TimeRange!) { site(id: $s) { sessionCount(filters: $f, range: $r) } }`
			for _, test := range []struct {
				filters string
				want    int
			}{
				{`[{"sessionLength": {"min": 5, "max": 30}}]`, 318},
				{`[{"sessionLength": {"min": 17, "max": 49}}]`, 392},
				{`[{"sessionLength": {"min": 5, "max": 30}}, {"sessionLength": {"min": 17, "max": 49}}]`, 163},
				{`[{"sessionLength": {"min": 17, "max": 30}}]`, 163},
				{`[]`, 2347},
				{`null`, 2347},
			} {
				g.want(query, vars{"s": site, "f": raw(test.filters), "r": raw(may2015)}, fmt.Sprintf(`{"site": {"sessionCount": %d}}`, test.want))
			}
			short := g.segment(site, "Short", raw(`{"sessionLength": {"min": 5, "max": 30}}`))
			middling := g.goal(site, "middling", raw(`{"sessionLength": {"min": 17, "max": 49}}`))
			g.want(`query($g: ID!, $s: [ID!], $r: TimeRange!) { node(id: $g) { ... on Goal { card(segments: $s, range: $r) { cells { sessions conversions
				merged { label empty filters { filter { args label } active { args } goal { args } rule empty } } } } } } }`,
				vars{"g": middling, "s": []string{short}, "r": raw(may2015)},
				`{"node": {"card": {"cells": [{"sessions": 318, "conversions": 163, "merged": {"label": "Session length 17–30 s", "empty": false, "filters": [{
					"filter": {"args": {"min": 17, "max": 30}, "label": "Session length 17–30 s"}, "active": {"args": {"min": 5, "max": 30}},
					"goal": {"args": {"min": 17, "max": 49}}, "rule": "INTERSECTION", "empty": false}]}}]}}}`)
		})

		t.Run("funnel", func(t *testing.T) {
			g := g.in(t)
			g.want(`query($s: ID!, $steps: [ID!]!, $g: [ID!], $r: TimeRange!) { site(id: $s) { funnel(steps: $steps, segments: $g, range: $r) { range { from to }
				segments { segment { name } steps { goal { key } sessions fromPrevious fromStart merged { label empty } } } } } }`,
				vars{"s": site, "steps": []string{home, projects, xdotool}, "g": []string{all}, "r": raw(may2015)},
				`{"site": {"funnel": {"range": {"from": "2015-05-01T00:00:00Z", "to": "2015-06-01T00:00:00Z"}, "segments": [{"segment": {"name": "All"}, "steps": [
					{"goal": {"key": "home"}, "sessions": 526, "fromPrevious": 0.22411589262888795, "fromStart": 0.22411589262888795, "merged": {"empty": false, "label": "Visited /"}},
					{"goal": {"key": "projects"}, "sessions": 13, "fromPrevious": 0.024714828897338403, "fromStart": 0.005538985939497231, "merged": {"empty": false, "label": "Visited / and /projects/*"}},
					{"goal": {"key": "xdotool"}, "sessions": 6, "fromPrevious": 0.46153846153846156, "fromStart": 0.0025564550489987218, "merged": {"empty": false, "label": "Visited /, /projects/* and /projects/xdotool*"}}]}]}}}`)
		})

		t.Run("series", func(t *testing.T) {
			g := g.in(t)
			g.want(`query($g: ID!, $s: [ID!], $r: TimeRange!) { node(id: $g) { ... on Goal { card(segments: $s, range: $r) { cells { series { at sessions conversions conversionRate } } } } } }`,
				vars{"g": xdotool, "s": []string{all}, "r": raw(`{"from": "2015-05-17T00:00:00Z", "to": "2015-05-22T00:00:00Z"}`)}, `{"node": {"card": {"cells": [{"series": [
					{"at": "2015-05-17T00:00:00Z", "sessions": 409, "conversions": 48, "conversionRate": 0.11735941320293398},
					{"at": "2015-05-18T00:00:00Z", "sessions": 736, "conversions": 97, "conversionRate": 0.13179347826086957},
					{"at": "2015-05-19T00:00:00Z", "sessions": 628, "conversions": 80, "conversionRate": 0.12738853503184713},
					{"at": "2015-05-20T00:00:00Z", "sessions": 574, "conversions": 90, "conversionRate": 0.156794425087108},
					{"at": "2015-05-21T00:00:00Z", "sessions": 0, "conversions": 0, "conversionRate": null}]}]}}}`)
		})
	})
}

// matrix is the answer of goal cards: a line a goal, a column a segment.
func matrix(goals, segments []string, sessions []int, conversions [][]int) string {
	text := ""
	for i, goal := range goals {
		cells := ""
		for n, segment := range segments {
			c := conversions[i][n]
			cells += fmt.Sprintf(`,{"segment": {"name": %q}, "sessions": %d, "conversions": %d, "conversionRate": %v, "merged": {"empty": false}}`,
				segment, sessions[n], c, float64(c)/float64(sessions[n]))
		}
		text += fmt.Sprintf(`,{"goal": {"key": %q}, "range": {"from": "2015-05-01T00:00:00Z", "to": "2015-06-01T00:00:00Z"}, "cells": [%s]}`, goal, cells[1:])
	}
	return `{"site": {"goalCards": [` + text[1:] + `]}}`
}
