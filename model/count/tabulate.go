package count

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// pass is one look of a breakdown at all of its partitions: which rows are measured, and what of them.
type pass struct {
	*breakdown
	measures []Measure
	// goals are the places of those that are measured, and reached of those whose visitors are.
	goals, reached []int
	// only are the rows, in order, and places theirs by name; nil where all are measured.
	only   []column.Name
	places map[column.Name]int
	// buckets are where the medians of only lie. Nothing else is measured then.
	buckets map[column.Name]uint32
	// tables is what the tables have taken of the breakdown's memory, while they are held by mu.
	mu     sync.Mutex
	tables *loan
	// moved tells that a partition was read at another revision than it had before the pass.
	moved bool
}

// fingerprint is of what the pass measures.
func (p *pass) fingerprint() Fingerprint {
	texts := []string{string(p.counted[:]), fmt.Sprint(p.measures), fmt.Sprint(p.goals, p.reached), strconv.FormatBool(p.only == nil)}
	for _, name := range p.only {
		texts = append(texts, name[:]...)
		if p.buckets != nil {
			texts = append(texts, fmt.Sprint(p.buckets[name]))
		}
	}
	return FingerprintOf(texts...)
}

// tabulate makes the tables of the sealed partitions and of the head. Those of the sealed ones are kept.
func (p *pass) tabulate(ctx context.Context) (sealed, head *table, err error) {
	last := max(0, len(p.partitions)-1)
	of := p.fingerprint()
	kept, found := p.engine.breakdowns.get(ctx, answerKey{StateOf(p.partitions[:last], p.In), of}, p.isLocal)
	if sealed = kept.sealed; !found {
		if sealed, err = p.scan(ctx, 0, last); err != nil {
			return nil, nil, err
		}
		if p.isLocal { // by the revisions that were read
			p.engine.breakdowns.set(answerKey{StateOf(p.partitions[:last], p.In), of}, knownBreakdown{sealed: sealed})
		}
	}
	head, err = p.scan(ctx, last, len(p.partitions))
	return sealed, head, err
}

// scan makes the table of the partitions from one place to another.
func (p *pass) scan(ctx context.Context, from, to int) (*table, error) {
	t := &table{index: map[column.Name]int{}, listed: p.engine.listedLengths, buckets: p.buckets}
	dimensions := p.dimensions()
	err := p.engine.eachPartition(ctx, p.partitions[from:to], dimensions, func(ctx context.Context, of *store.Partition) error {
		begin, own := time.Now(), p.memory.lend()
		defer own.end()
		var rows []tableRow
		at := *of
		if err := p.engine.matcher.Read(ctx, &at, p.resolution, dimensions, func(view *partition.View, known column.Known) (err error) {
			moveTo(of, view.Revision)
			rows, err = p.measure(ctx, view, known, of.Day, own)
			return err
		}); err != nil {
			return err
		}
		p.engine.scanning.Add(ctx, 1, 0, begin)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.moved = p.moved || of.Revision != at.Revision
		for i := range rows {
			own.give(rows[i].setBytes()) // the table has them, or they are garbage
			if err := p.tables.take(t.add(&rows[i])); err != nil {
				return err
			}
			rows[i] = tableRow{}
		}
		return nil
	})
	return t, err
}

// dimensions returns what the pass needs.
func (p *pass) dimensions() []column.Dimension {
	dimensions := slices.Clone(p.predicates)
	add := func(more ...column.Dimension) {
		for _, dimension := range more {
			if !slices.Contains(dimensions, dimension) {
				dimensions = append(dimensions, dimension)
			}
		}
	}
	for _, measure := range p.measures {
		switch measure {
		case Visitors:
			add(column.Visitors)
		case PageViews:
			add(column.Dimension(filter.PageViews.Name))
		case Bounces:
			add(bounce.Dimensions()...)
		case Length, Median:
			add(column.Dimension(filter.Length.Name))
		}
	}
	for _, goal := range p.goals {
		add(p.goalWheres[goal].Dimensions()...)
		if p.Goals[goal].Event != "" {
			add(column.Values)
		}
	}
	return dimensions
}

// bounce is of the sessions that Bounces counts.
var bounce = column.Prepare(filter.And{filter.Range{Field: filter.PageViews, Min: 1, Max: 1}, filter.In{Field: filter.Events, Values: []string{""}}})

