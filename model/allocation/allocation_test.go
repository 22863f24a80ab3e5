package allocation

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// published are the cases of GrowthBook's specification.
func published(t *testing.T) (cases struct{ Hash, GetBucketRange, ChooseVariation, InNamespace, GetEqualWeights [][]json.RawMessage }) {
	t.Helper()
	text, err := os.ReadFile("testdata/growthbook.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func decode(t *testing.T, parts []json.RawMessage, into ...any) {
	t.Helper()
	for i, value := range into {
		if err := json.Unmarshal(parts[i], value); err != nil {
			t.Fatalf("%s: %v", parts[i], err)
		}
	}
}

func TestPublishedHashes(t *testing.T) {
	t.Parallel()
	tested := 0
	for _, c := range published(t).Hash {
		var seed, value string
		var version int
		var want float64
		decode(t, c, &seed, &value, &version, &want)
		hash, found := map[int]func(seed, id string) float64{1: hash1, 2: Hash}[version]
		if !found {
			continue // a version that is none
		}
		tested++
		if got := hash(seed, value); got != want {
			t.Errorf("version %d of %q, %q is %v, want %v", version, seed, value, got, want)
		}
	}
	if tested != 14 {
		t.Errorf("%d were tested", tested)
	}
}

func TestPublishedRanges(t *testing.T) {
	t.Parallel()
	pair := func(r [2]float64) Range { return Range{r[0], r[1]} }
	round := func(r Range) Range { return Range{math.Round(r.From*1e6) / 1e6, math.Round(r.To*1e6) / 1e6} }
	cases := published(t)
	for _, c := range cases.GetBucketRange {
		var name string
		var args []json.RawMessage
		var want [][2]float64
		decode(t, c, &name, &args, &want)
		var variants int
		var coverage float64
		var shares []float64
		decode(t, args, &variants, &coverage, &shares)
		got := Ranges(variants, coverage, shares)
		if len(got) != len(want) {
			t.Fatalf("%s: %v", name, got)
		}
		for i := range got {
			if round(got[i]) != pair(want[i]) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
	for _, c := range cases.ChooseVariation {
		var name string
		var n float64
		var ranges [][2]float64
		var want int
		decode(t, c, &name, &n, &ranges, &want)
		var of []Range
		for _, r := range ranges {
			of = append(of, pair(r))
		}
		if got := choose(n, of); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	for _, c := range cases.GetEqualWeights {
		var n int
		var want []float64
		decode(t, c, &n, &want)
		got := equal(n)
		if !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-8 }) {
			t.Errorf("%d: %v", n, got)
		}
	}
}

func TestPublishedLayers(t *testing.T) {
	t.Parallel()
	for _, c := range published(t).InNamespace {
		var name, id string
		var layer []json.RawMessage
		var want bool
		decode(t, c, &name, &id, &layer, &want)
		var l Layer
		decode(t, layer, &l.Key, &l.From, &l.To)
		if got := l.has(id); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A text that is not ASCII has the hash that JavaScript gives it, which sees two units of an emoji.
func TestHashOfUTF16(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint32{"é": 0x6c0b6c44, "😀": 0xcb31c4b8} {
		if got := fnv1a(text); got != want {
			t.Errorf("%q: %#x, want %#x", text, got, want)
		}
	}
}

// What excludes a visitor is told in a fixed order, and a kept variant outlives all but the audience.
func TestExclusions(t *testing.T) {
	t.Parallel()
	all, none := &Holdout{"h", 1}, &Layer{"l", 0, 0}
	for name, test := range map[string]struct {
		plan       Plan
		kept       int
		inAudience bool
		variant    int
		exclusion  Exclusion
	}{
		"holdout first":            {Plan{Holdout: all, Layer: none}, 1, false, None, ByHoldout},
		"then the layer":           {Plan{Layer: none}, 1, false, None, ByLayer},
		"then the audience":        {Plan{}, 1, false, None, ByAudience},
		"kept, whatever the share": {Plan{Weights: []float64{1, 1}}, 1, true, 1, Included},
		"no share":                 {Plan{Weights: []float64{1, 1}}, None, true, None, ByShare},
		"all of it":                {Plan{Weights: []float64{3}, Share: 1}, None, true, 0, Included},
	} {
		if variant, exclusion := test.plan.Allocate("ada", test.kept, test.inAudience); variant != test.variant || exclusion != test.exclusion {
			t.Errorf("%s: %d, %s", name, variant, exclusion)
		}
	}
}

// Weights that are shares give the ranges that GrowthBook gives them, to the last bit; others are relative to each other.
func TestWeights(t *testing.T) {
	t.Parallel()
	tenths := slices.Repeat([]float64{0.1}, 10)
	for _, test := range []struct{ weights, want []float64 }{
		{[]float64{0.7, 0.2, 0.1}, []float64{0.7, 0.2, 0.1}},
		{[]float64{0.333, 0.333, 0.333}, []float64{0.333, 0.333, 0.333}},
		{tenths, tenths},
		{[]float64{50, 30, 20}, []float64{0.5, 0.3, 0.2}},
		{[]float64{1, 1}, []float64{0.5, 0.5}},
		{[]float64{0.4, 0.4}, []float64{0.5, 0.5}},
	} {
		if got := fractions(test.weights); !slices.Equal(got, test.want) {
			t.Errorf("%v are the shares %v, want %v", test.weights, got, test.want)
		}
	}
	plan := Plan{Seed: "tenths", Weights: tenths, Share: 1}
	for i := range 2000 {
		id := fmt.Sprint("visitor-", i)
		if variant, _ := plan.Allocate(id, None, true); variant != choose(Hash("tenths", id), Ranges(10, 1, tenths)) {
			t.Fatalf("%s gets %d", id, variant)
		}
	}
}

// Whoever is held out would have got any variant, even if the experiment has the holdout's seed.
func TestHoldoutIsIndependent(t *testing.T) {
	t.Parallel()
	plan := Plan{Seed: "same", Weights: []float64{1, 1}, Share: 1}
	var held [2]int
	for i := range 10_000 {
		id := fmt.Sprint("visitor-", i)
		if (Holdout{"same", 0.1}).has(id) {
			variant, _ := plan.Allocate(id, None, true)
			held[variant]++
		}
	}
	if held[0] < 400 || held[1] < 400 {
		t.Errorf("of the variants, %v are held out", held)
	}
}

// A share that grows takes more visitors, and none of them changes the variant.
func TestShareGrows(t *testing.T) {
	t.Parallel()
	plan := Plan{Seed: "price", Weights: []float64{50, 30, 20}}
	variants := map[string]int{}
	for share := range 11 {
		plan.Share = float64(share) / 10
		before := len(variants)
		for i := range 2000 {
			id := strconv.Itoa(i)
			variant, _ := plan.Allocate(id, None, true)
			if had, known := variants[id]; known && had != variant {
				t.Fatalf("%s had %d, and has %d of %v", id, had, variant, plan.Share)
			}
			if variant != None {
				variants[id] = variant
			}
		}
		if grown := len(variants) - before; share > 0 && grown < 100 {
			t.Errorf("%d more take part of %v", grown, plan.Share)
		}
	}
	if len(variants) != 2000 {
		t.Errorf("%d take part", len(variants))
	}
}

// New weights take in nobody who took no part, and split who comes new as they say. Who has a variant keeps it.
func TestWeightsChange(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.5, 0.6, 1} {
		before := Plan{Seed: "ramp", Weights: []float64{9, 1}, Share: share}
		after := Plan{Seed: "ramp", Weights: []float64{1, 1}, Began: before.Weights, Share: share}
		var fresh [2]int
		for i := range 4000 {
			id := strconv.Itoa(i)
			had, _ := before.Allocate(id, None, true)
			got, excluded := after.Allocate(id, None, true)
			if (had == None) != (got == None) || (got == None) != (excluded == ByShare) {
				t.Fatalf("%s had %d, and gets %d, %s", id, had, got, excluded)
			}
			if kept, _ := after.Allocate(id, had, true); had != None && kept != had {
				t.Fatalf("%s had %d, and gets %d", id, had, kept)
			}
			if got != None {
				fresh[got]++
			}
		}
		if n := float64(fresh[0] + fresh[1]); math.Abs(n-4000*share) > 200 || math.Abs(float64(fresh[0])-n/2) > 4*math.Sqrt(n/4) {
			t.Errorf("of 4,000 visitors, %v take part at a share of %v", fresh, share)
		}
	}
	same := Plan{Seed: "ramp", Weights: []float64{2, 2}, Began: []float64{1, 1}, Share: 1}
	for i := range 100 {
		id := strconv.Itoa(i)
		got, _ := same.Allocate(id, None, true)
		if want, _ := (Plan{Seed: "ramp", Weights: []float64{1, 1}, Share: 1}).Allocate(id, None, true); got != want {
			t.Errorf("%s gets %d of equal weights, and %d before", id, got, want)
		}
	}
}

// Splits are those of the weights, experiments are independent of each other, layers have nobody in common, and who is held
// out takes part in nothing. GOALGRAPH_ALLOCATION_IDS is the number of visitors.
func TestAllocationsAreFair(t *testing.T) {
	t.Parallel()
	ids := 20_000
	if text := os.Getenv("GOALGRAPH_ALLOCATION_IDS"); text != "" {
		var err error
		if ids, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	const experiments = 50
	var plans [experiments]Plan
	for i := range plans {
		plans[i] = Plan{Seed: fmt.Sprint("experiment-", i), Weights: [][]float64{{1, 1}, {50, 30, 20}, {1, 9}, {1, 1, 1, 1}}[i%4], Share: 1, Holdout: &Holdout{"holdout", 0.05}}
	}
	// The last ones share a layer.
	plans[48].Layer, plans[49].Layer = &Layer{"layer", 0, 0.6}, &Layer{"layer", 0.6, 1}
	var counts [experiments][4]float64
	const paired = 20
	var pairs [paired][paired][4][4]float64
	held, layered := 0, [2]int{}
	for n := range ids {
		id := fmt.Sprint("visitor-", n)
		var variants [experiments]int
		taking := 0
		for i, plan := range plans {
			variant, _ := plan.Allocate(id, None, true)
			variants[i] = variant
			if variant != None {
				taking++
				counts[i][variant]++
			}
		}
		if Hash("__holdout:holdout", id) < 0.05 {
			held++
			if taking > 0 {
				t.Fatalf("%s is held out and takes part in %d experiments", id, taking)
			}
			continue
		}
		if taking != experiments-1 {
			t.Fatalf("%s takes part in %d experiments", id, taking)
		}
		for i, layer := range variants[48:] {
			if layer != None {
				layered[i]++
			}
		}
		for i := range paired {
			for j := range i {
				pairs[i][j][variants[i]][variants[j]]++
			}
		}
	}
	var splits, independences []float64
	for i, plan := range plans {
		var total, chi2 float64
		for _, count := range counts[i] {
			total += count
		}
		for v, share := range fractions(plan.Weights) {
			chi2 += square(counts[i][v]-share*total) / (share * total)
		}
		splits = append(splits, pValue(chi2, len(plan.Weights)-1))
	}
	taking := float64(ids - held)
	for i := range paired {
		for j := range i {
			var chi2 float64
			for v := range plans[i].Weights {
				for w := range plans[j].Weights {
					expected := counts[i][v] * counts[j][w] / taking
					chi2 += square(pairs[i][j][v][w]-expected) / expected
				}
			}
			independences = append(independences, pValue(chi2, (len(plans[i].Weights)-1)*(len(plans[j].Weights)-1)))
		}
	}
	asChance(t, "split", splits)
	asChance(t, "independence", independences)
	for name, share := range map[string][2]float64{"held out": {float64(held) / float64(ids), 0.05}, "in the layer's first part": {float64(layered[0]) / taking, 0.6}} {
		if math.Abs(share[0]-share[1]) > 5*math.Sqrt(share[1]/float64(ids)) {
			t.Errorf("%v are %s, want %v", share[0], name, share[1])
		}
	}
	t.Logf("%d visitors, %d experiments: %d of %d splits and %d of %d pairs below 5 %%", ids, experiments, below(splits, 0.05), len(splits), below(independences, 0.05), len(independences))
}

func square(x float64) float64 { return x * x }

func pValue(chi2 float64, freedom int) float64 {
	return distuv.ChiSquared{K: float64(freedom)}.Survival(chi2)
}

func below(values []float64, bound float64) (n int) {
	for _, p := range values {
		if p < bound {
			n++
		}
	}
	return n
}

// asChance fails if more p-values are small than five standard errors above what chance gives.
func asChance(t *testing.T, what string, values []float64) {
	t.Helper()
	for _, bound := range []float64{0.001, 0.01, 0.05, 0.5} {
		n := float64(len(values))
		if found := float64(below(values, bound)); found > n*bound+1+5*math.Sqrt(n*bound*(1-bound)) {
			t.Errorf("%s: %v of %v tests are below %v", what, found, n, bound)
		}
	}
}

func BenchmarkAllocate(b *testing.B) {
	plan := Plan{Seed: "price", Weights: []float64{1, 1}, Share: 1}
	for b.Loop() {
		plan.Allocate("6f1c2a52-8f0b-4bb5-9f4f-2f0d3f6c1a90", None, true)
	}
}
