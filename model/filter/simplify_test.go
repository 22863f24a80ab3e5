package filter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
)

func TestSimplify(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		// constants
		{`(and)`, `true`},
		{`(or)`, `false`},
		{`(not true)`, `false`},
		{`(and true (in os "a") true)`, `(in os "a")`},
		{`(and (in os "a") false)`, `false`},
		{`(or false (in os "a"))`, `(in os "a")`},
		{`(or (in os "a") true)`, `true`},
		{`(not (not (in os "a")))`, `(in os "a")`},
		// flat, sorted, distinct
		{`(and (in os "a") (and (in browser "b") (and (in country "c"))))`, `(and (in browser "b") (in country "c") (in os "a"))`},
		{`(or (in os "a") (or (in browser "b") (in browser "a")))`, `(or (in browser "a" "b") (in os "a"))`},
		{`(and (glob os "b*") (glob os "a*") (glob os "b*"))`, `(and (glob os "a*") (glob os "b*"))`},
		{`(and (or (in os "a") (in browser "b")) (or (in browser "b") (in os "a")))`, `(or (in browser "b") (in os "a"))`},
		// opposites
		{`(and (glob os "a*") (not (glob os "a*")))`, `false`},
		{`(or (glob os "a*") (not (glob os "a*")))`, `true`},
		{`(or (in tags "a") (not (in tags "a")))`, `true`},
		// values
		{`(in os)`, `false`},
		{`(in os "b" "a" "b" "")`, `(in os "" "a" "b")`},
		{`(and (in os "a" "b") (in os "b" "c"))`, `(in os "b")`},
		{`(and (in os "a") (in os "c"))`, `false`},
		{`(and (in os "a") (in os "b") (in os "a" "b"))`, `false`},
		{`(or (in os "c" "a") (in os "b") (in os "a"))`, `(in os "a" "b" "c")`},
		{`(and (in tags "a") (in tags "b"))`, `(and (in tags "a") (in tags "b"))`},
		{`(or (in tags "b") (in tags "a"))`, `(in tags "a" "b")`},
		{`(and (in property["a"] "x") (in property["b"] "x"))`, `(and (in property["a"] "x") (in property["b"] "x"))`},
		// values and excluded values
		{`(and (in country "RO" "US") (not (in country "US")))`, `(in country "RO")`},
		{`(and (not (in country "US")) (in country "US"))`, `false`},
		{`(and (not (in country "US")) (in country "RO"))`, `(in country "RO")`},
		{`(and (not (in country "US")) (not (in country "RO")))`, `(not (in country "RO" "US"))`},
		{`(or (not (in country "US" "DE")) (not (in country "RO" "US")))`, `(not (in country "US"))`},
		{`(or (not (in country "US")) (not (in country "RO")))`, `true`},
		{`(and (not (in tags "a")) (not (in tags "b")))`, `(not (in tags "a" "b"))`},
		{`(or (not (in tags "a")) (not (in tags "b")))`, `(or (not (in tags "a")) (not (in tags "b")))`},
		{`(and (in tags "a" "b") (not (in tags "b")))`, `(and (in tags "a") (not (in tags "b")))`},
		{`(and (in tags "a" "b") (not (in tags "b" "a")))`, `false`},
		{`(or (in tags "a") (not (in tags "a" "b")))`, `(or (in tags "a") (not (in tags "b")))`},
		// groups: Not stands around leaves alone
		{`(not (and (in os "a") (in tags "b")))`, `(or (not (in os "a")) (not (in tags "b")))`},
		{`(not (or (glob os "a*") (not (in tags "b"))))`, `(and (in tags "b") (not (glob os "a*")))`},
		{`(or (not (range length 1 5)) (not (range length 3 8)))`, `(not (range length 3 5))`},
		// groups that the other parts imply, or of which they leave something open
		{`(and (in tags "a") (or (in tags "a") (glob os "b*")))`, `(in tags "a")`},
		{`(or (in tags "a") (and (in tags "a") (glob os "b*")))`, `(in tags "a")`},
		{`(and (not (in tags "a")) (or (in tags "a") (glob os "b*")))`, `(and (glob os "b*") (not (in tags "a")))`},
		{`(or (not (in tags "a")) (and (in tags "a") (glob os "b*")))`, `(or (glob os "b*") (not (in tags "a")))`},
		{`(and (in country "RO" "US") (or (in country "DE" "FR") (in tags "a")))`, `(and (in country "RO" "US") (in tags "a"))`},
		{`(and (in country "RO") (or (in country "RO" "FR") (in tags "a")))`, `(in country "RO")`},
		{`(and (not (in country "RO")) (or (in country "RO") (in tags "a")))`, `(and (in tags "a") (not (in country "RO")))`},
		{`(and (range length 5 9) (or (range length 1 4) (in tags "a")))`, `(and (in tags "a") (range length 5 9))`},
		{`(and (range length 5 9) (or (not (range length 1 4)) (in tags "a")))`, `(range length 5 9)`},
		{`(and (range length 5 9) (or (not (range length 1 14)) (in tags "a")))`, `(and (in tags "a") (range length 5 9))`},
		{`(and (assigned "x" "a") (or (assigned "x" "b") (in tags "a")))`, `(and (assigned "x" "a") (in tags "a"))`},
		{`(and (in tags "a") (or (not (in tags "a")) (in os "b")) (or (not (in os "b")) (in os "c")))`, `false`},
		// groups that exclude each other
		{`(and (or (in tags "a") (in os "b")) (not (in tags "a")) (not (in os "b")))`, `false`},
		{`(and (or (and (in tags "a") (in os "b")) (and (in tags "c") (in os "d"))) (not (or (and (in tags "a") (in os "b")) (and (in tags "c") (in os "d")))))`, `false`},
		{`(or (and (in tags "a") (in os "b")) (not (and (in tags "a") (in os "b"))))`, `true`},
		{`(and (in tags "a") (or (and (not (in tags "a")) (in os "b")) (and (in os "c") (not (in tags "a")))))`, `false`},
		// globs
		{`(glob os "")`, `false`},
		{`(glob os "*")`, `(not (in os ""))`},
		{`(glob os "***")`, `(not (in os ""))`},
		{`(not (glob os "**"))`, `(in os "")`},
		{`(glob os "abc")`, `(in os "abc")`},
		{`(glob os "a***b**")`, `(glob os "a*b*")`},
		{`(and (glob os "abc") (in os "x"))`, `false`},
		// blocks
		{`(within ip)`, `false`},
		{`(within ip 10.1.0.0/16 10.0.0.0/8 9.0.0.0/8 10.0.0.0/8)`, `(within ip 9.0.0.0/8 10.0.0.0/8)`},
		{`(within ip ::/0 0.0.0.0/0)`, `(within ip 0.0.0.0/0 ::/0)`},
		// ranges
		{`(range length _ _)`, `true`},
		{`(range value["p"] _ _)`, `(range value["p"] _ _)`},
		{`(range length 2 1)`, `false`},
		{`(range length -0 1e3)`, `(range length 0 1000)`},
		{`(and (range length 5000 30000) (range length 17000 49000))`, `(range length 17000 30000)`},
		{`(and (range length 5000 10000) (range length 17000 49000) (in os "a"))`, `false`},
		{`(and (range length 1 _) (range length _ 2) (range pageViews 1 1))`, `(and (range length 1 2) (range pageViews 1 1))`},
		{`(or (range length 1 2) (range length 2 3))`, `(or (range length 1 2) (range length 2 3))`},
		// assignments: of a visitor there is one at most
		{`(assigned "x")`, `false`},
		{`(assigned "x" "")`, `false`},
		{`(assigned "x" "b" "a" "" "b")`, `(assigned "x" "a" "b")`},
		{`(and (assigned "x" "a" "b") (assigned "x" "b" "c"))`, `(assigned "x" "b")`},
		{`(and (assigned "x" "a") (assigned "x" "b"))`, `false`},
		{`(and (assigned "x" "a") (assigned "y" "a"))`, `(and (assigned "x" "a") (assigned "y" "a"))`},
		{`(or (assigned "x" "b") (assigned "x" "a"))`, `(assigned "x" "a" "b")`},
		{`(and (assigned "x" "a" "b") (not (assigned "x" "b")))`, `(assigned "x" "a")`},
		{`(and (assigned "x" "a") (not (assigned "x" "a" "b")))`, `false`},
		{`(and (not (assigned "x" "a")) (not (assigned "x" "b")))`, `(not (assigned "x" "a" "b"))`},
		{`(or (not (assigned "x" "a")) (not (assigned "x" "b")))`, `true`},
		{`(or (assigned "x" "a") (not (assigned "x" "a" "b")))`, `(not (assigned "x" "b"))`},
		{`(not (not (assigned "x" "a")))`, `(assigned "x" "a")`},
		{`(and (in property["x"] "a") (assigned "x" "a"))`, `(and (assigned "x" "a") (in property["x"] "a"))`},
	} {
		if got := filter.Simplify(mustParse(t, test.text)).String(); got != test.want {
			t.Errorf("Simplify(%s)\n got %s\nwant %s", test.text, got, test.want)
		}
	}
}

