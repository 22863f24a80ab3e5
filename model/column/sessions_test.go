package column

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
)

// random returns columns of random sessions, some of them put in the places of others and some
// dropped, and those of them that count, by ordinal.
func random(r *rand.Rand, n int) (*Sessions, map[int]model.Session) {
	columns, sessions := New(), map[int]model.Session{}
	for range n {
		ordinal := r.IntN(n)
		if r.IntN(6) == 0 {
			columns.Drop(int32(ordinal))
			delete(sessions, ordinal)
			continue
		}
		session := filtertest.RandomSession(r)
		session.ID.Ordinal, session.Visitor = int32(ordinal), int64(1+r.IntN(20))
		columns.Put(&session)
		sessions[ordinal] = session
	}
	return columns, sessions
}

func check(t *testing.T, columns *Sessions, sessions map[int]model.Session, where filter.Expr) {
	t.Helper()
	matched, err := columns.Match(Prepare(where), Memo{})
	if err != nil {
		t.Fatal(err)
	}
	for ordinal := range columns.n {
		session, counts := sessions[ordinal]
		if want := counts && where.Match(&session); matched.Test(uint(ordinal)) != want {
			t.Fatalf("%v: ordinal %d of %d is %v, want %v: %+v", where, ordinal, columns.n, !want, want, session)
		}
	}
	if int(matched.Count()) > len(sessions) {
		t.Fatalf("%v matches ordinals beyond the partition", where)
	}
}

// predicate returns a random predicate over what is a column.
func predicate(r *rand.Rand) filter.Expr {
	for {
		where := filtertest.RandomExpr(r)
		if !filter.Uses(where, filter.Visitor) && len(filter.Computations(where))+len(filter.Experiments(where)) == 0 {
			return where
		}
	}
}

func TestMatch(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 11))
		columns, sessions := random(r, 1+r.IntN(1500)) // more than few of them
		for range 30 {
			check(t, columns, sessions, predicate(r))
		}
	}
}

// The set of a leaf that is brought forward is the one that is made anew.
func TestForward(t *testing.T) {
	forwarded := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 13))
		columns, _ := random(r, 1+r.IntN(300))
		columns.KeepForwardIndex()
		n := columns.n
		leaves := map[*Predicate]bool{}
		before := Memo{}
		for range 20 {
			if _, err := columns.Match(Prepare(predicate(r)), collector{before, leaves}); err != nil {
				t.Fatal(err)
			}
		}
		var written []uint32
		for range 1 + r.IntN(20) {
			session := filtertest.RandomSession(r)
			session.ID.Ordinal = int32(r.IntN(n + 20))
			written = append(written, uint32(session.ID.Ordinal))
			columns.Put(&session)
		}
		for leaf := range leaves {
			set, _ := before.Get(leaf)
			after, ok := columns.Forward(leaf, set, written)
			if !ok {
				continue
			}
			forwarded++
			anew, err := columns.evaluate(leaf, Memo{})
			if err != nil {
				t.Fatal(err)
			}
			for ordinal := range uint(columns.n) {
				if get[bitmapColumn](columns, Counting).Test(ordinal) && after.Test(ordinal) != anew.Test(ordinal) {
					t.Fatalf("%s: ordinal %d of %d, of which %v were written, is %v", leaf.text.Value(), ordinal, columns.n, written, after.Test(ordinal))
				}
			}
			if after.Len() != uint(columns.n) {
				t.Fatalf("%s: a set of %d ordinals, want %d", leaf.text.Value(), after.Len(), columns.n)
			}
		}
	}
	if forwarded < 500 {
		t.Fatalf("%d leaves were brought forward", forwarded)
	}
}

// collector notes which sets are those of leaves.
type collector struct {
	Memo
	leaves map[*Predicate]bool
}

func (c collector) Put(p *Predicate, set Set) {
	switch p.expr.(type) {
	case filter.In, filter.Glob, filter.Within, filter.Range:
		c.leaves[p] = true
	}
	c.Memo.Put(p, set)
}

// Loaded again, columns are the same, and go on changing.
func TestEncodeLoad(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 12))
		columns, sessions := random(r, 1+r.IntN(200))
		stored, err := columns.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again := Unloaded()
		if missing := again.Missing(slices.Repeat(Dimensions(), 2)); len(missing) != len(Dimensions()) {
			t.Fatalf("%d dimensions of %d are missing: each is loaded once", len(missing), len(Dimensions()))
		}
		for _, dimension := range Dimensions() { // Counting is the first of them
			if err := again.Load(dimension, stored[dimension]); err != nil {
				t.Fatal(err)
			}
		}
		if missing := again.Missing(Dimensions()); len(missing) > 0 || len(stored) != len(Dimensions()) {
			t.Fatalf("missing %v", missing)
		}
		for range 10 {
			check(t, again, sessions, predicate(r))
		}
		for ordinal, session := range sessions {
			session.Pages = append(slices.Clone(session.Pages), "/late")
			session.ID.Ordinal = int32(ordinal)
			again.Put(&session)
			sessions[ordinal] = session
			if r.IntN(4) == 0 {
				break
			}
		}
		check(t, again, sessions, filter.In{Field: filter.Pages, Values: []string{"/late"}})
		for range 10 {
			check(t, again, sessions, predicate(r))
		}
	}
}

