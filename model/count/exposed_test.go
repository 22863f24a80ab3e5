package count_test

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// exposedSite is a site with visits, and an experiment that has started.
func exposedSite(t *testing.T, st *store.Store, r *rand.Rand) (question count.ExperimentQuestion) {
	t.Helper()
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := st.CreateSite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	goal := &model.Goal{SiteID: site.ID, Key: "purchase", Name: "Bought"}
	if err := st.CreateGoal(t.Context(), goal); err != nil {
		t.Fatal(err)
	}
	x := &model.Experiment{SiteID: site.ID, Key: experimentKeys[0], Name: "Headline", Primary: goal.ID}
	for _, key := range variantKeys[:3] {
		x.Variants = append(x.Variants, model.Variant{Key: key, Name: key, Weight: 1})
	}
	if err := st.CreateExperiment(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if _, err := st.UpdateExperiment(t.Context(), x.ID, func(x *model.Experiment) error { return x.Start(1, 1) }); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write(t.Context(), site.ID, exposedVisits(r, 60, 300)); err != nil {
		t.Fatal(err)
	}
	return count.ExperimentQuestion{
		Experiment: count.Experiment{Site: site.ID, Key: x.Key, Run: model.Range{From: 1, To: model.Open}, Variants: variantKeys[:3], Audience: filter.Bool(true)},
		Later:      true, In: always, Where: filter.Bool(true),
		Metrics: []count.Metric{{Where: filter.In{Field: filter.Events, Values: []string{"purchase"}}, Value: "purchase"}, {Where: filter.Glob{Field: filter.Pages, Pattern: "*a*"}}},
	}
}

// layerOf returns the figures of an engine's layer.
func layerOf(t *testing.T, engine *count.Columns, name string) count.LayerStats {
	t.Helper()
	for _, layer := range engine.Stats().Layers {
		if layer.Name == name {
			return layer
		}
	}
	t.Fatalf("there is no layer %s", name)
	return count.LayerStats{}
}

// What is exposed is made from hits once, and stored. Another process loads it, brings
// it forward, and stores it when the partition is quiet; what is damaged is made anew.
func TestExposedIsStored(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		r := rand.New(rand.NewPCG(5, 91))
		st := mustStore(t, url)
		q := exposedSite(t, st, r)
		scan := count.NewScan(st, nil, nil)
		var lines bytes.Buffer
		// check says where the engine has what is exposed from; a layer with ? may be.
		check := func(engine *count.Columns, layers string) {
			t.Helper()
			want, err := scan.Results(t.Context(), []count.ExperimentQuestion{q})
			if err != nil {
				t.Fatal(err)
			}
			got, err := engine.Results(t.Context(), []count.ExperimentQuestion{q})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) || want[0].Variants[0].Metrics[0].Conversions == 0 {
				t.Errorf("is   %+v\nwant %+v", got, want)
			}
			for _, name := range []string{"stored", "made", "forward"} {
				hits := layerOf(t, engine, "exposed "+name).Hits
				if !strings.Contains(layers, name+"?") && hits > 0 != strings.Contains(layers, name) {
					t.Errorf("want %s; %s: %d", layers, name, hits)
				}
			}
		}
		fresh := func() *count.Columns {
			return mustColumns(t, st, count.ColumnsOptions{Log: slog.New(slog.NewTextHandler(&lines, nil))})
		}
		mustStoreExposed := func(engine *count.Columns, some bool) {
			t.Helper()
			if n, err := engine.StoreExposed(t.Context(), q.Experiment.Site, model.Open); err != nil || n > 0 != some {
				t.Fatalf("stored %d times; %v", n, err)
			}
		}
		check(fresh(), "made")
		check(fresh(), "stored")
		mustStoreExposed(fresh(), false)

		if _, err := st.Write(t.Context(), q.Experiment.Site, exposedVisits(r, 5, 300)); err != nil {
			t.Fatal(err)
		}
		if n, err := fresh().StoreExposed(t.Context(), q.Experiment.Site, 1); err != nil || n > 0 {
			t.Fatalf("stored %d times what was just written to; %v", n, err)
		}
		engine := fresh()
		check(engine, "stored forward")
		mustStoreExposed(engine, true)
		mustStoreExposed(engine, false)
		check(fresh(), "stored")

		if strings.Contains(lines.String(), "level=WARN") {
			t.Errorf("logged %s", &lines)
		}
		db := mustOpenSQL(t, url)
		for _, damage := range []string{
			"UPDATE experiment_columns SET data = (SELECT data FROM columns LIMIT 1) WHERE dimension IN ('assignments', 'counting')",
			"UPDATE experiment_columns SET data = other.data FROM experiment_columns AS other WHERE other.partition_id <> experiment_columns.partition_id AND other.dimension = experiment_columns.dimension",
			"UPDATE experiment_columns SET data = substr(data, 1, 20) WHERE dimension = 'events'",
			"DELETE FROM experiment_columns WHERE dimension = 'events'",
		} {
			if _, err := fresh().StoreBehind(t.Context(), q.Experiment.Site, model.Open); err != nil {
				t.Fatal(err)
			}
			lines.Reset()
			mustExec(t, db, damage)
			check(fresh(), "made, stored?")
			if !strings.Contains(lines.String(), "are damaged, and are made anew") {
				t.Errorf("%s: logged %s", damage, &lines)
			}
			check(fresh(), "stored")
		}
	})
}

// Equal questions that are asked at once are answered together, and as one is.
func TestExposedIsMadeOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		st := mustStore(t, url)
		q := exposedSite(t, st, rand.New(rand.NewPCG(6, 91)))
		want, err := count.NewScan(st, nil, nil).Results(t.Context(), []count.ExperimentQuestion{q})
		if err != nil {
			t.Fatal(err)
		}
		partitions, err := st.PartitionsAssigned(t.Context(), q.Experiment.Site, q.Experiment.Key, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		engine := mustColumns(t, st, count.ColumnsOptions{})
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				got, err := engine.Results(t.Context(), []count.ExperimentQuestion{q})
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v: is %+v\nwant %+v", err, got, want)
				}
			})
		}
		asking.Wait()
		if made := layerOf(t, engine, "exposed made").Hits; made != int64(len(partitions)) {
			t.Errorf("made %d times, for %d partitions", made, len(partitions))
		}
	})
}