func TestSimplifyImpossibleRange(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, r := range []filter.Range{
		{Field: filter.Length, Min: inf, Max: inf}, {Field: filter.Length, Min: -inf, Max: -inf},
		{Field: filter.Length, Min: nan, Max: 1}, {Field: filter.Length, Min: 1, Max: nan}, {Field: filter.Length, Min: nan, Max: inf},
	} {
		if got := filter.Simplify(r); got != filter.Expr(filter.Bool(false)) {
			t.Errorf("Simplify(%v..%v) is %s, want false", r.Min, r.Max, got)
		}
		// What is printed must not mean more than what is matched.
		if got := filter.Simplify(mustParse(t, r.String())); got != filter.Expr(filter.Bool(false)) {
			t.Errorf("%v..%v prints %s, which is not empty", r.Min, r.Max, r)
		}
	}
}

// Simplified, a predicate matches the same sessions, is in its simplest form,
// and does not depend on the order of parts and values.
func TestSimplifyRandomly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matches, evaluated := 0, 0
	for range 8_000 {
		e := randomExpr(r)
		before := e.String()
		simple := filter.Simplify(e)
		if e.String() != before {
			t.Fatalf("Simplify changed its argument\nfrom %s\n  to %s", before, e)
		}
		if again := filter.Simplify(simple); again.String() != simple.String() {
			t.Fatalf("%s\nsimplified       %s\nsimplified again %s", e, simple, again)
		}
		if other := filter.Simplify(permuted(r, e)); other.String() != simple.String() {
			t.Fatalf("%s\nsimplified               %s\npermuted and simplified  %s", e, simple, other)
		}
		if twice := filter.Simplify(filter.Not{Expr: filter.Not{Expr: e}}); twice.String() != simple.String() {
			t.Fatalf("%s\nsimplified      %s\nits Not's Not   %s", e, simple, twice)
		}
		if none := filter.Simplify(filter.And{e, filter.Not{Expr: e}}); none != filter.Expr(filter.Bool(false)) {
			t.Fatalf("%s\nand its opposite are %s", e, none)
		}
		if all := filter.Simplify(filter.Or{e, filter.Not{Expr: e}}); all != filter.Expr(filter.Bool(true)) {
			t.Fatalf("%s\nor its opposite are %s", e, all)
		}
		for range 5 {
			session := filtertest.RandomSession(r)
			got, want := simple.Match(&session), e.Match(&session)
			if got != want {
				t.Fatalf("%s\nmatches %v, simplified to\n%s\n%v, for %+v", e, want, simple, got, session)
			}
			evaluated++
			if want {
				matches++
			}
		}
	}
	// A vocabulary in which next to nothing matches would prove nothing.
	if share := float64(matches) / float64(evaluated); share < 0.2 || share > 0.8 {
		t.Errorf("%.0f %% of the sessions match", 100*share)
	}
}

