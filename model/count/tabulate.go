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
	buckets []uint32
	// moved tells that a partition was read at another revision than it had before the pass.
	moved bool
}

// fingerprint is of what the pass measures.
func (p *pass) fingerprint() Fingerprint {
	texts := []string{string(p.counted[:]), fmt.Sprint(p.measures), fmt.Sprint(p.goals, p.reached), fmt.Sprint(p.buckets), strconv.FormatBool(p.only == nil)}
	for _, name := range p.only {
		texts = append(texts, name[:]...)
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
	t := &table{index: map[column.Name]int{}}
	dimensions := p.dimensions()
	var mu sync.Mutex
	err := p.engine.eachPartition(ctx, p.partitions[from:to], dimensions, func(ctx context.Context, of *store.Partition) error {
		begin := time.Now()
		var rows []tableRow
		at := *of
		if err := p.engine.matcher.Read(ctx, &at, p.resolution, dimensions, func(view *partition.View, known column.Known) (err error) {
			moveTo(of, view.Revision)
			rows, err = p.measure(ctx, view, known, of.Day)
			return err
		}); err != nil {
			return err
		}
		p.engine.scanning.Add(ctx, 1, 0, begin)
		mu.Lock()
		defer mu.Unlock()
		p.moved = p.moved || of.Revision != at.Revision
		for i := range rows {
			if t.add(&rows[i]); t.bytes > p.engine.tableBytes {
				return errTooManyRows(p.engine.tableBytes)
			}
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

// measure returns the rows of a partition.
func (p *pass) measure(ctx context.Context, view *partition.View, known column.Known, day model.Day) ([]tableRow, error) {
	active, err := view.Match(p.on(day, p.where), known)
	if err != nil {
		return nil, err
	}
	if active.None() && len(p.goals) == 0 {
		return nil, nil
	}
	groups, err := p.groups(view, known)
	if err != nil {
		return nil, err
	}
	if p.only != nil {
		groups = groups.Keep(p.places)
	}
	if err := known.Err(); err != nil {
		return nil, err
	}
	converted := make([]column.Set, len(p.goals))
	for i, goal := range p.goals {
		if converted[i], err = view.Match(p.on(day, p.goalWheres[goal]), known); err != nil {
			return nil, err
		}
	}
	// Most values of a day may be of sessions that the segment has not.
	most := p.engine.tableBytes
	if p.only == nil && bytesOfRows(groups.Len(), len(p.goals)) > most {
		if groups = groups.Occupied(append(converted, active)...); bytesOfRows(groups.Len(), len(p.goals)) > most {
			return nil, errTooManyRows(most)
		}
	}
	rows := newRows(groups, len(p.goals))
	column64 := make([]int64, groups.Len())
	put := func(field func(*tableRow) *int64) {
		for i, n := range column64 {
			*field(&rows[i]) = n
			column64[i] = 0
		}
	}
	groups.Count(active, column64)
	put(func(r *tableRow) *int64 { return &r.sessions })
	for _, measure := range p.measures {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		switch measure {
		case Visitors:
			view.VisitorsOfGroups(groups, active, func(group int, visitors *roaring64.Bitmap) { rows[group].visitors = visitors })
		case PageViews:
			view.AddNumbers(groups, active, filter.PageViews, column64)
			put(func(r *tableRow) *int64 { return &r.pageViews })
		case Bounces:
			bounced, err := view.Match(bounce, known)
			if err != nil {
				return nil, err
			}
			groups.Count(bounced.Intersection(active), column64)
			put(func(r *tableRow) *int64 { return &r.bounces })
		case Length:
			view.AddNumbers(groups, active, filter.Length, column64)
			put(func(r *tableRow) *int64 { return &r.length })
		case Median:
			view.LengthsOfGroups(groups, active, func(group int, list []uint32) { p.addLengths(&rows[group], group, list) })
		}
	}
	sums := make([]model.Sum, groups.Len())
	for i, goal := range p.goals {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		groups.Count(converted[i], column64)
		put(func(r *tableRow) *int64 { return &r.goals[i].conversions })
		if slices.Contains(p.reached, goal) {
			view.VisitorsOfGroups(groups, converted[i], func(group int, visitors *roaring64.Bitmap) { rows[group].goals[i].visitors = visitors })
		}
		if event := p.Goals[goal].Event; event != "" {
			clear(sums)
			view.AddValues(groups, converted[i], event, sums)
			for group, sum := range sums {
				rows[group].goals[i].value = sum
			}
		}
	}
	return slices.DeleteFunc(rows, tableRow.isEmpty), known.Err()
}

// bytesOfRows is about what rows take beside their texts and sets.
func bytesOfRows(rows, goals int) int { return rows * (rowBytes + goalSumBytes*goals) }

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

func (p *pass) addLengths(row *tableRow, group int, list []uint32) {
	if p.buckets == nil {
		row.lengths = &lengths{most: p.engine.listedLengths}
		row.lengths.add(list)
		return
	}
	row.window = newWindow(p.buckets[group])
	row.window.add(list)
}

// groups returns the groups of a partition's sessions.
func (b *breakdown) groups(view *partition.View, known column.Known) (*column.Groups, error) {
	if len(b.By) == 0 {
		return view.Whole(), nil
	}
	var all *column.Groups
	for i := range b.By {
		groups, err := b.grouping(view, known, i)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = groups
		} else if all, err = column.Cross(all, groups); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// grouping returns the groups of the i-th grouping.
func (b *breakdown) grouping(view *partition.View, known column.Known, i int) (*column.Groups, error) {
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
		values := make([]string, max(0, len(by.Steps)-1))
		for step := range values {
			values[step] = StepValue(step)
		}
		return view.GroupsByStart(values, func(start model.Millis) int { return stepOf(by.Steps, start) }), nil
	default:
		return view.GroupsOf(by.Field), nil
	}
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
