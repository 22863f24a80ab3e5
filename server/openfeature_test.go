//go:build system

// The tests in this file run the server, npm packages and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/open-feature/go-sdk-contrib/providers/ofrep"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/goalgraph/goalgraph/model/allocation"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
	"github.com/goalgraph/goalgraph/server/nodetest"
)

// ofreptest is the folder of the clients. Its packages are installed once for all.
const ofreptest = "ofreptest"

// mustExperiment makes an experiment of shop.example that Goalgraph assigns, with input in the graph's syntax, and returns its id.
func (s *server) mustExperiment(tb testing.TB, key, input string) string {
	tb.Helper()
	var data struct {
		CreateExperiment struct{ Experiment struct{ ID string } }
	}
	answer := s.mustAsk(tb, fmt.Sprintf(`mutation { createExperiment(input: { siteId: %q, key: %q, name: "Test", assignment: GOALGRAPH, primaryMetric: %q, %s }) { experiment { id } } }`,
		s.siteID(tb), key, s.goalID(tb), input))
	if err := json.Unmarshal([]byte(answer), &data); err != nil {
		tb.Fatalf("%v: %s", err, answer)
	}
	return data.CreateExperiment.Experiment.ID
}

// goalID returns the id of the goal "bought", and makes it if there is none.
func (s *server) goalID(tb testing.TB) string {
	tb.Helper()
	var data struct {
		Site struct{ Goal *struct{ ID string } }
	}
	const query = `{ site(domain: "shop.example") { goal(key: "bought") { id } } }`
	for range 2 {
		if err := json.Unmarshal([]byte(s.mustAsk(tb, query)), &data); err != nil {
			tb.Fatal(err)
		}
		if data.Site.Goal != nil {
			break
		}
		s.mustAsk(tb, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: "bought", name: "Bought" }) { goal { id } } }`, s.siteID(tb)))
	}
	return data.Site.Goal.ID
}

func (s *server) mustStart(tb testing.TB, experiment string) {
	tb.Helper()
	s.mustAsk(tb, fmt.Sprintf(`mutation { startExperiment(id: %q) { experiment { id } } }`, experiment))
}

const twoVariants = `variants: [{ key: "a" }, { key: "b" }]`

// hashed returns the variant that the hash gives.
func hashed(seed, visitor string) string {
	chosen, _ := allocation.Plan{Seed: seed, Weights: []float64{1, 1}, Share: 1}.Allocate(visitor, allocation.None, true)
	return [2]string{"a", "b"}[chosen]
}

// The clients of OpenFeature, as they are published, get what the server says: in Node.js, in Go and in a browser.
func TestOpenFeature(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	nodetest.Install(t, ofreptest)
	text := s.mustExperiment(t, "text", twoVariants)
	for _, id := range []string{
		text,
		s.mustExperiment(t, "object", `variants: [{ key: "a", value: { size: 1 } }, { key: "b", weight: 0.000001 }]`),
		s.mustExperiment(t, "toggle", `variants: [{ key: "a", value: true }, { key: "b", weight: 0.000001 }]`),
		s.mustExperiment(t, "number", `variants: [{ key: "a", value: 2.5 }, { key: "b", weight: 0.000001 }]`),
		s.mustExperiment(t, "romanians", twoVariants+`, audience: [{ country: { is: "RO" } }]`),
	} {
		s.mustStart(t, id)
	}
	s.mustExperiment(t, "draft", twoVariants)

	t.Run("Node.js", func(t *testing.T) {
		type details struct {
			Value                      any
			Variant, Reason, ErrorCode string
		}
		command := exec.CommandContext(t.Context(), "node", "server.js", s.url, key, "ada")
		command.Dir = ofreptest
		output, err := command.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		var got map[string]details
		if err := json.Unmarshal(output, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]details{
			"text":      {hashed("text", "ada"), hashed("text", "ada"), "SPLIT", ""},
			"object":    {map[string]any{"size": 1.0}, "a", "SPLIT", ""},
			"toggle":    {true, "a", "SPLIT", ""},
			"number":    {2.5, "a", "SPLIT", ""},
			"draft":     {"default", "", "DISABLED", ""},
			"romanians": {hashed("romanians", "ada"), hashed("romanians", "ada"), "SPLIT", ""},
			"missing":   {"default", "", "ERROR", "FLAG_NOT_FOUND"},
			"nobody":    {"default", "", "ERROR", "TARGETING_KEY_MISSING"},
		}
		for name, want := range want {
			if name == "draft" {
				want.Reason, want.ErrorCode = got[name].Reason, got[name].ErrorCode // of this version, which knows of no flag without a value
			}
			if !reflect.DeepEqual(got[name], want) {
				t.Errorf("%s is %+v, want %+v", name, got[name], want)
			}
		}
	})
	t.Run("Go", func(t *testing.T) {
		provider := ofrep.NewProvider(s.url, ofrep.WithBearerToken(key))
		ada := openfeature.FlattenedContext{"targetingKey": "ada", "country": "RO"}
		if got := provider.StringEvaluation(t.Context(), "romanians", "default", ada); got.Value != hashed("romanians", "ada") || got.Error() != nil {
			t.Errorf("text is %+v", got)
		}
		if got := provider.BooleanEvaluation(t.Context(), "toggle", false, ada); !got.Value || got.Error() != nil {
			t.Errorf("a boolean is %+v", got)
		}
		if got := provider.ObjectEvaluation(t.Context(), "object", nil, ada); !reflect.DeepEqual(got.Value, map[string]any{"size": 1.0}) {
			t.Errorf("an object is %+v", got)
		}
		if got := provider.StringEvaluation(t.Context(), "missing", "default", ada); got.Value != "default" || !strings.Contains(fmt.Sprint(got.Error()), "FLAG_NOT_FOUND") {
			t.Errorf("a missing flag is %+v", got)
		}
	})
	t.Run("a browser", func(t *testing.T) {
		pages := httptest.NewServer(http.FileServer(http.Dir(ofreptest)))
		defer pages.Close()
		page := browsertest.Open(t, pages.URL+"/page.html?url="+s.url+"&key="+key)
		page.Await(`document.title === "ready"`)
		if failed := page.Text("window.failed ?? ''"); failed != "" {
			t.Fatal(failed)
		}
		for flag, want := range map[string]string{"text": hashed("text", "ada"), "romanians": hashed("romanians", "ada"), "draft": "default", "missing": "default"} {
			if got := page.Text(fmt.Sprintf("flag(%q).value", flag)); got != want {
				t.Errorf("%s is %s, want %s", flag, got, want)
			}
		}
		// It is told of a change, and asks again.
		s.mustAsk(t, fmt.Sprintf(`mutation { stopExperiment(id: %q) { experiment { id } } }`, text))
		page.Await(`changes > 0 && flag("text").value === "default"`)
		// While the server is away, the next page has the last answer.
		s.mustStop(t)
		page.Do(`document.title = "flags"; location.reload()`)
		page.Await(`document.title === "ready"`)
		if got := page.Text(`flag("romanians").value`); got != hashed("romanians", "ada") {
			t.Errorf("offline it is %s", got)
		}
	})
}

// Visitors have the variants that GrowthBook's own SDK gives them. GOALGRAPH_ALLOCATION_IDS is the number of visitors.
func TestGrowthBook(t *testing.T) {
	t.Parallel()
	visitors := 500
	if text := os.Getenv("GOALGRAPH_ALLOCATION_IDS"); text != "" {
		var err error
		if visitors, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	nodetest.Install(t, ofreptest)
	type asked struct {
		Seed      string    `json:"seed"`
		Weights   []float64 `json:"weights"`
		Coverage  float64   `json:"coverage"`
		Namespace []any     `json:"namespace,omitempty"`
	}
	var question struct {
		IDs         []string `json:"ids"`
		Experiments []asked  `json:"experiments"`
	}
	for i := range visitors {
		question.IDs = append(question.IDs, []string{"%d", "visitor-%d", "ä😀%d", "6f1c2a52-8f0b-4bb5-9f4f-%012d"}[i%4])
		question.IDs[i] = fmt.Sprintf(question.IDs[i], i*7919)
	}
	weights := [][]float64{{0.5, 0.5}, {0.5, 0.3, 0.2}, {0.1, 0.9}, {0.25, 0.25, 0.25, 0.25}, {0.98, 0.01, 0.01}, {0.7, 0.2, 0.1}, {0.333, 0.333, 0.333}, slices.Repeat([]float64{0.1}, 10)}
	var plans []allocation.Plan
	for i := range 24 {
		a := asked{Seed: []string{"experiment-", "", "köder-", "s 😀 "}[i%4] + fmt.Sprint(i), Weights: weights[i%len(weights)], Coverage: []float64{1, 0.5, 0.123, 0}[i%7%4]}
		plan := allocation.Plan{Seed: a.Seed, Weights: a.Weights, Share: a.Coverage}
		if i%3 == 2 {
			plan.Layer = &allocation.Layer{Key: fmt.Sprint("layer-", i%2), From: 0.2, To: 0.7}
			a.Namespace = []any{plan.Layer.Key, plan.Layer.From, plan.Layer.To}
		}
		plans, question.Experiments = append(plans, plan), append(question.Experiments, a)
	}
	input, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", "growthbook.js")
	command.Dir, command.Stdin = ofreptest, bytes.NewReader(input)
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	var chosen []string
	if err := json.Unmarshal(output, &chosen); err != nil || len(chosen) != len(plans) {
		t.Fatal(len(chosen), err)
	}
	taking := 0
	for i, plan := range plans {
		if len(chosen[i]) != visitors {
			t.Fatalf("%d visitors were allocated", len(chosen[i]))
		}
		for n, id := range question.IDs {
			want := "-"
			if variant, _ := plan.Allocate(id, allocation.None, true); variant != allocation.None {
				want = strconv.Itoa(variant)
				taking++
			}
			if got := chosen[i][n : n+1]; got != want {
				t.Fatalf("%q under %+v has %s, and %s of GrowthBook", id, plan, want, got)
			}
		}
	}
	t.Logf("%d visitors of %d experiments, of whom %d were allocated", visitors, len(plans), taking)
}
