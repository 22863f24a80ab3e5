package column

import (
	"slices"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// More pairs than there is room for are refused. Groups that hardly meet are crossed, however many there are.
func TestCrossIsBounded(t *testing.T) {
	t.Parallel()
	lists := func(n, ordinal int) *Groups {
		g := &Groups{ordinals: 2, n: n, name: func(int) Name { return Name{} }, lists: make([][]uint32, n)}
		for i := range g.lists {
			g.lists[i] = []uint32{uint32(ordinal)}
		}
		return g
	}
	const many = 1<<9 + 1 // of which the square is too many
	if _, err := Cross(lists(many, 0), lists(many, 0)); model.CodeOf(err) != model.ResourceExhausted {
		t.Errorf("%d times %d pairs: %v", many, many, err)
	}
	if crossed, err := Cross(lists(many, 0), lists(many, 1)); err != nil || crossed.Len() != 0 {
		t.Errorf("%d pairs, %v", crossed.Len(), err)
	}
}

// Pairs are named in the order in which they are crossed, whichever of the two has several values.
func TestCrossNames(t *testing.T) {
	t.Parallel()
	columns := New()
	for i, session := range []model.Session{
		{Pages: []string{"/", "/a"}, Origin: model.Origin{Country: "RO"}}, {Pages: []string{"/"}}, {Origin: model.Origin{Country: "RO"}}, {Pages: []string{"/a"}, Origin: model.Origin{Country: "RO"}},
	} {
		session.ID.Ordinal = int32(i)
		columns.Put(&session)
	}
	columns.Drop(3) // which counts nowhere any more
	pages, countries := columns.GroupsOf(filter.Pages), columns.GroupsOf(filter.Country)
	for _, test := range []struct {
		a, b *Groups
		want []Name
	}{
		{pages, countries, []Name{{"", "RO"}, {"/", ""}, {"/", "RO"}, {"/a", "RO"}}},
		{countries, pages, []Name{{"", "/"}, {"RO", ""}, {"RO", "/"}, {"RO", "/a"}}},
		{countries, columns.GroupsOf(filter.Property("plan")), []Name{{"", ""}, {"RO", ""}}},
	} {
		crossed, err := Cross(test.a, test.b)
		if err != nil {
			t.Fatal(err)
		}
		counts := make([]int64, crossed.Len())
		crossed.Count(columns.Counting(), counts)
		var got []Name
		for group, n := range counts {
			if n > 0 {
				got = append(got, crossed.Name(group))
			}
		}
		slices.SortFunc(got, func(a, b Name) int { return slices.Compare(a[:], b[:]) })
		if !slices.Equal(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
