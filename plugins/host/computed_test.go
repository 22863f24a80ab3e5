package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// tally is computed: it does what its argument says.
type tally struct{}

type tallyArgs struct {
	Do string `json:"do"`
	N  int    `json:"n"`
}

func (tally) Describe() plugins.Description {
	return plugins.Description{Name: "tally", Title: "Tally", Rule: plugins.Last, SDL: `input TallyFilter { do: String! n: Int = 0 }`, Input: "TallyFilter"}
}

func (tally) Compile(_ context.Context, args tallyArgs) (filter.Expr, error) {
	switch args.Do {
	case "nonsense":
		return filter.Computed{Key: "tally"}, nil
	case "refuse":
		return nil, plugins.ArgError("do", "no")
	case "never":
		return filter.Bool(false), nil
	}
	return filter.In{Field: filter.Country, Values: []string{"RO"}}, nil
}

// Compute tells of visits with n hits or more, and of the one that everythingTold is.
func (tally) Compute(ctx context.Context, args tallyArgs, visit plugins.Visit) (bool, error) {
	switch args.Do {
	case "hang":
		<-ctx.Done()
		return false, ctx.Err()
	case "panic":
		panic("as told")
	case "fail":
		return false, errors.New("as told")
	case "argument":
		return false, plugins.ArgError("do", "no")
	case "told":
		return reflect.DeepEqual(visit, everythingTold), nil
	}
	return len(visit.Hits) >= args.N, nil
}

// everything is a visit of which nothing is missing, and everythingTold what a plugin sees of it.
var (
	everything = model.Visit{
		Session: model.Session{
			VisitorKey: "ann", First: true, Start: 1000, End: 31_000, PageViews: 3, ExitPage: "/bye", Tags: []string{"x", "y"}, Properties: map[string]string{"plan": "pro"},
			Origin: model.Origin{
				IP: "10.0.0.1", Country: "RO", City: "London", Region: "England", Referrer: "t.co", EntryPage: "/", Hostname: "www.shop.example", Browser: "Firefox", OS: "Linux", Device: model.Desktop, Language: "ro-ro",
				UTM: model.UTM{Source: "s", Medium: "m", Campaign: "c", Term: "t", Content: "o"},
			},
		},
		Hits: []model.Hit{{Kind: model.PageView, Name: "/", At: 1000}, {Kind: model.Event, Name: "buy", At: 2000, Value: -3 * model.One / 2, HasValue: true}, {Kind: model.Event, Name: "free", At: 31_000, HasValue: true}},
	}
	everythingTold = plugins.Visit{
		Visitor: "ann", First: true, Start: time.UnixMilli(1000).UTC(), End: time.UnixMilli(31_000).UTC(), Country: "RO", Referrer: "t.co", EntryPage: "/", ExitPage: "/bye",
		Browser: "Firefox", OS: "Linux", Device: "DESKTOP", Language: "ro-ro", UTMSource: "s", UTMMedium: "m", UTMCampaign: "c", UTMTerm: "t", UTMContent: "o",
		Tags: []string{"x", "y"}, Properties: map[string]string{"plan": "pro"}, Texts: map[string]string{"city": "London", "region": "England", "hostname": "www.shop.example"},
		Hits: []plugins.Hit{
			{Kind: plugins.PageView, Name: "/", At: time.UnixMilli(1000).UTC()},
			{Kind: plugins.Event, Name: "buy", At: time.UnixMilli(2000).UTC(), Value: -1.5, HasValue: true},
			{Kind: plugins.Event, Name: "free", At: time.UnixMilli(31_000).UTC(), HasValue: true},
		},
	}
)

// keyOf compiles a filter and returns the key of what it computes.
func keyOf(t *testing.T, h testHost, args string) string {
	t.Helper()
	compiled, err := h.Compile(t.Context(), spec("tally", args))
	if err != nil {
		t.Fatal(err)
	}
	keys := filter.Computations(compiled.Predicate)
	if len(keys) != 1 {
		t.Fatalf("%s", compiled.Predicate)
	}
	return keys[0]
}

