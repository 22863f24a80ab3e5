package experiment

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Units that follow changes, some at a time, say what all changes together do, and what has changed since older ones.
func TestUnits(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	all, older := map[int64]int64{}, map[*units]map[int64]int64{}
	u := &units{base: &userVisitors{}, newer: map[int64]int64{}}
	merged, told := 0, 0
	for round := range 40 {
		older[u] = maps.Clone(all)
		changes := make([]store.VisitorUser, 0, 300)
		for _, visitor := range r.Perm(5000)[:r.IntN(300)] {
			one := store.VisitorUser{Visitor: int64(visitor), User: fmt.Sprint(r.IntN(2000))}
			changes, all[one.Visitor] = append(changes, one), UserNumber(one.User)
		}
		next := u.with(changes, store.Revision{Number: int64(round + 1), Write: 1})
		if next.base != u.base {
			merged++
		}
		u = next
		for visitor := range int64(5001) {
			want, found := all[visitor]
			if !found {
				want = visitor
			}
			if got := u.of(visitor); got != want {
				t.Fatalf("round %d: visitor %d is of unit %d, want %d", round, visitor, got, want)
			}
		}
	}
	for then, before := range older {
		changes, known := u.since(then)
		if known != (then.base == u.base) {
			t.Fatalf("what changed since %v is known: %t", then.revision, known)
		}
		if !known {
			continue
		}
		told++
		for _, c := range changes {
			if from, found := before[c.visitor]; found && from == c.now && len(changes) == 1 {
				t.Errorf("visitor %d changed from %d to itself", c.visitor, from)
			}
			before[c.visitor] = c.now
		}
		if !maps.Equal(before, all) {
			t.Errorf("what changed since %v leads elsewhere", then.revision)
		}
	}
	if merged < 2 || told < 2 {
		t.Errorf("merged %d times, told %d times: it says little", merged, told)
	}
	if UserNumber("a") >= 0 || UserNumber("a") == UserNumber("b") {
		t.Error("the numbers of users are not below 0, or not their own")
	}
}

// What sealed partitions say of visitors holds for newer units unless a visitor left one of theirs, or came to one and was there before.
func TestIndexHoldsFor(t *testing.T) {
	t.Parallel()
	const day model.Day = 20_000
	user := UserNumber("u")
	old := (&units{base: &userVisitors{}, newer: map[int64]int64{}}).with([]store.VisitorUser{{Visitor: 1, User: "u"}}, store.Revision{Number: 1, Write: 1})
	x := newIndex(&Definition{}, old, make([]store.Partition, 2), newVisitors([]assignee{{visitor: user}, {visitor: 7}}), nil)
	for name, test := range map[string]struct {
		change store.VisitorUser
		holds  bool
	}{
		"a device that is new":              {store.VisitorUser{Visitor: 2, User: "u", FirstAt: day.Start()}, true},
		"a device that did nothing":         {store.VisitorUser{Visitor: 2, User: "u", FirstAt: model.Open}, true},
		"a device that was there before":    {store.VisitorUser{Visitor: 2, User: "u", FirstAt: day.Start() - 1}, false},
		"a device of somebody else":         {store.VisitorUser{Visitor: 2, User: "v", FirstAt: day.Start() - 1}, true},
		"a device that becomes another's":   {store.VisitorUser{Visitor: 1, User: "v", FirstAt: day.Start()}, false},
		"a visitor that becomes somebody":   {store.VisitorUser{Visitor: 7, User: "v", FirstAt: day.Start()}, false},
		"a user that is the same as before": {store.VisitorUser{Visitor: 1, User: "u", FirstAt: 1}, true},
	} {
		if newer := old.with([]store.VisitorUser{test.change}, store.Revision{Number: 2, Write: 2}); x.holdsFor(newer, day) != test.holds {
			t.Errorf("%s: it holds: %t", name, !test.holds)
		}
	}
	if x.holdsFor(nil, day) || x.holdsFor(&units{base: &userVisitors{}}, day) {
		t.Error("it holds for other units")
	}
}