// permuted returns the predicate with the parts of each And and Or, and the
// values of each leaf, in another order, some of them twice, some And and Or nested.
func permuted(r *rand.Rand, e filter.Expr) filter.Expr {
	list := func(parts []filter.Expr) []filter.Expr {
		shuffled := make([]filter.Expr, 0, len(parts))
		for _, part := range parts {
			shuffled = append(shuffled, permuted(r, part))
			if r.IntN(4) == 0 {
				shuffled = append(shuffled, permuted(r, part))
			}
		}
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		return shuffled
	}
	switch e := e.(type) {
	case filter.And:
		parts := list(e)
		at := r.IntN(len(parts) + 1)
		return append(filter.And{filter.And(slices.Clone(parts[:at]))}, parts[at:]...)
	case filter.Or:
		parts := list(e)
		at := r.IntN(len(parts) + 1)
		return append(filter.Or{filter.Or(slices.Clone(parts[:at]))}, parts[at:]...)
	case filter.Not:
		return filter.Not{Expr: permuted(r, e.Expr)}
	case filter.In:
		e.Values = slices.Clone(e.Values)
		r.Shuffle(len(e.Values), func(i, j int) { e.Values[i], e.Values[j] = e.Values[j], e.Values[i] })
		return e
	case filter.Within:
		e.Blocks = slices.Clone(e.Blocks)
		r.Shuffle(len(e.Blocks), func(i, j int) { e.Blocks[i], e.Blocks[j] = e.Blocks[j], e.Blocks[i] })
		return e
	case filter.Assigned:
		e.Variants = slices.Clone(e.Variants)
		r.Shuffle(len(e.Variants), func(i, j int) { e.Variants[i], e.Variants[j] = e.Variants[j], e.Variants[i] })
		return e
	}
	return e
}

