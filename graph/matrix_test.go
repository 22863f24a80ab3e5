package graph_test

import (
	"testing"

	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// What another node changes of goals and segments, the next cards are made of, however
// often they were asked for before.
func TestCardsFollowDefinitions(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		g := newGraph(t, url)
		st, err := store.Open(t.Context(), url, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		other := newGraphOver(t, st, g.host)

		site := g.site("a.example", "UTC")
		country := func(is string) any { return map[string]any{"country": map[string]any{"is": []string{is}}} }
		segment, goal := g.segment(site, "first", country("RO")), g.goal(site, "signup", country("US"))
		type definition struct {
			Name    string
			Filters []any
		}
		var data struct {
			Site struct {
				Goals, Segments struct{ Nodes []definition }
				All, Named      []struct {
					Goal  definition
					Cells []struct{ Segment definition }
				}
			}
		}
		check := func(what string) {
			t.Helper()
			for range 2 {
				g.into(&data, `query($s: ID!, $goals: [ID!], $segments: [ID!]) { site(id: $s) {
					goals { nodes { name filters { label args } } }
					segments(active: true) { nodes { name filters { label args } } }
					all: goalCards(range: {from: "2026-05-01T00:00:00Z"}) { ...card }
					named: goalCards(goals: $goals, segments: $segments, range: {from: "2026-05-01T00:00:00Z"}) { ...card }
				} }
				fragment card on GoalCard { goal { name filters { label args } } cells { segment { name filters { label args } } } }`,
					vars{"s": site, "goals": []string{goal}, "segments": []string{segment}})
				var goals, segments []definition
				for _, card := range data.Site.All {
					goals = append(goals, card.Goal)
					segments = nil
					for _, cell := range card.Cells {
						segments = append(segments, cell.Segment)
					}
				}
				for _, pair := range [][2]any{
					{goals, data.Site.Goals.Nodes}, {segments, data.Site.Segments.Nodes},
					{data.Site.Named[0].Goal, data.Site.Goals.Nodes[0]}, {data.Site.Named[0].Cells[0].Segment, data.Site.Segments.Nodes[1]}, // behind All
				} {
					got, want := mustJSON(pair[0]), mustJSON(pair[1])
					if got != want {
						t.Errorf("%s: cards of %s, want %s", what, got, want)
					}
				}
			}
		}
		check("as they were made")
		other.must(`mutation($id: ID!, $f: [FilterInput!]) { updateSegment(input: {id: $id, name: "renamed", filters: $f}) { segment { id } } }`, vars{"id": segment, "f": []any{country("DE")}})
		check("a segment changed")
		other.must(`mutation($id: ID!, $f: [FilterInput!]) { updateGoal(input: {id: $id, name: "Sign-up", filters: $f}) { goal { id } } }`, vars{"id": goal, "f": []any{country("FR")}})
		check("a goal changed")
		second := other.goal(site, "purchase", country("IT"))
		check("a new goal")
		other.must(`mutation($id: ID!) { archiveGoal(id: $id) { goal { id } } }`, vars{"id": second})
		check("a goal archived")
		other.segment(site, "second", country("US"))
		check("a new segment")
		other.must(`mutation($id: ID!) { deleteSegment(id: $id) { deletedId } }`, vars{"id": segment})
		g.refused(`query($s: ID!, $segments: [ID!]) { site(id: $s) { goalCards(segments: $segments, range: {from: "2026-05-01T00:00:00Z"}) { goal { name } } } }`,
			vars{"s": site, "segments": []string{segment}}, "NOT_FOUND", "segments[0]")
	})
}
