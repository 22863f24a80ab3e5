package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// definitions are experiments by their keys.
type definitions map[string]experiment.Definition

func (d definitions) Experiment(_ context.Context, site int64, key string) (experiment.Definition, error) {
	x, found := d[key]
	if !found {
		return x, model.Errorf(model.BadInput, "the site has no experiment %q", key)
	}
	x.Site = site
	return x, nil
}

// script is a case of testdata/experiments.txt: a visitor's line says when what
// happened, as ann+u for the user u on the device ann, or +u for one whose device is not told. run, audience, goal and unit change
// the experiment and what is asked, and each results has what is expected behind it.
type script struct {
	title string
	lines []string
}

func readScripts(t *testing.T) (scripts []script) {
	t.Helper()
	text, err := os.ReadFile("testdata/experiments.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch title, found := strings.CutPrefix(line, "# "); {
		case found:
			scripts = append(scripts, script{title: title})
		case line != "":
			last := &scripts[len(scripts)-1]
			last.lines = append(last.lines, line)
		}
	}
	return scripts
}

// mustInstant reads a day from 1 on and a time of it, or open.
func mustInstant(t *testing.T, text string) model.Millis {
	t.Helper()
	if text == "open" {
		return model.Open
	}
	var day, hour, minute int
	if _, err := fmt.Sscanf(text, "%d %d:%d", &day, &hour, &minute); err != nil {
		t.Fatalf("%q is no instant: %v", text, err)
	}
	return filtertest.Day.Start() + model.Millis((day-1)*24*60+hour*60+minute)*60*1000
}

func mustRange(t *testing.T, text string) model.Range {
	t.Helper()
	from, to, _ := strings.Cut(text, " to ")
	return model.Range{From: mustInstant(t, from), To: mustInstant(t, to)}
}

func mustPredicate(t *testing.T, text string) filter.Expr {
	t.Helper()
	e, err := filter.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return filter.Simplify(e)
}

// message reads what a visitor did.
func (s *script) message(t *testing.T, line string) model.Message {
	t.Helper()
	words := strings.Fields(line)
	device, user, _ := strings.Cut(words[0], "+")
	hit := model.Hit{ID: model.MessageIDOf(line), Visitor: device, At: mustInstant(t, words[1]+" "+words[2]), Kind: model.Event}
	switch words[3] {
	case "views":
		hit.Kind, hit.Name = model.PageView, words[4]
	case "buys":
		hit.Name, hit.HasValue = "buy", true
		hit.Value, _ = model.ParseDecimal(words[4])
	case "logs":
		hit.Kind = model.Traits
	case "links":
		hit.Kind = 0
	case "sees":
		hit.Name, hit.Experiment, hit.Variant = "Experiment Viewed", "x", words[4]
	default:
		t.Fatalf("%q is not understood", line)
	}
	return model.Message{AnonymousID: device, UserID: user, Hit: hit}
}

// question reads what is asked.
func (s *script) question(t *testing.T, line string, q experiment.Question) experiment.Question {
	t.Helper()
	rest := strings.TrimPrefix(line, "results by ")
	by, rest, _ := strings.Cut(rest, " ")
	q.Later = by == "experiment"
	if after, found := strings.CutPrefix(rest, "for "); found {
		var length string
		length, rest, _ = strings.Cut(after, " ")
		within, err := time.ParseDuration(length)
		if err != nil {
			t.Fatal(err)
		}
		q.Within = model.Millis(within.Milliseconds())
	}
	if after, found := strings.CutPrefix(rest, "without contaminated"); found {
		q.Exclude, rest = true, strings.TrimPrefix(after, " ")
	}
	for rest != "" {
		word, after, _ := strings.Cut(rest, " ")
		switch word {
		case "in":
			q.In, rest = mustRange(t, after), ""
		case "where":
			q.Where, rest = mustPredicate(t, after), ""
		case "at":
			for step := range strings.SplitSeq(after, ", ") {
				q.Steps = append(q.Steps, mustInstant(t, step))
			}
			rest = ""
		default:
			t.Fatalf("%q is not understood", line)
		}
	}
	return q
}

