package engine_test

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// exposedSite is a site with visits, and an experiment that has started.
func exposedSite(t *testing.T, st *store.Store, r *rand.Rand) (question experiment.Question) {
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
	if _, err := st.UpdateExperiment(t.Context(), x.ID, func(x *model.Experiment) error { return x.Start(1, 0, 1) }); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write(t.Context(), site.ID, exposedVisits(r, 60, 300)); err != nil {
		t.Fatal(err)
	}
	return experiment.Question{
		Definition: experiment.Definition{Site: site.ID, Key: x.Key, Run: model.Range{From: 1, To: model.Open}, Variants: variantKeys[:3], Audience: filter.Bool(true)},
		Later:      true, In: always, Where: filter.Bool(true),
		Metrics: []experiment.Metric{{Where: filter.In{Field: filter.Events, Values: []string{"purchase"}}, Value: "purchase"}, {Where: filter.Glob{Field: filter.Pages, Pattern: "*a*"}}},
	}
}

// readingOf returns the figures of an engine's layer.
func readingOf(t *testing.T, subject *engine.Engine, name string) partition.Reading {
	t.Helper()
	for _, layer := range subject.Stats().Layers {
		if layer.Name == name {
			return layer
		}
	}
	t.Fatalf("there is no layer %s", name)
	return partition.Reading{}
}

// What is exposed is made from hits once, and stored. Another process loads it, brings
// it forward, and stores it when the partition is quiet; what is damaged is made anew.
func TestExposedIsStored(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		r := rand.New(rand.NewPCG(5, 91))
		st := mustStore(t, url)
		q := exposedSite(t, st, r)
		scan := naive.New(st, nil, nil)
		var lines bytes.Buffer
		// check says where the subject has what is exposed from; a layer with ? may be.
		check := func(subject *engine.Engine, layers string) {
			t.Helper()
			want, err := scan.Results(t.Context(), []experiment.Question{q})
			if err != nil {
				t.Fatal(err)
			}
			got, err := subject.Results(t.Context(), []experiment.Question{q})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) || want[0].Variants[0].Metrics[0].Conversions == 0 {
				t.Errorf("is   %+v\nwant %+v", got, want)
			}
			for _, name := range []string{"loaded", "built", "caught_up"} {
				hits := readingOf(t, subject, "exposures_"+name).Hits
				if !strings.Contains(layers, name+"?") && hits > 0 != strings.Contains(layers, name) {
					t.Errorf("want %s; %s: %d", layers, name, hits)
				}
			}
		}
		fresh := func() *engine.Engine {
			return mustEngine(t, st, engine.Options{Log: slog.New(slog.NewTextHandler(&lines, nil))})
		}
		// behind is how many exposures that were not written to since an instant are not stored as they are.
		behind := func(before model.Millis) int {
			t.Helper()
			exposures, err := st.ExposuresBehind(t.Context(), q.Definition.Site, before)
			if err != nil {
				t.Fatal(err)
			}
			return len(exposures)
		}
		mustSeal := func(subject *engine.Engine) {
			t.Helper()
			if n, err := subject.SealBehind(t.Context(), q.Definition.Site, model.Open); err != nil || n == 0 {
				t.Fatalf("sealed %d; %v", n, err)
			}
			if n := behind(model.Open); n > 0 {
				t.Fatalf("%d exposures are still behind", n)
			}
			if n, err := subject.SealBehind(t.Context(), q.Definition.Site, model.Open); err != nil || n > 0 {
				t.Fatalf("sealed %d again; %v", n, err)
			}
		}
		check(fresh(), "built")
		check(fresh(), "loaded")
		if n := behind(model.Open); n > 0 {
			t.Errorf("%d exposures were built and are not stored", n)
		}

		if _, err := st.Write(t.Context(), q.Definition.Site, exposedVisits(r, 5, 300)); err != nil {
			t.Fatal(err)
		}
		if n := behind(1); n > 0 {
			t.Fatalf("%d exposures are to be stored that were just written to", n)
		}
		subject := fresh()
		check(subject, "loaded caught_up")
		mustSeal(subject)
		check(fresh(), "loaded")

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
			if _, err := fresh().SealBehind(t.Context(), q.Definition.Site, model.Open); err != nil {
				t.Fatal(err)
			}
			lines.Reset()
			mustExec(t, db, damage)
			check(fresh(), "built, loaded?")
			if !strings.Contains(lines.String(), "is damaged and will be built anew") {
				t.Errorf("%s: logged %s", damage, &lines)
			}
			check(fresh(), "loaded")
		}
	})
}

// Equal questions that are asked at once are answered together, and as one is.
func TestExposedIsMadeOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		st := mustStore(t, url)
		q := exposedSite(t, st, rand.New(rand.NewPCG(6, 91)))
		want, err := naive.New(st, nil, nil).Results(t.Context(), []experiment.Question{q})
		if err != nil {
			t.Fatal(err)
		}
		partitions, err := st.PartitionsAssigned(t.Context(), q.Definition.Site, q.Definition.Key, always)
		if err != nil {
			t.Fatal(err)
		}
		subject := mustEngine(t, st, engine.Options{})
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				got, err := subject.Results(t.Context(), []experiment.Question{q})
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v: is %+v\nwant %+v", err, got, want)
				}
			})
		}
		asking.Wait()
		if made := readingOf(t, subject, "exposures_built").Hits; made != int64(len(partitions)) {
			t.Errorf("made %d times, for %d partitions", made, len(partitions))
		}
	})
}
