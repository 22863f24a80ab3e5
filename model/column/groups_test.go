package column

import (
	"errors"
	"slices"
	"testing"

	"github.com/bits-and-blooms/bitset"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Pairs are taken while they are found: a crossing of more than there is room for ends early. Groups that hardly meet are
// crossed, however many there are, and so are those that meet in sessions that nobody asks about.
func TestCrossIsBounded(t *testing.T) {
	t.Parallel()
	groups := func(n, ordinal int) *Groups {
		g := &Groups{ordinals: 2, n: n, name: func(int) Name { return Name{} }, lists: make([][]uint32, n)}
		for i := range g.lists {
			g.lists[i] = []uint32{uint32(ordinal)}
		}
		return g
	}
	single := func(n int) *Groups {
		g := &Groups{ordinals: n, n: n, name: func(int) Name { return Name{} }}
		for i := range n {
			g.of = append(g.of, uint32(i))
		}
		return g
	}
	const many, room = 1 << 9, 1 << 20
	all := func(n uint) Set { return bitset.New(n).Complement() }
	full := errors.New("full")
	for _, test := range []struct {
		name  string
		a, b  *Groups
		among Set
		err   error
		pairs int
	}{
		{"of one session", groups(many, 0), groups(many, 0), all(2), full, 0},
		{"of none", groups(many, 0), groups(many, 1), all(2), nil, 0},
		{"of a session that is not asked about", groups(many, 0), groups(many, 0), bitset.New(2).Set(1), nil, 0},
		{"of many sessions", single(1 << 16), single(1 << 16), all(1 << 16), full, 0},
		{"of a few", single(1 << 16), single(1 << 16), bitset.New(1 << 16).Set(7).Set(9), nil, 2},
	} {
		taken := 0
		crossed, err := Cross(test.a, test.b, test.among, func(bytes int) error {
			if taken += bytes; taken > room {
				return full
			}
			return nil
		})
		if err != test.err || err == nil && crossed.Len() != test.pairs || taken > 2*room {
			t.Errorf("%s: %v after %d bytes", test.name, err, taken)
		}
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
		crossed, err := Cross(test.a, test.b, columns.Counting(), func(int) error { return nil })
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
