package experiment

import (
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// An index weighs what it holds: the visitors of the sealed partitions, too, and it yields all in the order of numbers.
func TestIndex(t *testing.T) {
	t.Parallel()
	const n = 1000
	sealed, head := make([]assignee, n), []assignee(nil)
	for i := range sealed {
		sealed[i] = assignee{visitor: int64(2 * i), at: 10, other: model.Open}
	}
	for visitor := range int64(30) {
		head = append(head, assignee{visitor: visitor, at: model.Millis(5 + 10*(visitor%4)), other: model.Open, partition: 1})
	}
	x := newIndex(&Definition{Variants: []string{"a"}}, nil, make([]store.Partition, 2), newVisitors(sealed), head)
	if x.bytes() < n*assigneeBytes {
		t.Errorf("an index of %d visitors weighs %d bytes", n, x.bytes())
	}
	last, count, fresh := int64(-1), 0, 0
	for place, a := range x.all() {
		if a.visitor <= last || x.at(place) != a || x.find(a.visitor) != place {
			t.Fatalf("visitor %d at place %d, behind %d", a.visitor, place, last)
		}
		last, count = a.visitor, count+1
	}
	for range x.fresh() {
		fresh++
	}
	if count != n+15 || count != x.count() || fresh != 15+8 {
		t.Errorf("%d visitors, of whom %d are fresh", count, fresh)
	}
}