// measure returns the rows of a partition. What they take is taken of a loan.
func (p *pass) measure(ctx context.Context, view *partition.View, known column.Known, day model.Day, own *loan) ([]tableRow, error) {
	active, err := view.Match(p.on(day, p.where), known)
	if err != nil {
		return nil, err
	}
	if active.None() && len(p.goals) == 0 {
		return nil, nil
	}
	groups, err := p.groups(view, known, day, active, own)
	if err != nil {
		return nil, err
	}
	if err := known.Err(); err != nil {
		return nil, err
	}
	if err := own.take(groups.Len() * (measuredBytes + goalSumBytes*len(p.goals))); err != nil {
		return nil, err
	}
	m := measuring{view: view, groups: groups, own: own, rows: newRows(groups, len(p.goals)), numbers: make([]int64, groups.Len())}
	groups.Count(active, m.numbers)
	m.listed = listBytes(m.numbers)
	m.put(func(r *tableRow) *int64 { return &r.sessions })
	for _, measure := range p.measures {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		switch measure {
		case Visitors:
			err = m.visitors(active, func(row *tableRow) **roaring64.Bitmap { return &row.visitors })
		case PageViews:
			view.AddNumbers(groups, active, filter.PageViews, m.numbers)
			m.put(func(r *tableRow) *int64 { return &r.pageViews })
		case Bounces:
			var bounced column.Set
			if bounced, err = view.Match(bounce, known); err == nil {
				groups.Count(bounced.Intersection(active), m.numbers)
				m.put(func(r *tableRow) *int64 { return &r.bounces })
			}
		case Length:
			view.AddNumbers(groups, active, filter.Length, m.numbers)
			m.put(func(r *tableRow) *int64 { return &r.length })
		case Median:
			if err = own.take(m.listed); err == nil {
				view.LengthsOfGroups(groups, active, func(group int, list []uint32) { m.rows[group].list = list })
			}
		}
		if err != nil {
			return nil, err
		}
	}
	sums := make([]model.Sum, groups.Len())
	for i, goal := range p.goals {
		converted, err := view.Match(p.on(day, p.goalWheres[goal]), known)
		if err != nil {
			return nil, err
		}
		groups.Count(converted, m.numbers)
		m.listed = listBytes(m.numbers)
		m.put(func(r *tableRow) *int64 { return &r.goals[i].conversions })
		if slices.Contains(p.reached, goal) {
			if err := m.visitors(converted, func(row *tableRow) **roaring64.Bitmap { return &row.goals[i].visitors }); err != nil {
				return nil, err
			}
		}
		if event := p.Goals[goal].Event; event != "" {
			clear(sums)
			view.AddValues(groups, converted, event, sums)
			for group, sum := range sums {
				m.rows[group].goals[i].value = sum
			}
		}
	}
	return slices.DeleteFunc(m.rows, tableRow.isEmpty), known.Err()
}

// measuring is the rows of a partition while they are filled in.
type measuring struct {
	view   *partition.View
	groups *column.Groups
	own    *loan
	rows   []tableRow
	// numbers are of the groups, zero between two measures.
	numbers []int64
	// listed is what the sessions take where they are listed by groups: the active ones, and then those of each goal.
	listed int
}

// put moves the numbers to the rows.
func (m *measuring) put(field func(*tableRow) *int64) {
	for i, n := range m.numbers {
		*field(&m.rows[i]) = n
		m.numbers[i] = 0
	}
}

// visitors puts the visitors of the sessions, which are those of listed, to the rows.
func (m *measuring) visitors(of column.Set, field func(*tableRow) **roaring64.Bitmap) error {
	listed := m.listed
	if err := m.own.take(listed); err != nil {
		return err
	}
	defer m.own.give(listed)
	return m.view.VisitorsOfGroups(m.groups, of, func(group int, visitors *roaring64.Bitmap) error {
		*field(&m.rows[group]) = visitors
		return m.own.take(int(visitors.GetSizeInBytes()))
	})
}

// listBytes is what so many sessions of groups take where they are listed.
func listBytes(sizes []int64) int {
	bytes := 0
	for _, n := range sizes {
		bytes += listHead + 4*int(n)
	}
	return bytes
}

// listHead is what a list takes beside its elements.
const listHead = 32

// newRows returns the rows of groups, with nothing in them.
func newRows(groups *column.Groups, goals int) []tableRow {
	rows, sums := make([]tableRow, groups.Len()), make([]goalSum, groups.Len()*goals)
	for i := range rows {
		rows[i].name, rows[i].goals = groups.Name(i), sums[i*goals:][:goals:goals]
	}
	return rows
}

