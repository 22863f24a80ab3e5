package graph_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// series asks for the points of a goal of no filters: instant, sessions.
func (g *testGraph) series(goal, interval, from, to string) string {
	g.Helper()
	v := vars{"g": goal, "i": interval, "r": map[string]any{"from": from, "to": to}}
	if to == "" {
		v["r"] = map[string]any{"from": from}
	}
	var data struct {
		Node struct {
			Card struct {
				Cells []struct {
					Series []struct {
						At                    time.Time
						Sessions, Conversions int
					}
				}
			}
		}
	}
	g.into(&data, `query($g: ID!, $i: Interval!, $r: TimeRange!) { node(id: $g) { ... on Goal { card(range: $r) { cells { series(interval: $i) { at sessions conversions } } } } } }`, v)
	var points []string
	for _, p := range data.Node.Card.Cells[0].Series {
		if p.Sessions != p.Conversions {
			g.Errorf("%+v", p)
		}
		points = append(points, fmt.Sprintf("%s %d", p.At.Format("01-02T15:04"), p.Sessions))
	}
	return strings.Join(points, ", ")
}

func TestSeriesInZones(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		for _, test := range []struct{ name, zone, interval, from, to, hits, want string }{
			{"a day of 23 hours", "Europe/Bucharest", "DAY", "2026-03-28T22:00:00Z", "2026-03-30T21:00:00Z",
				"2026-03-28T22:00:00Z 2026-03-29T20:59:59Z 2026-03-29T21:00:00Z 2026-03-30T20:59:59Z", "03-28T22:00 2, 03-29T21:00 2"},
			{"a day of 25 hours", "Europe/Bucharest", "DAY", "2026-10-24T21:00:00Z", "2026-10-26T22:00:00Z",
				"2026-10-24T21:00:00Z 2026-10-25T21:59:59Z 2026-10-25T22:00:00Z", "10-24T21:00 2, 10-25T22:00 1"},
			{"no midnight", "America/Sao_Paulo", "DAY", "2018-11-03T03:00:00Z", "2018-11-05T02:00:00Z",
				"2018-11-03T03:00:00Z 2018-11-04T02:59:59Z 2018-11-04T03:00:00Z 2018-11-05T01:59:59Z 2018-11-05T02:00:00Z", "11-03T03:00 2, 11-04T03:00 2"},
			{"hours that come twice", "Europe/Bucharest", "HOUR", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z",
				"2026-10-25T00:30:00Z 2026-10-25T01:30:00Z", "10-25T00:00 1, 10-25T01:00 1, 10-25T02:00 0"},
			{"hours of a zone of half hours", "Asia/Kolkata", "HOUR", "2026-05-01T00:30:00Z", "2026-05-01T02:30:00Z",
				"2026-05-01T00:45:00Z 2026-05-01T02:15:00Z", "05-01T00:30 1, 05-01T01:30 1"},
			{"weeks from Monday", "UTC", "WEEK", "2026-05-01T00:00:00Z", "2026-05-12T00:00:00Z",
				"2026-04-30T10:00:00Z 2026-05-03T23:59:59Z 2026-05-04T00:00:00Z 2026-05-11T00:00:00Z", "04-27T00:00 1, 05-04T00:00 1, 05-11T00:00 1"},
			{"months", "America/New_York", "MONTH", "2026-02-01T05:00:00Z", "2026-04-01T04:00:00Z",
				"2026-02-01T05:00:00Z 2026-03-01T04:59:59Z 2026-03-01T05:00:00Z 2026-04-01T03:59:59Z", "02-01T05:00 2, 03-01T05:00 2"},
			{"an empty range", "UTC", "DAY", "2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z", ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				g := g.in(t)
				domain := strings.ReplaceAll(test.name, " ", "-") + ".example"
				goal := g.goal(g.site(domain, test.zone), "all", raw(`{"pages": {"all": "*"}}`))
				for i, when := range strings.Fields(test.hits) {
					g.write(domain, page(fmt.Sprint(i), when, "/"))
				}
				if got := g.series(goal, test.interval, test.from, test.to); got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
			})
		}
	})
}

// A range without an end ends now.
func TestSeriesOfAnOpenRange(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) { o.Now = func() time.Time { return now } })
	goal := g.goal(g.site("a.example", "UTC"), "all", raw(`{"pages": {"all": "*"}}`))
	g.write("a.example", page("1", "2026-05-01T10:00:00Z", "/"), page("2", "2026-05-03T12:00:00Z", "/"))
	if got, want := g.series(goal, "DAY", "2026-05-01T00:00:00Z", ""), "05-01T00:00 1, 05-02T00:00 0, 05-03T00:00 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := g.series(goal, "DAY", "2026-06-01T00:00:00Z", ""); got != "" {
		t.Errorf("a range that begins later: %s", got)
	}
	e := g.refused(`query($g: ID!) { node(id: $g) { ... on Goal { card(range: {from: "1970-01-01T00:00:00Z"}) { cells { series(interval: HOUR) { at } } } } } }`,
		vars{"g": goal}, model.BadInput, "interval")
	if !strings.Contains(e.Message, "10000") {
		t.Error(e)
	}
}