// squares adds up the squares of values.
func squares(m stats.Moments) float64 { return m.Squares + float64(m.N)*m.Mean*m.Mean }

// told is an answer as scripts tell it.
func told(q experiment.Question, a experiment.Answer) (lines []string) {
	for i, v := range a.Variants {
		if v.Visitors == 0 {
			continue
		}
		name, m := q.Definition.Variants[i], v.Metrics[0]
		line := fmt.Sprintf("  %s: %d visitors, %d converted", name, v.Visitors, m.Conversions)
		if m.Total != (model.Sum{}) {
			line += fmt.Sprintf(", total %v, squares %.9g", m.Total, squares(m.Moments))
		}
		lines = append(lines, line)
		if len(q.Steps) > 0 {
			lines = append(lines, fmt.Sprintf("  %s visitors: %s", name, strings.Trim(fmt.Sprint(v.Steps), "[]")), fmt.Sprintf("  %s converted: %s", name, strings.Trim(fmt.Sprint(m.Steps), "[]")))
		}
	}
	if a.MultipleExposures > 0 {
		lines = append(lines, fmt.Sprintf("  contaminated: %d", a.MultipleExposures))
	}
	if a.Unknown > 0 {
		lines = append(lines, fmt.Sprintf("  unknown: %d", a.Unknown))
	}
	return lines
}

