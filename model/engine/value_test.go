package engine_test

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// payments are messages of visitors with values, one session a visitor and day, and what
// these come to by math/big.
type payments struct {
	messages []model.Message
	sums     []*big.Rat          // of the sessions
	variants map[string]*big.Rat // of the variants' visitors
}

func randomPayments(t *testing.T, r *rand.Rand, visitors int) payments {
	t.Helper()
	p := payments{variants: map[string]*big.Rat{"a": new(big.Rat), "b": new(big.Rat)}}
	for v := range visitors {
		visitor, variant := fmt.Sprint("visitor ", v), []string{"a", "b"}[v%2]
		add := func(at model.Millis, hit model.Hit) {
			hit.ID, hit.Visitor, hit.At, hit.Kind = model.MessageIDOf(visitor, fmt.Sprint(len(p.messages))), visitor, at, model.Event
			p.messages = append(p.messages, model.Message{AnonymousID: visitor, Hit: hit})
		}
		for day := range model.Day(1 + r.IntN(3)) {
			at, sum := (filtertest.Day+day).Start()+model.Millis(v)*1000, new(big.Rat)
			if day == 0 {
				add(at, model.Hit{Name: "Experiment Viewed", Experiment: "x", Variant: variant})
			}
			for range 1 + r.IntN(6) {
				at += model.Millis(r.IntN(60_000))
				text := []string{
					"10.10", "20.20", "0.1", "-0.3", "0.000001", "1e-6", "8999999999999.999999", "-8e12", "123456.789012",
					fmt.Sprintf("%d.%02d", r.IntN(1000), r.IntN(100)), fmt.Sprintf("%d.%06d", r.IntN(1000), r.IntN(1_000_000)),
				}[r.IntN(11)]
				value, err := model.ParseDecimal(text)
				if err != nil {
					t.Fatal(err)
				}
				exact, _ := new(big.Rat).SetString(text)
				sum.Add(sum, exact)
				add(at, model.Hit{Name: "buy", Value: value, HasValue: true})
			}
			p.sums = append(p.sums, sum)
			p.variants[variant].Add(p.variants[variant], sum)
		}
	}
	return p
}

// Sums are those of math/big on every engine, in whatever order messages came, and ranges
// of values hold for exactly the sessions whose sum lies in them.
func TestValuesAreExact(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		r := rand.New(rand.NewPCG(49, 99))
		st := mustStore(t, url)
		engines := enginesOf(t)
		for order := range 3 {
			p := randomPayments(t, r, 25)
			site := &model.Site{Name: "Shop", Domains: []string{fmt.Sprintf("s%d.example", order)}, Timezone: "UTC"}
			if err := st.CreateSite(t.Context(), site); err != nil {
				t.Fatal(err)
			}
			switch order {
			case 1:
				slices.Reverse(p.messages)
			case 2:
				r.Shuffle(len(p.messages), func(i, j int) { p.messages[i], p.messages[j] = p.messages[j], p.messages[i] })
			}
			for batch := range slices.Chunk(p.messages, 1+r.IntN(50)) {
				if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range slices.Sorted(maps.Keys(engines)) {
				subject, err := engines[name](st)
				if err != nil {
					t.Fatal(err)
				}
				p.check(t, r, name, site.ID, subject)
			}
		}
	})
}

func (p *payments) check(t *testing.T, r *rand.Rand, name string, site int64, subject answering) {
	t.Helper()
	var questions []count.Question
	var wants []count.Answer
	for range 30 {
		// An end as people write it: of at most 15 digits.
		end := p.sums[r.IntN(len(p.sums))]
		text := strings.TrimRight(strings.TrimRight(end.FloatString(6), "0"), ".")
		if len(strings.Trim(text, "-.")) > 15 {
			text = []string{"30.30", "0", "1e13"}[r.IntN(3)]
			end, _ = new(big.Rat).SetString(text)
		}
		total, want := new(big.Rat), count.Answer{Steps: []int{}}
		where, in := fmt.Sprintf(`(range value["buy"] %s _)`, text), func(sum *big.Rat) bool { return sum.Cmp(end) >= 0 }
		if r.IntN(2) == 0 {
			where, in = fmt.Sprintf(`(range value["buy"] _ %s)`, text), func(sum *big.Rat) bool { return sum.Cmp(end) <= 0 }
		}
		for _, sum := range p.sums {
			if in(sum) {
				want.Sessions++
				total.Add(total, sum)
			}
		}
		want.Value = mustSum(t, total)
		questions = append(questions, count.Question{Site: site, In: always, Where: mustPredicate(t, where), Value: "buy"})
		wants = append(wants, want)
	}
	answers, err := subject.Count(t.Context(), questions)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range answers {
		if got.Err != nil || got.Sessions != wants[i].Sessions || got.Value != wants[i].Value {
			t.Errorf("%s: %s: %d sessions, value %v, %v; want %d and %v", name, questions[i].Where, got.Sessions, got.Value, got.Err, wants[i].Sessions, wants[i].Value)
		}
	}
	variants := []string{"a", "b"}
	results, err := subject.Results(t.Context(), []experiment.Question{{
		Definition: experiment.Definition{Site: site, Key: "x", Variants: variants, Audience: filter.Bool(true), Run: model.Range{From: filtertest.Day.Start(), To: model.Open}},
		Later:      true, In: always, Where: filter.Bool(true), Metrics: []experiment.Metric{{Where: mustPredicate(t, `(in events "buy")`), Value: "buy"}},
	}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	for i, variant := range variants {
		if got, want := results[0].Variants[i].Metrics[0].Total, mustSum(t, p.variants[variant]); got != want {
			t.Errorf("%s: the visitors of %s came to %v, want %v", name, variant, got, want)
		}
	}
}

func mustSum(t *testing.T, exact *big.Rat) model.Sum {
	t.Helper()
	sum, err := model.ParseSum(exact.FloatString(6))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