// What is stored has nothing of sessions that were dropped, or of what was there before a session was put anew.
func TestEncodeLeavesOut(t *testing.T) {
	codec, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	const secret = "zoe"
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 19))
		columns, sessions := random(r, 100)
		for _, then := range []func(s *model.Session){
			func(s *model.Session) { columns.Drop(s.ID.Ordinal); delete(sessions, int(s.ID.Ordinal)) },
			func(s *model.Session) {
				plain := filtertest.RandomSession(r)
				plain.ID, plain.Visitor = s.ID, 1
				columns.Put(&plain)
				sessions[int(plain.ID.Ordinal)] = plain
			},
		} {
			s := filtertest.RandomSession(r)
			s.ID.Ordinal, s.Visitor = int32(r.IntN(columns.n)), 1<<40
			s.Pages, s.Tags, s.Properties = []string{"/" + secret}, []string{secret}, map[string]string{secret: secret, "plan": secret}
			s.Referrer, s.ExitPage, s.Events = secret, secret, []model.EventSum{{Name: secret, Count: 1, Values: 1, Sum: model.One.Sum()}}
			columns.Put(&s)
			then(&s)
		}
		stored, err := columns.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again := Unloaded()
		for _, dimension := range Dimensions() {
			plain, err := codec.decoder.DecodeAll(stored[dimension], nil)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(plain, []byte(secret)) {
				t.Errorf("seed %d: %s has what was dropped", seed, dimension)
			}
			if err := again.Load(dimension, stored[dimension]); err != nil {
				t.Fatal(err)
			}
		}
		visitors := again.columns[Visitors].(*integerColumn)
		for i := range visitors.len() {
			if visitors.at(i) == 1<<40 {
				t.Errorf("seed %d: the visitor of ordinal %d is known", seed, i)
			}
		}
		for range 20 {
			check(t, again, sessions, predicate(r))
		}
	}
}

// A question loads only the dimensions it needs.
func TestDimensionsOf(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 13))
		columns, sessions := random(r, 50)
		stored, err := columns.Encode()
		if err != nil {
			t.Fatal(err)
		}
		where := predicate(r)
		dimensions := Prepare(where).Dimensions()
		again := Unloaded()
		for _, dimension := range append([]Dimension{Counting}, dimensions...) {
			if err := again.Load(dimension, stored[dimension]); err != nil {
				t.Fatal(err)
			}
		}
		check(t, again, sessions, where)
	}
}

// A stored column in which a bit is turned, or which is cut off, is an error.
func TestDamagedColumn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 14))
	columns, _ := random(r, 200)
	stored, err := columns.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, dimension := range Dimensions() {
		for range 200 {
			damaged := bytes.Clone(stored[dimension])
			if r.IntN(3) == 0 {
				damaged = damaged[:r.IntN(len(damaged))]
			} else {
				damaged[r.IntN(len(damaged))] ^= 1 << r.IntN(8)
			}
			again := Unloaded()
			if err := again.Load(Counting, stored[Counting]); err != nil {
				t.Fatal(err)
			}
			// Some bits of a frame's header say nothing: then it is the same column.
			if err := again.Load(dimension, damaged); err == nil {
				whole := keep(columns.columns[dimension], columns.counting())
				if got := again.columns[dimension].append(nil); !bytes.Equal(got, whole.append(nil)) {
					t.Fatalf("%s: a damaged column was taken for another one", dimension)
				}
			}
		}
	}
}

// FuzzRead feeds bytes that passed the checksum, as those of a faulty writer
// would: whatever they are, reading and evaluating them does not panic.
func FuzzRead(f *testing.F) {
	columns, _ := random(rand.New(rand.NewPCG(1, 15)), 100)
	for i, dimension := range Dimensions() {
		f.Add(uint8(i), columns.columns[dimension].append(nil))
	}
	f.Fuzz(func(t *testing.T, which uint8, plain []byte) {
		dimension := Dimensions()[int(which)%len(Dimensions())]
		loaded := Unloaded()
		loaded.n = 100
		loaded.columns[Counting] = columns.columns[Counting]
		r := &reader{data: plain}
		if dimension == Counting {
			if c := readBitmapColumn(r); r.err == nil && c.Len() < 1<<20 {
				loaded.columns[Counting], loaded.n = c, int(c.Len())
				loaded.counting().Count()
			}
			return
		}
		c, covers := read(dimension, r)
		if r.err != nil || !covers(loaded.n) {
			return
		}
		loaded.columns[dimension] = c
		field := filter.Field{Name: string(dimension)}
		switch dimension {
		case Visitors:
			return
		case Properties, Values:
			field.Key = "plan"
		}
		leaves := []filter.Expr{
			filter.In{Field: field, Values: []string{"", "a"}}, filter.Glob{Field: field, Pattern: "*a*"}, filter.Range{Field: field, Min: 0, Max: 9},
		}
		for _, leaf := range leaves {
			if set, err := loaded.Match(Prepare(leaf), Memo{}); err == nil && set.Count() > 100 {
				t.Errorf("%v matches %d of 100", leaf, set.Count())
			}
		}
		loaded.EachValue(loaded.Counting(), field, func(string, int) {})
	})
}