// The rules of attribution, each as a script that loads, asks and expects.
func TestAttribution(t *testing.T) {
	t.Parallel()
	scripts := readScripts(t)
	storetest.Databases(t, func(t *testing.T, url string) {
		st := mustStore(t, url)
		for n, s := range scripts {
			site := &model.Site{Name: "Shop", Domains: []string{fmt.Sprintf("s%d.example", n)}, Timezone: "UTC"}
			if err := st.CreateSite(t.Context(), site); err != nil {
				t.Fatal(err)
			}
			q := experiment.Question{
				Definition: experiment.Definition{
					Site: site.ID, Key: "x", Variants: []string{"a", "b"}, Audience: filter.Bool(true),
					Run: model.Range{From: filtertest.Day.Start(), To: model.Open},
				},
				In: always, Where: filter.Bool(true), Metrics: []experiment.Metric{{Where: mustPredicate(t, `(in events "buy")`), Value: "buy"}},
			}
			kept := mustEngine(t, st, engine.Options{})
			for i := 0; i < len(s.lines); i++ {
				line := s.lines[i]
				what, rest, _ := strings.Cut(line, " ")
				switch what {
				case "run":
					q.Definition.Run = mustRange(t, rest)
				case "audience":
					q.Definition.Audience = mustPredicate(t, rest)
				case "unit":
					q.Definition.ByUser = rest == "user"
				case "goal":
					q.Metrics[0].Where = mustPredicate(t, rest)
				case "results":
					var want []string
					for ; i+1 < len(s.lines) && strings.HasPrefix(s.lines[i+1], "  "); i++ {
						want = append(want, s.lines[i+1])
					}
					asked := s.question(t, line, q)
					for name, subject := range map[string]answering{"scan": naive.New(st, nil, nil), "kept columns": kept, "columns": mustEngine(t, st, engine.Options{})} {
						answers, err := subject.Results(t.Context(), []experiment.Question{asked})
						if err != nil || answers[0].Err != nil {
							t.Fatalf("%s\n%s: %v %v", s.title, name, err, answers)
						}
						if got := told(asked, answers[0]); !slices.Equal(got, want) {
							t.Errorf("%s\n%s: %s\n%s\nwant\n%s", s.title, line, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
						}
					}
				default:
					if _, err := st.Write(t.Context(), site.ID, []model.Message{s.message(t, line)}); err != nil {
						t.Fatal(err)
					}
					// Asked in between, what is kept has to follow.
					if _, err := kept.Results(t.Context(), []experiment.Question{q}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

// What is counted by users depends on what happened when, and not on the order in which it became known.
func TestUsers(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		st, sites := mustStore(t, url), 0
		for title, test := range map[string]struct{ messages, byUser, byVisitor string }{
			"two devices in two variants, and a purchase that a server tells": {
				"d1+u 1 10:00 sees a, d2+u 1 11:00 sees b, +u 1 12:01 buys 7",
				"a: 1 visitors, 1 converted, total 7, squares 49, contaminated: 1",
				"a: 1 visitors, 0 converted, b: 1 visitors, 1 converted, total 7, squares 49"},
			"who it is is known days later": {
				"d1 1 10:00 sees a, d2 2 10:00 buys 5, d2+u 3 10:00 logs in, d1+u 9 10:00 logs in",
				"a: 1 visitors, 1 converted, total 5, squares 25",
				"a: 1 visitors, 0 converted"},
			"links without anything else": {
				"d1 2 10:00 sees a, d2 2 09:59 buys 1, d1+u 4 10:00 links, d2+u 1 10:00 links",
				"a: 1 visitors, 0 converted",
				"a: 1 visitors, 0 converted"},
			"the other device in the midst of a session": {
				"d1+u 2 00:10 sees a, d2+u 1 23:50 views /, d2 2 00:05 buys 1, d2 2 00:15 buys 2",
				"a: 1 visitors, 1 converted, total 2, squares 4",
				"a: 1 visitors, 0 converted"},
			"a device that two users share": {
				"d+u 1 10:00 sees a, d+v 1 11:00 views /, e+v 1 12:00 buys 3, f+u 1 12:00 buys 4",
				"a: 1 visitors, 1 converted, total 4, squares 16",
				"a: 1 visitors, 0 converted"},
			"the earlier assignment on the other device": {
				"d1+u 2 00:20 sees a, d1 1 23:55 views /, d2+u 2 00:10 sees b, d2 2 00:12 buys 1",
				"b: 1 visitors, 1 converted, total 1, squares 1, contaminated: 1",
				"a: 1 visitors, 0 converted, b: 1 visitors, 1 converted, total 1, squares 1"},
			"assigned by a server": {
				"+u 1 10:00 sees a, n+u 1 10:01 buys 5, m 1 10:02 sees a",
				"a: 2 visitors, 1 converted, total 5, squares 25",
				"a: 2 visitors, 1 converted, total 5, squares 25"},
		} {
			var messages []model.Message
			for line := range strings.SplitSeq(test.messages, ", ") {
				messages = append(messages, (&script{}).message(t, line))
			}
			for n, order := range permutations(messages) {
				sites++
				site := &model.Site{Name: "Shop", Domains: []string{fmt.Sprintf("u%d.example", sites)}, Timezone: "UTC"}
				if err := st.CreateSite(t.Context(), site); err != nil {
					t.Fatal(err)
				}
				q := experiment.Question{
					Definition: experiment.Definition{
						Site: site.ID, Key: "x", Variants: []string{"a", "b"}, Audience: filter.Bool(true), ByUser: true,
						Run: model.Range{From: filtertest.Day.Start(), To: (filtertest.Day + 5).Start()},
					},
					Later: true, In: always, Where: filter.Bool(true), Metrics: []experiment.Metric{{Where: mustPredicate(t, `(in events "buy")`), Value: "buy"}},
				}
				byVisitor := q
				byVisitor.Definition.ByUser = false
				questions := []experiment.Question{q, byVisitor}
				kept := mustEngine(t, st, engine.Options{})
				for _, message := range order {
					if _, err := st.Write(t.Context(), site.ID, []model.Message{message}); err != nil {
						t.Fatal(err)
					}
					if _, err := kept.Results(t.Context(), questions); err != nil {
						t.Fatal(err)
					}
				}
				for name, subject := range map[string]answering{"scan": naive.New(st, nil, nil), "kept columns": kept, "columns": mustEngine(t, st, engine.Options{})} {
					answers, err := subject.Results(t.Context(), questions)
					if err != nil {
						t.Fatal(err)
					}
					for i, want := range []string{test.byUser, test.byVisitor} {
						lines := told(questions[i], answers[i])
						for i := range lines {
							lines[i] = strings.TrimSpace(lines[i])
						}
						if got := strings.Join(lines, ", "); got != want {
							t.Errorf("%s, order %d, %s, by user %t: %s, want %s", title, n, name, questions[i].Definition.ByUser, got, want)
						}
					}
				}
				if t.Failed() {
					return
				}
			}
		}
	})
}

// permutations are all orders of a list.
func permutations[T any](list []T) (all [][]T) {
	if len(list) < 2 {
		return [][]T{list}
	}
	for i := range list {
		rest := slices.Delete(slices.Clone(list), i, i+1)
		for _, order := range permutations(rest) {
			all = append(all, append([]T{list[i]}, order...))
		}
	}
	return all
}

func mustStore(t testing.TB, url string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if _, err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

// The keys of the experiments that RandomAssigned knows, and their variants. The last
// variant is in no definition.
var (
	experimentKeys = []string{"headline", `pri"cé`}
	variantKeys    = []string{"a", "b", "é", "gone"}
)

// exposedVisits are visits of which some hits assign, some in sessions by key.
func exposedVisits(r *rand.Rand, n int, late int) (batch []model.Message) {
	for range n {
		shift := model.Millis(r.IntN(late)-late/2) * 15 * 60 * 1000
		key := []string{"", "", "", "k", "l"}[r.IntN(5)]
		for _, hit := range filtertest.RandomVisit(r) {
			hit.At += shift
			hit.SessionKey = key
			if hit.Kind == model.Event && r.IntN(3) > 0 {
				hit.Experiment, hit.Variant = experimentKeys[r.IntN(2)], variantKeys[r.IntN(11)/3]
			}
			batch = append(batch, model.Message{AnonymousID: hit.Visitor, Hit: hit})
		}
	}
	return batch
}

// logIn has some of the visitors of a batch log in as one of a few users.
func logIn(r *rand.Rand, batch []model.Message, users int) {
	for i := range batch {
		if r.IntN(8) == 0 {
			batch[i].UserID = fmt.Sprint("user ", r.IntN(users))
		}
	}
}

// someTime is a moment around those of exposedVisits.
func someTime(r *rand.Rand) model.Millis {
	return filtertest.Day.Start() + model.Millis(r.IntN(4*24*4)-24)*15*60*1000 + model.Millis(r.IntN(4))*5000 + model.Millis(r.IntN(3)-1)
}

func someRange(r *rand.Rand) model.Range {
	in := model.Range{From: someTime(r), To: someTime(r)}
	if in.From > in.To {
		in.From, in.To = in.To, in.From
	}
	if r.IntN(3) == 0 {
		in.To = model.Open
	}
	if r.IntN(3) == 0 {
		in.From = filtertest.Day.Start() - 10*24*60*60*1000
	}
	return in
}

// leafOf is a random leaf; one of three is about assignments to the defined experiments.
func leafOf(r *rand.Rand) filter.Expr {
	if r.IntN(3) > 0 {
		return filtertest.RandomLeaf(r)
	}
	return filter.Assigned{Experiment: experimentKeys[r.IntN(2)], Variants: variantKeys[:1+r.IntN(3)]}
}

func somePredicate(r *rand.Rand) filter.Expr {
	switch r.IntN(4) {
	case 0:
		return filter.Bool(true)
	case 1:
		return filter.Simplify(filtertest.RandomExpr(r))
	case 2:
		return filter.Simplify(computed(r))
	}
	return filter.Simplify(filtertest.RandomExprOf(r, leafOf))
}

// someDefinitions defines both experiments: the first one's audience may depend on the
// second.
func someDefinitions(r *rand.Rand) definitions {
	d := definitions{}
	for i, key := range experimentKeys {
		x := experiment.Definition{Key: key, Run: someRange(r), Variants: variantKeys[:2+r.IntN(2)], Audience: filter.Bool(true)}
		switch r.IntN(3) {
		case 0:
			x.Audience = filter.Simplify(filtertest.RandomExpr(r))
		case 1:
			if i == 0 {
				x.Audience = filter.Assigned{Experiment: experimentKeys[1], Variants: variantKeys[:1]}
			}
		}
		d[key] = x
	}
	return d
}

// experimentQuestions are some about one experiment.
func experimentQuestions(r *rand.Rand, site int64, d definitions) (questions []experiment.Question) {
	x, _ := d.Experiment(context.Background(), site, experimentKeys[r.IntN(2)])
	metrics := make([]experiment.Metric, 1+r.IntN(3))
	for i := range metrics {
		if metrics[i].Where = somePredicate(r); i > 0 && len(filter.Computations(metrics[i].Where)) > 0 {
			metrics[i].Where = filter.Bool(true)
		}
		metrics[i].Value = []string{"", "purchase", "sign up"}[r.IntN(3)]
	}
	later, in, within := r.IntN(2) == 0, someRange(r), model.Millis(0)
	before := r.IntN(2) == 0
	if r.IntN(2) == 0 {
		within = model.Millis(1+r.IntN(24*4)) * 15 * 60 * 1000
	}
	for range 1 + r.IntN(3) {
		q := experiment.Question{Definition: x, Later: later, Within: within, Exclude: r.IntN(3) == 0, Before: before, In: in, Where: somePredicate(r), Metrics: metrics[:1+r.IntN(len(metrics))]}
		for range r.IntN(4) {
			q.Steps = append(q.Steps, someTime(r))
		}
		slices.Sort(q.Steps)
		for range r.IntN(3) {
			q.Phases = append(q.Phases, someTime(r))
		}
		if len(q.Steps) < 3 {
			q.By = []filter.Field{filter.Browser, filter.Country, filter.Device}[len(q.Steps)]
		}
		slices.Sort(q.Phases)
		questions = append(questions, q)
	}
	return questions
}

// Whatever is written, in whatever order, columns answer as folding everything one by
// one does: cold and warm, in one process and in another, with what is stored and with
// hardly any memory.
func TestResults(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		t.Parallel()
		visitors, conversions, contaminated, unknown, matched := 0, 0, 0, 0, 0
		seeds := repeats(2, 3)
		for seed := range uint64(seeds) {
			r, users := rand.New(rand.NewPCG(seed, 90)), rand.New(rand.NewPCG(seed, 91))
			st, other := mustStore(t, url), mustStore(t, url)
			site := &model.Site{Name: "Shop", Domains: []string{fmt.Sprintf("s%d.example", seed)}, Timezone: "UTC"}
			if err := st.CreateSite(t.Context(), site); err != nil {
				t.Fatal(err)
			}
			d := definitions{}
			define := func() {
				some := someDefinitions(r)
				for _, key := range experimentKeys {
					x := some[key]
					x.ByUser = users.IntN(2) == 0
					d[key] = x
				}
			}
			define()
			options := engine.Options{Computer: order{}, Definitions: d}
			kept := []*engine.Engine{mustEngine(t, st, options), mustEngine(t, other, options)}
			options.ColumnBytes, options.ExperimentBytes = 50_000, 20_000
			kept = append(kept, mustEngine(t, other, options))
			options.ColumnBytes, options.ExperimentBytes = 0, 0
			scan := naive.New(st, order{}, d)
			for round := range 8 {
				batch := exposedVisits(r, 1+r.IntN(25), 4*24*4)
				logIn(users, batch, 3)
				if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
					t.Fatal(err)
				}
				if round%4 == 3 {
					if _, err := kept[0].SealBehind(t.Context(), site.ID, model.Open); err != nil {
						t.Fatal(err)
					}
				}
				if round%5 == 4 { // definitions are edited
					define()
				}
				questions := append(experimentQuestions(r, site.ID, d), experimentQuestions(r, site.ID, d)...)
				want, err := scan.Results(t.Context(), questions)
				if err != nil {
					t.Fatal(err)
				}
				counts := make([]count.Question, 4)
				for i := range counts {
					counts[i] = count.Question{Site: site.ID, In: someRange(r), Where: filter.Simplify(filtertest.RandomExprOf(r, leafOf)), Visitors: r.IntN(2) == 0, Value: "purchase"}
				}
				wantCounts, err := scan.Count(t.Context(), counts)
				if err != nil {
					t.Fatal(err)
				}
				list := count.SessionQuery{Site: site.ID, In: counts[0].In, Where: counts[0].Where, Limit: 5}
				wantList, err := scan.Sessions(t.Context(), list)
				if err != nil {
					t.Fatal(err)
				}
				for i, subject := range append(slices.Clone(kept), mustEngine(t, other, options), kept[0]) {
					got, err := subject.Results(t.Context(), questions)
					// On a busy machine plugins may take longer than a question waits.
					for err == nil && slices.ContainsFunc(got, func(a experiment.Answer) bool { return model.CodeOf(a.Err) == model.Unavailable }) {
						got, err = subject.Results(t.Context(), questions)
					}
					if err != nil {
						t.Fatal(err)
					}
					for n := range got {
						if !reflect.DeepEqual(got[n], want[n]) {
							t.Errorf("seed %d, round %d, subject %d: %+v\nis   %+v\nwant %+v", seed, round, i, questions[n], got[n], want[n])
						}
					}
					gotCounts, err := subject.Count(t.Context(), counts)
					if err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(gotCounts, wantCounts) {
						t.Errorf("seed %d, round %d, subject %d: %+v\nis   %+v\nwant %+v", seed, round, i, counts, gotCounts, wantCounts)
					}
					gotList, err := subject.Sessions(t.Context(), list)
					if err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(gotList, wantList) {
						t.Errorf("seed %d, round %d, subject %d: %+v\nlists %+v\nwant  %+v", seed, round, i, list, gotList, wantList)
					}
				}
				if t.Failed() {
					return
				}
				for _, answer := range want {
					contaminated, unknown = contaminated+answer.MultipleExposures, unknown+answer.Unknown
					for _, v := range answer.Variants {
						visitors += v.Visitors
						for _, m := range v.Metrics {
							conversions += m.Conversions
						}
					}
				}
				for i, answer := range wantCounts {
					if len(filter.Experiments(counts[i].Where)) > 0 {
						matched += answer.Sessions
					}
				}
			}
		}
		if visitors < 15*seeds || conversions < 10*seeds || contaminated < 5*seeds-5 || unknown < 15*seeds || matched < 30*seeds {
			t.Errorf("%d visitors, %d conversions, %d contaminated, %d unknown, %d sessions that match: it says little", visitors, conversions, contaminated, unknown, matched)
		}
	})
}

// A predicate that names an experiment which there is not, or one whose audience depends
// on itself, is an error of the question that has it; one that has not started has
// nobody.
func TestAssignedErrors(t *testing.T) {
	t.Parallel()
	st := mustStore(t, storetest.SQLite(t))
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := st.CreateSite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write(t.Context(), site.ID, exposedVisits(rand.New(rand.NewPCG(1, 1)), 100, 100)); err != nil {
		t.Fatal(err)
	}
	to := func(key string) filter.Expr { return filter.Assigned{Experiment: key, Variants: []string{"a"}} }
	run := model.Range{From: 0, To: model.Open}
	d := definitions{
		"headline": {Key: "headline", Run: run, Variants: []string{"a"}, Audience: filter.Bool(true)},
		"draft":    {Key: "draft", Variants: []string{"a"}, Audience: filter.Bool(true)},
		"ouro":     {Key: "ouro", Run: run, Variants: []string{"a"}, Audience: to("boros")},
		"boros":    {Key: "boros", Run: run, Variants: []string{"a"}, Audience: to("ouro")},
	}
	headline, _ := d.Experiment(t.Context(), site.ID, "headline")
	for name, subject := range map[string]answering{"scan": naive.New(st, nil, d), "columns": mustEngine(t, st, engine.Options{Definitions: d})} {
		var questions []count.Question
		for _, key := range []string{"headline", "draft", "unheard of", "ouro"} {
			questions = append(questions, count.Question{Site: site.ID, In: always, Where: to(key)})
		}
		answers, err := subject.Count(t.Context(), questions)
		if err != nil {
			t.Fatal(err)
		}
		if answers[0].Err != nil || answers[0].Sessions == 0 || answers[1].Err != nil || answers[1].Sessions != 0 {
			t.Errorf("%s: %+v", name, answers[:2])
		}
		for i, want := range []string{`the site has no experiment "unheard of"`, `the audience of the experiment "ouro" depends on the experiment itself; change its filters`} {
			if err := answers[2+i].Err; model.CodeOf(err) != model.BadInput || err.Error() != want {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
			if _, err := subject.Sessions(t.Context(), count.SessionQuery{Site: site.ID, In: always, Where: questions[2+i].Where, Limit: 1}); model.CodeOf(err) != model.BadInput {
				t.Errorf("%s: %v", name, err)
			}
			results, err := subject.Results(t.Context(), []experiment.Question{
				{Definition: headline, In: always, Where: questions[2+i].Where, Metrics: []experiment.Metric{{Where: filter.Bool(true)}}},
				{Definition: headline, In: always, Where: filter.Bool(true), Metrics: []experiment.Metric{{Where: filter.Bool(true)}}},
			})
			if err != nil || model.CodeOf(results[0].Err) != model.BadInput || results[1].Err != nil {
				t.Errorf("%s: %v %+v", name, err, results)
			}
		}
	}
}

// A question that is cancelled ends with the context's error.
func TestCancelledResults(t *testing.T) {
	t.Parallel()
	st := mustStore(t, storetest.SQLite(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := experiment.Question{Definition: experiment.Definition{Site: 1, Key: "x", Run: always, Variants: []string{"a"}, Audience: filter.Bool(true)}, In: always, Where: filter.Bool(true)}
	for _, subject := range []answering{naive.New(st, nil, nil), mustEngine(t, st, engine.Options{})} {
		if _, err := subject.Results(ctx, []experiment.Question{q}); err == nil {
			t.Error("a cancelled question answered")
		}
	}
}

// The same questions are answered rightly again and again while writes go to the newest
// day mostly, and to earlier ones at times: of what visitors did before it is kept what
// still holds.
func TestResultsAfterWrites(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		t.Parallel()
		r := rand.New(rand.NewPCG(7, 92))
		st := mustStore(t, url)
		site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
		if err := st.CreateSite(t.Context(), site); err != nil {
			t.Fatal(err)
		}
		x := experiment.Definition{Site: site.ID, Key: experimentKeys[0], Run: always, Variants: variantKeys[:3], Audience: filter.Bool(true)}
		ended := x
		ended.Run.To = (filtertest.Day + 3).Start() - 5*60*60*1000
		var questions []experiment.Question
		for n := range 8 {
			q := experiment.Question{Definition: x, Later: n%2 == 0, Before: n%4 < 2, In: always, Where: filter.Bool(true)}
			if n >= 4 {
				q.Definition, q.Where = ended, filter.Simplify(filtertest.RandomExpr(r))
			}
			q.Definition.ByUser = n%4 == 0 || n%4 == 3
			for len(q.Metrics) < 2 {
				if where := filter.Simplify(filtertest.RandomExpr(r)); where != filter.Expr(filter.Bool(false)) {
					q.Metrics = append(q.Metrics, experiment.Metric{Where: where, Value: []string{"", "purchase"}[n/2%2]})
				}
			}
			if n < 4 {
				q.Metrics[0].Where = filter.In{Field: filter.Events, Values: []string{"purchase"}}
			}
			questions = append(questions, q)
		}
		subject, scan := mustEngine(t, st, engine.Options{}), naive.New(st, nil, nil)
		conversions, rounds := 0, repeats(40, 80)
		for round := range rounds {
			const day = 24 * 60 * 60 * 1000
			batch := exposedVisits(r, 2, 1)
			for i := range batch {
				hit := &batch[i].Hit
				hit.At += day * model.Millis(2+2*round/rounds*2)
				if round%10 >= 8 {
					hit.At -= 2 * day
				}
				if round%5 == 4 { // to a day between on which nobody is assigned
					hit.At -= day
					hit.Experiment, hit.Variant = "", ""
				}
			}
			// Users log in on devices of all days, and on new ones of the newest.
			logIn(r, batch, 2)
			fresh := slices.Clone(batch[len(batch)/2:])
			for i := range fresh {
				fresh[i].Hit.ID = model.MessageIDOf(fmt.Sprint("fresh", round, i))
				fresh[i].Hit.Visitor = fmt.Sprint("fresh ", round)
				fresh[i].AnonymousID, fresh[i].UserID = fresh[i].Hit.Visitor, fmt.Sprint("user ", r.IntN(20))
			}
			batch = append(batch, fresh...)
			// One session is from the day before, and another one assigns its visitor earlier.
			midnight := (filtertest.Day + 4).Start()
			did := func(key string, minute model.Millis, kind model.HitKind, name, variant string) {
				hit := model.Hit{ID: model.MessageIDOf(fmt.Sprint(key, minute)), Visitor: "owl", SessionKey: key, At: midnight + minute*60*1000, Kind: kind, Name: name, Value: 3 * model.One, HasValue: name == "purchase"}
				if variant != "" {
					hit.Experiment, hit.Variant = experimentKeys[0], variant
				}
				batch = append(batch, model.Message{AnonymousID: hit.Visitor, Hit: hit})
			}
			switch round {
			case rounds * 5 / 8:
				did("k", -10, model.PageView, "/", "")
				did("k", 10, model.Event, "Experiment Viewed", "b")
				did("k", 12, model.Event, "purchase", "")
			case rounds * 3 / 4:
				did("l", 2, model.PageView, "/", "")
				did("l", 5, model.Event, "Experiment Viewed", "a")
			}
			if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
				t.Fatal(err)
			}
			want, err := scan.Results(t.Context(), questions)
			if err != nil {
				t.Fatal(err)
			}
			got, err := subject.Results(t.Context(), questions)
			if err != nil {
				t.Fatal(err)
			}
			for n := range got {
				if !reflect.DeepEqual(got[n], want[n]) {
					t.Fatalf("round %d: %+v\nis   %+v\nwant %+v", round, questions[n], got[n], want[n])
				}
				for _, v := range got[n].Variants {
					conversions += v.Metrics[0].Conversions
				}
			}
		}
		if kept := readingOf(t, subject, "measurements"); kept.Hits < int64(rounds) || kept.Misses < int64(rounds/2) || conversions < rounds*3 {
			t.Errorf("%d conversions; what is kept was found %d times, and %d times not: it says little", conversions, kept.Hits, kept.Misses)
		}
	})
}
