package graph_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// What definitions have plugins compute is told from all else that questions do.
func TestComputationsOfDefinitions(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	addEveryone(t, folder)
	g := newGraph(t, storetest.SQLite(t))
	h := hosttest.Start(t, host.Options{Folder: folder, Taken: graph.HasType})
	sites := []*model.Site{{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}, {Name: "Other", Domains: []string{"other.example"}, Timezone: "UTC"}}
	filters := func(args string) []model.FilterSpec {
		return []model.FilterSpec{{Type: "everyone", Args: json.RawMessage(args)}}
	}
	for _, site := range sites {
		if err := g.store.CreateSite(t.Context(), site); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.store.CreateSegment(t.Context(), &model.Segment{SiteID: sites[0].ID, Name: "All", Active: true, Filters: filters(`{"any": true}`)}); err != nil {
		t.Fatal(err)
	}
	if err := g.store.CreateGoal(t.Context(), &model.Goal{SiteID: sites[0].ID, Key: "all", Name: "All", Filters: filters(`{"any": false}`)}); err != nil {
		t.Fatal(err)
	}
	definitions := graph.NewDefinitions(g.store, h)
	got, err := definitions.Computations(t.Context(), sites[0].ID)
	slices.Sort(got)
	if want := []string{`everyone everyone@1.0.0 {"any":false}`, `everyone everyone@1.0.0 {"any":true}`}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q; %v", got, want, err)
	}
	if got, err := definitions.Computations(t.Context(), sites[1].ID); err != nil || len(got) > 0 {
		t.Errorf("of a site without definitions: %q, %v", got, err)
	}
	if _, err := graph.NewDefinitions(g.store, g.host).Computations(t.Context(), sites[0].ID); model.CodeOf(err) != model.Unavailable {
		t.Errorf("without the plugin: %v", err)
	}
}
