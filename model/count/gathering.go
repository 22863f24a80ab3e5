package count

import (
	"sync"

	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/partition"
)

// visitors are those of the sessions that match a question and, where it says among whom, of those that match that.
type visitors struct{ of, among *column.VisitorSet }

func newVisitors(q *Question) *visitors {
	v := &visitors{of: new(column.VisitorSet)}
	if q.Among != nil {
		v.among = new(column.VisitorSet)
	}
	return v
}

func (v *visitors) sets() []*column.VisitorSet {
	if v.among == nil {
		return []*column.VisitorSet{v.of}
	}
	return []*column.VisitorSet{v.of, v.among}
}

func (v *visitors) seal() {
	for _, set := range v.sets() {
		set.Seal()
	}
}

func (v *visitors) bytes() (n uint64) {
	for _, set := range v.sets() {
		n += set.Bytes()
	}
	return n
}

// lenWith returns how many visitors match in either of two parts of the range and, where the question says among whom, are
// among these in either.
func (v *visitors) lenWith(other *visitors) (n int) {
	if v.among == nil {
		return v.of.LenUnion(other.of)
	}
	isAmong := func(number uint64) bool { return v.among.Has(number) || other.among.Has(number) }
	v.of.Each(func(number uint64) {
		if isAmong(number) {
			n++
		}
	})
	other.of.Each(func(number uint64) {
		if !v.of.Has(number) && isAmong(number) {
			n++
		}
	})
	return n
}

// gathering bounds the visitors of aggregates that are made at a time.
type gathering struct {
	most  uint64 // bytes
	mu    sync.Mutex
	bytes uint64
	// first goes on in any case. put are the aggregates that are to be made later.
	first *aggregate
	put   map[*aggregate]bool
}

// grow notes that the visitors of an aggregate took more memory. It tells whether the aggregate may go on.
func (g *gathering) grow(a *aggregate, before, after uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == nil {
		g.first = a
	}
	if g.bytes += after - before; g.bytes <= g.most || a == g.first {
		return true
	}
	g.bytes -= after
	if g.put == nil {
		g.put = map[*aggregate]bool{}
	}
	g.put[a] = true
	return false
}

// puts tells whether an aggregate is to be made later.
func (g *gathering) puts(a *aggregate) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.put[a]
}

// gather adds the visitors of the matched sessions to the aggregate's, unless that is made later.
func (p *partial) gather(view *partition.View, matched column.Set, known column.Known) error {
	var among column.Set
	if p.among != nil {
		var err error
		if among, err = view.Match(p.among, known); err != nil {
			return err
		}
	}
	a := p.aggregate
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gathering.puts(a) {
		return nil
	}
	_, to := p.sum(p.at)
	before := a.gathered()
	view.AddVisitors(to.of, matched)
	if p.among != nil {
		view.AddVisitors(to.among, among)
	}
	if !a.gathering.grow(a, before, a.gathered()) {
		a.visitors = newVisitors(a.question)
		if !a.sealedKnown {
			a.sealedVisitors = newVisitors(a.question)
		}
	}
	return nil
}

// gathered is how many bytes the aggregate's visitors take that were not known.
func (a *aggregate) gathered() uint64 {
	n := a.visitors.bytes()
	if !a.sealedKnown {
		n += a.sealedVisitors.bytes()
	}
	return n
}