func TestCompute(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "tally"), ComputeTimeout: 3 * time.Second})
	key := keyOf(t, h, `{"n":2, "do":""}`)
	if key != `tally tally@1 {x} 0 {"do":"","n":2}` {
		t.Errorf("key %s", key)
	}
	if c := h.Computation(key); c != (Computation{"tally", "tally@1 {x} 0", `{"do":"","n":2}`, true}) {
		t.Errorf("%+v", c)
	}
	compiled, err := h.Compile(t.Context(), spec("tally", `{"n":2,"do":""}`))
	if want := fmt.Sprintf("(and (computed %q) (in country \"RO\"))", key); err != nil || compiled.Predicate.String() != want {
		t.Errorf("%s, want %s; %v", compiled.Predicate, want, err)
	}
	if condition, err := h.Condition(t.Context(), key); err != nil || condition.String() != `(in country "RO")` {
		t.Errorf("condition %s, %v", condition, err)
	}
	visits := make([]model.Visit, 2500)
	want := make([]bool, len(visits))
	for i := range visits {
		for range i % 4 {
			visits[i].Hits = append(visits[i].Hits, model.Hit{Kind: model.PageView, Name: strings.Repeat("x", 3000)}) // 11 MiB
		}
		want[i] = i%4 >= 2
	}
	if matches, err := h.Compute(t.Context(), key, visits); err != nil || !reflect.DeepEqual(matches, want) {
		t.Errorf("%d answers, %v", len(matches), err)
	}
	if matches, err := h.Compute(t.Context(), keyOf(t, h, `{"do":"told"}`), []model.Visit{{}, everything}); err != nil || matches[0] || !matches[1] {
		t.Errorf("%t, %v", matches, err)
	}
	// A session of very many hits is told in part, and does not stop the others.
	visits[0].Hits = make([]model.Hit, 2_000_000)
	many := fmt.Sprintf(`{"do":"","n":%d}`, maxHits)
	if matches, err := h.Compute(t.Context(), keyOf(t, h, many), visits); err != nil || !matches[0] || matches[1] {
		t.Error(err)
	}
	if compiled, err := h.Compile(t.Context(), spec("tally", `{"do":"never"}`)); err != nil || compiled.Predicate != filter.Expr(filter.Bool(false)) {
		t.Errorf("%s, %v", compiled.Predicate, err)
	}

	for _, do := range []string{"hang", "panic", "fail", "argument"} {
		begin := time.Now()
		_, err := h.Compute(t.Context(), keyOf(t, h, fmt.Sprintf(`{"do":%q}`, do)), visits[1:2])
		if model.CodeOf(err) != model.Unavailable || err.Error() != "the plugin tally cannot answer right now; try again" || time.Since(begin) > 20*time.Second {
			t.Errorf("%s: %v", do, err)
		}
	}
	if _, err := h.Compile(t.Context(), spec("tally", `{"do":"nonsense"}`)); model.CodeOf(err) != model.Unavailable {
		t.Errorf("a predicate of what is computed: %v", err)
	}
	if _, err := h.Compute(t.Context(), key, visits[1:2]); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	for _, key := range []string{"", "tally", "tally {}", "country builtin@1.0.0 {}", "nothing of@1 {}", `tally tally@2 {"do":""}`} {
		if _, err := h.Compute(t.Context(), key, visits[1:2]); model.CodeOf(err) != model.Unavailable {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := h.Condition(t.Context(), key); model.CodeOf(err) != model.Unavailable {
			t.Errorf("%s: %v", key, err)
		}
	}
	if c := h.Computation(`gone gone@1 {y} {"a":{"b":1}}`); c != (Computation{Type: "gone", Plugin: "gone@1 {y}", Args: `{"a":{"b":1}}`}) {
		t.Errorf("%+v", c)
	}
}

// What began with a plugin ends with it, when another version has taken its place.
func TestComputeOfAReplacedPlugin(t *testing.T) {
	programs, dir := folder(t, "tally", "tally-2"), t.TempDir()
	put(t, dir, "mine", filepath.Join(programs, "tally"))
	h := newHost(t, Options{Folder: dir})
	old := keyOf(t, h, `{"do":"","n":0}`)
	held := h.Acquire()
	put(t, dir, "mine", filepath.Join(programs, "tally-2"))
	eventually(t, "it was replaced", func() bool { return h.plugin("tally").Version == "2" })
	if now := keyOf(t, h, `{"do":"","n":0}`); now == old {
		t.Errorf("both versions compute %s", now)
	}
	if matches, err := h.Compute(t.Context(), old, []model.Visit{everything}); err != nil || !matches[0] {
		t.Errorf("while it is in use: %t, %v", matches, err)
	}
	held.Release()
	eventually(t, "it is gone", func() bool {
		_, err := h.Compute(t.Context(), old, []model.Visit{everything})
		return err != nil && strings.Contains(err.Error(), "another version")
	})
}
