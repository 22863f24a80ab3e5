package plugins

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestChoiceMerge(t *testing.T) {
	values := Globs{None: "(direct)", Lower: true}
	for _, test := range []struct {
		active, goal, want Choice
		err                error
	}{
		{Choice{Is: []string{"a", "b"}}, Choice{Is: []string{"B", "c"}}, Choice{Is: []string{"b"}}, nil},
		{Choice{Is: []string{"a"}}, Choice{Is: []string{"b"}}, Choice{}, ErrEmpty},
		{Choice{Is: []string{"a*", "b"}}, Choice{Is: []string{"aa", "ab*"}}, Choice{Is: []string{"aa", "ab*"}}, nil},
		{Choice{Is: []string{"a*"}}, Choice{Is: []string{"*b"}}, Choice{}, ErrBoth},
		{Choice{Is: []string{"a*"}}, Choice{IsNot: []string{"ab"}}, Choice{Is: []string{"a*"}, IsNot: []string{"ab"}}, nil},
		{Choice{Is: []string{"a*"}}, Choice{IsNot: []string{"b"}}, Choice{Is: []string{"a*"}}, nil},
		{Choice{Is: []string{"ab*"}}, Choice{IsNot: []string{"a*"}}, Choice{}, ErrEmpty},
		{Choice{Is: []string{"a*", "c"}}, Choice{IsNot: []string{"a*"}}, Choice{Is: []string{"c"}}, nil},
		{Choice{IsNot: []string{"a"}}, Choice{IsNot: []string{"b", "a"}}, Choice{IsNot: []string{"a", "b"}}, nil},
		{Choice{Is: []string{"*"}}, Choice{IsNot: []string{"(direct)"}}, Choice{Is: []string{"*"}}, nil},
		{Choice{Is: []string{"*direct*"}}, Choice{Is: []string{"(direct)"}}, Choice{}, ErrEmpty},
	} {
		got, err := test.active.Merge(test.goal, values)
		if !errors.Is(err, test.err) || !slices.Equal(got.Is, test.want.Is) || !slices.Equal(got.IsNot, test.want.IsNot) {
			t.Errorf("%v and %v: %v, %v; want %v, %v", test.active, test.goal, got, err, test.want, test.err)
		}
	}
}

// Merges whose answer would take long, or would be no filter's arguments, keep both.
func TestChoiceMergeIsBounded(t *testing.T) {
	list := func(format string, from int) []string {
		var list []string
		for i := range MaxValues {
			list = append(list, strings.ReplaceAll(format, "N", strconv.Itoa(from+i)))
		}
		return list
	}
	for name, pair := range map[string][2]Choice{
		"globs":        {{Is: list("N*", 1000)}, {Is: list("*N", 1000)}},
		"long isNot":   {{IsNot: list("N", 0)}, {IsNot: list("N", 5000)}},
		"globs in not": {{Is: list("N*", 1000)}, {IsNot: list("N", 1000)}},
	} {
		if _, err := pair[0].Merge(pair[1], Globs{}); err != ErrBoth {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSpanMerge(t *testing.T) {
	n := func(i int) *int { return &i }
	for _, test := range []struct {
		active, goal Span[int]
		want         string
	}{
		{Span[int]{n(5), n(30)}, Span[int]{n(17), n(49)}, "L 17–30 s"},
		{Span[int]{Min: n(5)}, Span[int]{Max: n(9)}, "L 5–9 s"},
		{Span[int]{Min: n(5)}, Span[int]{Min: n(9)}, "L at least 9 s"},
		{Span[int]{Max: n(5)}, Span[int]{Max: n(9)}, "L at most 5 s"},
		{Span[int]{n(5), n(9)}, Span[int]{n(9), n(12)}, "L 9 s"},
		{Span[int]{n(-5), n(9)}, Span[int]{n(-9), nil}, "L -5 to 9 s"},
	} {
		got, err := test.active.Merge(test.goal)
		if err != nil || got.Label("L", "s") != test.want {
			t.Errorf("%s, %v; want %s", got.Label("L", "s"), err, test.want)
		}
	}
	if _, err := (Span[int]{n(5), n(10)}).Merge(Span[int]{n(17), n(49)}); err != ErrEmpty {
		t.Error(err)
	}
}

func TestLabels(t *testing.T) {
	for want, got := range map[string]string{
		"a": OneOf([]string{"a"}), "a or b": OneOf([]string{"a", "b"}), "a, b and c": AllOf([]string{"a", "b", "c"}),
		"1, 2, 3, 4, 5, 6, 7, 8 or 92 more": OneOf(hundred()),
		"Paid: key k, list a or b, min 2":   describe("Paid", decoded{Key: "k", List: []string{"a", "b"}, Span: Span[float64]{Min: new(2.0)}}),
		"Paid":                              describe("Paid", decoded{}),
		"a is b and is not c":               Choice{Is: []string{"b"}, IsNot: []string{"c"}}.Label("a"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func hundred() []string {
	var list []string
	for i := range 100 {
		list = append(list, strconv.Itoa(i+1))
	}
	return list
}