func (r tableRow) isEmpty() bool {
	return r.sessions == 0 && !slices.ContainsFunc(r.goals, func(goal goalSum) bool { return goal.conversions > 0 })
}

// manyGroups is of how many groups it is worth to look which of them have sessions that are measured.
const manyGroups = 4096

// groups returns the groups of a partition's sessions of which something is measured: of those that are active, and of those
// that reached a goal.
func (p *pass) groups(view *partition.View, known column.Known, day model.Day, active column.Set, own *loan) (*column.Groups, error) {
	if len(p.By) == 0 {
		whole := view.Whole()
		return whole, own.take(whole.Bytes())
	}
	groups, err := p.grouping(view, known, day, 0)
	if err != nil {
		return nil, err
	}
	if err := own.take(groups.Bytes()); err != nil {
		return nil, err
	}
	isMany := p.only == nil && groups.Len() > manyGroups
	if len(p.By) > 1 || isMany {
		if active, err = p.measuredOf(view, known, day, active); err != nil {
			return nil, err
		}
	}
	switch {
	case len(p.By) > 1:
		others, err := p.grouping(view, known, day, 1)
		if err != nil {
			return nil, err
		}
		if err := own.take(others.Bytes()); err != nil {
			return nil, err
		}
		if groups, err = column.Cross(groups, others, active, own.take); err != nil {
			return nil, err
		}
	case isMany:
		groups = groups.Occupied(active)
		if err := own.take(groups.Bytes()); err != nil {
			return nil, err
		}
	}
	if p.only == nil {
		return groups, nil
	}
	groups = groups.Keep(p.places)
	return groups, own.take(groups.Bytes())
}

// measuredOf returns the active sessions and those that reached a goal.
func (p *pass) measuredOf(view *partition.View, known column.Known, day model.Day, active column.Set) (column.Set, error) {
	all := active.Clone()
	for _, goal := range p.goals {
		converted, err := view.Match(p.on(day, p.goalWheres[goal]), known)
		if err != nil {
			return nil, err
		}
		all.InPlaceUnion(converted)
	}
	return all, nil
}

// grouping returns the groups of the i-th grouping.
func (b *breakdown) grouping(view *partition.View, known column.Known, day model.Day, i int) (*column.Groups, error) {
	switch by := &b.By[i]; {
	case by.Choices != nil:
		values, sets := make([]string, len(by.Choices)), make([]column.Set, len(by.Choices))
		for n, choice := range by.Choices {
			var err error
			if sets[n], err = view.Match(b.choices[i][n], known); err != nil {
				return nil, err
			}
			values[n] = choice.Value
		}
		return view.GroupsOfSets(values, sets), nil
	case by.Clock != NoClock:
		return view.GroupsByStart(by.Clock.Values(), by.Clock.finder(by.Zone)), nil
	case by.Steps != nil:
		first, steps := stepsOf(by.Steps, day)
		values := make([]string, max(0, len(steps)-1))
		for step := range values {
			values[step] = StepValue(first + step)
		}
		return view.GroupsByStart(values, func(start model.Millis) int { return stepOf(steps, start) }), nil
	default:
		return view.GroupsOf(by.Field), nil
	}
}

// stepsOf returns those of the steps that sessions of a day may be in, and which of all the first of them is.
func stepsOf(steps []model.Millis, day model.Day) (first int, some []model.Millis) {
	after, _ := slices.BinarySearch(steps, day.Start()+1)
	behind, _ := slices.BinarySearch(steps, (day + 1).Start())
	first = max(0, after-1)
	return first, steps[first:min(behind+1, len(steps))]
}

// stepOf returns the step that an instant is in, -1 for none.
func stepOf(steps []model.Millis, at model.Millis) int {
	behind, found := slices.BinarySearch(steps, at)
	for found && behind < len(steps) && steps[behind] == at {
		behind++
	}
	if behind == len(steps) {
		return -1
	}
	return behind - 1
}

// finder returns what finds the place of a clock's value at an instant. It is not for concurrent use.
func (c Clock) finder(zone *time.Location) func(start model.Millis) int {
	if c == DayOfWeek {
		return model.WeekdayIn(zone)
	}
	return model.HourIn(zone)
}

// text is equal for groupings into the same groups.
func (g *Grouping) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%q %q %d %v %v", g.Field.Name, g.Field.Key, g.Clock, g.Zone, g.Steps)
	for _, choice := range g.Choices {
		fmt.Fprintf(&text, " %q %q", choice.Value, choice.Where.String())
	}
	return text.String()
}
