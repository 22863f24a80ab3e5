package experiment

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// A question reads exposures that may be newer than the revisions that it planned with. What was measured of the visitors
// as they were before is not taken for what the new list of them did.
func TestMeasurementsOfNewerExposures(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	st, err := store.Open(ctx, storetest.SQLite(t), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if _, err := st.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := st.CreateSite(ctx, site); err != nil {
		t.Fatal(err)
	}
	assign := func(visitor string, day model.Day) {
		t.Helper()
		hit := model.Hit{ID: model.MessageIDOf(visitor), Visitor: visitor, At: day.Start() + 1, Kind: model.Event, Name: "Experiment Viewed", Experiment: "x", Variant: "a"}
		if _, err := st.Write(ctx, site.ID, []model.Message{{AnonymousID: visitor, Hit: hit}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		assign(fmt.Sprint("visitor ", i), model.Day(19_000+i/3))
	}

	log := slog.New(slog.DiscardHandler)
	assignments := NewAssignments(st, nil, 16<<20, log)
	sessions := count.NewColumnEngine(st, partition.NewColumns(st, 16<<20, log), count.Options{Leaves: []count.Leaves{assignments}, AnswerBytes: 1 << 20, Log: log})
	t.Cleanup(sessions.Close)
	e := NewColumnEngine(st, sessions.Matcher(), assignments, nil, 16<<20)
	q := Question{
		Definition: Definition{Site: site.ID, Key: "x", Run: always, Variants: []string{"a"}, Audience: filter.Bool(true)},
		In:         always, Where: filter.Bool(true), Metrics: []Metric{{Where: filter.In{Field: filter.Events, Values: []string{"purchase"}}}},
	}
	planned, err := st.PartitionsAssigned(ctx, site.ID, "x", always)
	if err != nil || len(planned) != 2 {
		t.Fatalf("%d partitions, %v", len(planned), err)
	}
	// measureAsPlanned measures who is assigned by now, under the revisions of then.
	measureAsPlanned := func() []model.Millis {
		t.Helper()
		build := &indexing{assignments: assignments, matcher: sessions.Matcher(), definition: &q.Definition}
		index, err := build.build(ctx, planned, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := &measuring{
			engine: e, group: []*asking{{Question: &q, isKept: true}}, d: &q.Definition, end: q.End(), index: index,
			metrics: []measuredMetric{measuredMetricOf(q.Metrics[0])},
		}
		results, err := m.measureAll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return results[0].at
	}
	if at := measureAsPlanned(); len(at) != 6 {
		t.Fatalf("%d visitors", len(at))
	}
	assign("one more", 19_000)
	if _, err := e.Results(ctx, []Question{q}); err != nil { // it brings the exposures forward
		t.Fatal(err)
	}
	at := measureAsPlanned()
	if len(at) != 7 {
		t.Fatalf("%d visitors: this says little", len(at))
	}
	for place, converted := range at {
		if converted != model.Open {
			t.Errorf("visitor at place %d converted at %d, and nobody did", place, converted)
		}
	}
}
