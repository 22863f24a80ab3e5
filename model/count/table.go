package count

import (
	"cmp"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
)

// table has the rows of a breakdown over some partitions, with what their figures are made of. Once it is made it does not
// change.
type table struct {
	index map[column.Name]int
	rows  []tableRow
	bytes int
	// listed is how many lengths a row lists at most. buckets are where the medians of rows lie, for which windows are made.
	listed  int
	buckets map[column.Name]uint32
}

// tableRow is what adds up over partitions. Sets are nil where they are not asked for.
type tableRow struct {
	name                                 column.Name
	sessions, pageViews, bounces, length int64
	goals                                []goalSum
	visitors                             *roaring64.Bitmap
	// list are the lengths of one partition, which a table adds to lengths or a window.
	list    []uint32
	lengths *lengths
	window  *window
}

// goalSum is what adds up of a goal in a row. The visitors are nil where they are not asked for.
type goalSum struct {
	conversions int64
	value       model.Sum
	visitors    *roaring64.Bitmap
}

// rowBytes is about what a row of a table takes beside its texts, goals and sets, measuredBytes what one of a partition
// does, and goalSumBytes what a goal takes in either.
const rowBytes, measuredBytes, goalSumBytes = 300, 160, 32

// bytesOfRows is about what rows take beside their texts and sets.
func bytesOfRows(rows, goals int) int { return rows * (rowBytes + goalSumBytes*goals) }

// setBytes is about what a row's sets take.
func (r *tableRow) setBytes() (bytes int) {
	if r.visitors != nil {
		bytes += int(r.visitors.GetSizeInBytes())
	}
	for i := range r.goals {
		if visitors := r.goals[i].visitors; visitors != nil {
			bytes += int(visitors.GetSizeInBytes())
		}
	}
	bytes += 4 * cap(r.list)
	if r.lengths != nil {
		bytes += r.lengths.bytes()
	}
	if r.window != nil {
		bytes += r.window.bytes()
	}
	return bytes
}

// find returns the row of a name, nil where there is none.
func (t *table) find(name column.Name) *tableRow {
	if at, found := t.index[name]; found {
		return &t.rows[at]
	}
	return nil
}

// add adds a row of one partition, which is the table's then, but for its goals. It returns by how many bytes the table has
// grown.
func (t *table) add(row *tableRow) (grown int) {
	at, found := t.index[row.name]
	if !found {
		added := *row
		added.goals = append([]goalSum(nil), row.goals...)
		for i, value := range row.name { // which would keep the partition's other texts in memory
			added.name[i] = string([]byte(value))
			grown += len(value)
		}
		at = len(t.rows)
		t.measure(&added, row.list)
		t.index[added.name] = at
		t.rows = append(t.rows, added)
		grown += bytesOfRows(1, len(row.goals)) + added.setBytes()
	} else {
		sum := &t.rows[at]
		grown -= sum.setBytes()
		sum.merge(row)
		t.measure(sum, row.list)
		grown += sum.setBytes()
	}
	t.bytes += grown
	return grown
}

// measure adds the lengths of a partition to a row.
func (t *table) measure(row *tableRow, list []uint32) {
	row.list = nil
	bucket, isOpen := t.buckets[row.name]
	switch {
	case list == nil:
	case isOpen:
		if row.window == nil {
			row.window = newWindow(bucket)
		}
		row.window.add(list)
	default:
		if row.lengths == nil {
			row.lengths = &lengths{most: t.listed}
		}
		row.lengths.add(list)
	}
}

// merge adds another row, which stays as it is.
func (r *tableRow) merge(other *tableRow) {
	r.sessions += other.sessions
	r.pageViews += other.pageViews
	r.bounces += other.bounces
	r.length += other.length
	for i, goal := range other.goals {
		r.goals[i].conversions += goal.conversions
		r.goals[i].value = r.goals[i].value.Add(goal.value)
		unite(&r.goals[i].visitors, goal.visitors)
	}
	unite(&r.visitors, other.visitors)
	if other.lengths != nil {
		if r.lengths == nil {
			r.lengths = &lengths{most: other.lengths.most}
		}
		r.lengths.merge(other.lengths)
	}
	if other.window != nil {
		if r.window == nil {
			r.window = newWindow(other.window.from >> bucketBits)
		}
		r.window.merge(other.window)
	}
}

// unite adds a set to another one, of which either may be nil. The set that is added stays as it is.
func unite(to **roaring64.Bitmap, set *roaring64.Bitmap) {
	switch {
	case set == nil:
	case *to == nil:
		*to = set.Clone()
	default:
		(*to).Or(set)
	}
}

// total is a row of two tables together: how many visitors it has, and how many of them reached each goal.
type total struct {
	*tableRow
	visitors  int64
	converted []int64
}

// together returns the sum of two rows of a name, of which one may be nil. Neither is changed.
func together(a, b *tableRow) total {
	if a == nil || b == nil {
		return totalOf(cmp.Or(a, b))
	}
	sum, areUnited := tableRow{name: a.name, goals: make([]goalSum, len(a.goals))}, a.hasReached() || b.hasReached()
	for _, row := range []*tableRow{a, b} {
		counts := *row
		if !areUnited { // only the visitors' number is asked for
			counts.visitors = nil
		}
		sum.merge(&counts)
	}
	t := totalOf(&sum)
	if !areUnited {
		t.visitors = sizeOfUnion(a.visitors, b.visitors)
	}
	return t
}

func totalOf(r *tableRow) total {
	t := total{tableRow: r, visitors: sizeOfUnion(r.visitors, nil), converted: make([]int64, len(r.goals))}
	for i, goal := range r.goals {
		if goal.visitors != nil && r.visitors != nil {
			t.converted[i] = int64(goal.visitors.AndCardinality(r.visitors))
		}
	}
	return t
}

// hasReached tells whether the row has visitors of goals.
func (r *tableRow) hasReached() bool {
	return slices.ContainsFunc(r.goals, func(goal goalSum) bool { return goal.visitors != nil })
}

// sizeOfUnion returns how many numbers are in one of two sets, which may be nil.
func sizeOfUnion(a, b *roaring64.Bitmap) int64 {
	switch {
	case a != nil && b != nil:
		return int64(a.OrCardinality(b))
	case a != nil:
		return int64(a.GetCardinality())
	case b != nil:
		return int64(b.GetCardinality())
	}
	return 0
}

// each calls do with the rows of each name in two tables, nil where one has none.
func each(sealed, head *table, do func(inSealed, inHead *tableRow)) {
	for i := range sealed.rows {
		do(&sealed.rows[i], head.find(sealed.rows[i].name))
	}
	for i := range head.rows {
		if sealed.find(head.rows[i].name) == nil {
			do(nil, &head.rows[i])
		}
	}
}
