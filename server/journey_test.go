//go:build system

// The tests in this file build a plugin and run the server, so they have the tag system: see main_test.go.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// traveller is what one visitor has done.
type traveller struct {
	key  string
	hits []model.Hit
}

const minute model.Millis = 60 * 1000

// travels returns messages of visitors who come back, late ones among them: some join sessions that were two.
func travels(r *rand.Rand, travellers map[string]*traveller, n *int) (batch []model.Message) {
	pages := []string{"/", "/a", "/a/b", "/b", "/c"}
	for range 1 + r.IntN(20) {
		key := fmt.Sprint("visitor ", r.IntN(60))
		if travellers[key] == nil {
			travellers[key] = &traveller{key: key}
		}
		at := model.Day(20_000).Start() + model.Millis(r.IntN(2*24*6))*10*minute
		for range 1 + r.IntN(3) {
			*n++
			hit := model.Hit{ID: model.MessageIDOf(strconv.Itoa(*n)), Visitor: key, At: at, Kind: model.PageView, Name: pages[r.IntN(len(pages))],
				Origin: model.Origin{Country: []string{"RO", "US"}[r.IntN(2)]}, Knows: model.KnowsAll}
			if r.IntN(5) == 0 {
				hit.Kind, hit.Name = model.Event, "/a"
			}
			travellers[key].hits = append(travellers[key].hits, hit)
			batch = append(batch, model.Message{AnonymousID: key, Hit: hit})
			at += model.Millis(r.IntN(15)) * minute
		}
	}
	return batch
}

// route is a journey that is asked for.
type route struct {
	steps  []string
	within int // minutes; 0 for any
}

func (j route) String() string {
	steps, _ := json.Marshal(j.steps)
	if j.within == 0 {
		return fmt.Sprintf("{ journey: { steps: %s } }", steps)
	}
	return fmt.Sprintf("{ journey: { steps: %s, withinMinutes: %d } }", steps, j.within)
}

func randomRoute(r *rand.Rand) route {
	j := route{steps: make([]string, 2+r.IntN(2))}
	for i := range j.steps {
		j.steps[i] = []string{"/", "/a", "/a*", "/b", "*", "/c", "*b"}[r.IntN(7)]
	}
	if r.IntN(2) == 0 {
		j.within = 1 + r.IntN(40)
	}
	return j
}

// made tells whether views make the journey, by trying every way.
func (j route) made(views []model.Hit) bool {
	var from func(step int, views []model.Hit, began model.Millis) bool
	from = func(step int, views []model.Hit, began model.Millis) bool {
		if step == len(j.steps) {
			return true
		}
		for i, view := range views {
			first := began
			if step == 0 {
				first = view.At
			}
			if filter.MatchGlob(j.steps[step], view.Name) && (j.within == 0 || view.At-first <= model.Millis(j.within)*minute) && from(step+1, views[i+1:], first) {
				return true
			}
		}
		return false
	}
	return from(0, views, 0)
}

// count counts all sessions, those that made the journey, and those of them from RO.
func (j route) count(travellers map[string]*traveller) (all, made, fromRO int) {
	for _, traveller := range travellers {
		for _, visit := range model.Fold(traveller.hits) {
			var views []model.Hit
			for _, hit := range visit.Hits {
				if hit.Kind == model.PageView {
					views = append(views, hit)
				}
			}
			all++
			if j.made(views) {
				made++
				if visit.Session.Country == "RO" {
					fromRO++
				}
			}
		}
	}
	return all, made, fromRO
}

// counts are what a server says of a journey. What it does not say is nil.
type counts struct {
	All, Made, RO *struct{ SessionCount int }
}