// randomExpr returns a predicate of leaves of every kind but Computed.
func randomExpr(r *rand.Rand) filter.Expr {
	return filtertest.RandomExprOf(r, func(r *rand.Rand) filter.Expr {
		if r.IntN(5) == 0 {
			return filtertest.RandomAssigned(r)
		}
		return filtertest.RandomLeaf(r)
	})
}

// A predicate as long as Parse takes it is simplified in no time.
func TestSimplifyLongPredicates(t *testing.T) {
	for name, part := range map[string]func(i int) string{
		"values":   func(i int) string { return fmt.Sprintf(`(in os "%d")`, i) },
		"excluded": func(i int) string { return fmt.Sprintf(`(not (in os "%d"))`, i) },
		"variants": func(i int) string { return fmt.Sprintf(`(assigned "x" "%d")`, i) },
		"globs":    func(i int) string { return fmt.Sprintf(`(glob os "%d*")`, i) },
		"groups": func(i int) string {
			return fmt.Sprintf(`(or (not (in tags "%d")) (and (in tags "%d") (glob os "%d*")))`, i, i+1, i)
		},
		"globs and their opposites": func(i int) string {
			if i%2 == 0 {
				return fmt.Sprintf(`(not (glob os "%d*"))`, i)
			}
			return fmt.Sprintf(`(glob os "%d*")`, i)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, head := range []string{"(and ", "(or "} {
				var text strings.Builder
				text.WriteString(head)
				for i := 0; text.Len() < filter.MaxText-100; i++ {
					text.WriteString(part(i))
				}
				text.WriteString(")")
				within(t, 10*time.Second, func() { filter.Simplify(mustParse(t, text.String())) })
			}
		})
	}
}

// within fails the test where do takes longer; limits leave room for a loaded
// machine and the race detector, and none for quadratic time.
func within(t *testing.T, limit time.Duration, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	if took := time.Since(begin); took > limit {
		t.Errorf("took %v, more than %v", took, limit)
	}
}

func mustParse(tb testing.TB, text string) filter.Expr {
	tb.Helper()
	e, err := filter.Parse(text)
	if err != nil {
		tb.Fatalf("%.200s: %v", text, err)
	}
	return e
}