// askRoute asks for all sessions, those that made the journey, and those of them from RO. The codes of the errors are by field.
func (s *server) askRoute(t *testing.T, j route) (answer counts, codes map[string]string) {
	t.Helper()
	count := func(filters string) string {
		return fmt.Sprintf(`site(domain: "shop.example") { sessionCount(filters: [%s], range: { from: "2000-01-01T00:00:00Z" }) }`, filters)
	}
	got, err := do(graphQLRequest(s.url, fmt.Sprintf("{ all: %s made: %s ro: %s }", count(""), count(j.String()), count(j.String()+`, { country: { is: "RO" } }`))))
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Data   counts
		Errors []struct {
			Path       []any
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	codes = map[string]string{}
	for _, e := range body.Errors {
		codes[fmt.Sprint(e.Path[0])] = e.Extensions.Code
	}
	return body.Data, codes
}

// mustCountRoute holds what a server counts against what there is. On a busy machine the plugin may be too late to be waited for.
func (s *server) mustCountRoute(t *testing.T, j route, travellers map[string]*traveller) (made int) {
	t.Helper()
	var answer counts
	var codes map[string]string
	await(t, "the plugin answers", func() bool {
		answer, codes = s.askRoute(t, j)
		return codes["made"] != string(model.Unavailable) && codes["ro"] != string(model.Unavailable)
	})
	all, made, fromRO := j.count(travellers)
	if len(codes) > 0 || answer.All.SessionCount != all || answer.Made.SessionCount != made || answer.RO.SessionCount != fromRO {
		text, _ := json.Marshal(answer)
		t.Fatalf("%s: %s, %v; want %d sessions, %d, and %d from RO", j, text, codes, all, made, fromRO)
	}
	return made
}

// The example journey counts as looking at every hit does, on two servers over one database: while hits come in, some of them late and
// some between two sessions, after a server was started again, and after its plugin was killed.
func TestJourney(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "journey"), "../plugins/examples/journey")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 4))
		serve := func() *server { return mustServe(t, "--database", database, "--plugins", folder) }
		servers := []*server{serve(), serve()}
		st, err := store.Open(t.Context(), database, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
		if err := st.CreateSite(t.Context(), site); err != nil {
			t.Fatal(err)
		}
		travellers, written, made := map[string]*traveller{}, 0, 0
		write := func() {
			t.Helper()
			if _, err := st.Write(t.Context(), site.ID, travels(r, travellers, &written)); err != nil {
				t.Fatal(err)
			}
		}
		kept := []route{randomRoute(r), randomRoute(r), randomRoute(r)}
		ask := func() {
			t.Helper()
			for _, j := range append(kept[:len(kept):len(kept)], randomRoute(r)) {
				for _, s := range servers {
					made += s.mustCountRoute(t, j, travellers)
				}
			}
		}
		for round := range 30 {
			write()
			ask()
			if round == 15 {
				servers[0].mustStop(t)
				servers[0] = serve()
				ask()
			}
		}
		if made < 100 {
			t.Errorf("%d sessions made a journey: this says little", made)
		}

		killed := 0
		for _, pid := range children(t, servers[1].Process.Pid) {
			args, err := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
			if err == nil && strings.Contains(string(args), "journey") {
				killed++
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		if killed != 1 {
			t.Fatalf("%d plugins were killed", killed)
		}
		write()
		fresh := route{steps: []string{"/", "/never asked before*"}}
		all, _, _ := fresh.count(travellers)
		await(t, "the plugin is back", func() bool {
			answer, codes := servers[1].askRoute(t, fresh) // what was computed needs no plugin
			if codes["all"] != "" || answer.All.SessionCount != all {
				t.Fatalf("%v, %v: what needs no plugin is not answered", answer, codes)
			}
			for field, code := range codes {
				if code != string(model.Unavailable) {
					t.Fatalf("%s: %s", field, code)
				}
			}
			return len(codes) == 0
		})
		ask()
		await(t, "everything is stored", func() bool {
			var listed struct {
				Site struct {
					ComputedFilters []struct {
						FilterType, Plugin         string
						Args                       args
						Sessions, ComputedSessions int
						Complete                   bool
					}
				}
			}
			if err := json.Unmarshal([]byte(servers[0].mustAsk(t, `{ site(domain: "shop.example") { computedFilters { filterType plugin args sessions computedSessions complete } } }`)), &listed); err != nil {
				t.Fatal(err)
			}
			first := listed.Site.ComputedFilters[0]
			if first.FilterType != "journey" || first.Plugin != "journey@1.0.0" || strings.Join(first.Args.Steps, " ") != strings.Join(kept[0].steps, " ") || first.Args.WithinMinutes != kept[0].within {
				t.Fatalf("%+v", first)
			}
			return first.Complete && first.ComputedSessions == first.Sessions && first.Sessions >= all
		})
		if metrics := servers[0].get(t, "/metrics").body; !strings.Contains(metrics, "\ngoalgraph_computed_sessions_total ") || strings.Contains(metrics, "\ngoalgraph_computed_sessions_total 0\n") {
			t.Error("the metrics do not tell of computed filters")
		}
	})
}

// args are a journey's.
type args struct {
	Steps         []string
	WithinMinutes int
}
