package count

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// scanTask is what is to be counted in one partition.
type scanTask struct {
	at         int // the partition's place
	partition  *store.Partition
	aggregates []*aggregate
	partials   []*partial // of the aggregates
	keys       []Key      // of the partials; zero where no cache could have them
}

func (t *scanTask) add(l lookup) {
	t.aggregates, t.partials, t.keys = append(t.aggregates, l.aggregate), append(t.partials, l.aggregate.newPartial()), append(t.keys, l.key)
}

// deliver adds the partial aggregates to their aggregates, and notes them for the caches.
func (t *scanTask) deliver(counted map[Key]Entry) {
	for i, a := range t.aggregates {
		a.add(t.at, t.partials[i])
		if t.keys[i] != (Key{}) && t.partials[i].err == nil {
			counted[t.keys[i]] = t.partials[i].entry()
		}
	}
}

// run scans a partition. Identical tasks that are run at the same time are run once.
func (e *ColumnEngine) run(ctx context.Context, t *scanTask) error {
	var name strings.Builder
	for _, key := range t.keys {
		if key == (Key{}) {
			return e.scan(ctx, t.partition, t.partials)
		}
		fmt.Fprintf(&name, "%d %d %d %x ", key.Partition, key.Revision, key.WrittenAt, key.Fingerprint)
	}
	type result struct {
		entry Entry
		err   error
	}
	results, err := Once(ctx, &e.flights, name.String(), func() ([]result, error) {
		if err := e.scan(ctx, t.partition, t.partials); err != nil {
			return nil, err
		}
		results := make([]result, len(t.partials))
		for i, p := range t.partials {
			results[i] = result{p.entry(), p.err}
		}
		return results, nil
	})
	if err != nil {
		return err
	}
	for i, result := range results {
		t.partials[i].set(result.entry, t.partition.Day)
		t.partials[i].err = result.err
	}
	return nil
}

// scan makes partial aggregates from a partition's columns. In each partition every part of their predicates is
// evaluated once; those that need the same beside columns are scanned together.
func (e *ColumnEngine) scan(ctx context.Context, p *store.Partition, partials []*partial) error {
	begin := time.Now()
	byNeed := map[*need][]*partial{}
	for _, one := range partials {
		byNeed[one.need] = append(byNeed[one.need], one)
	}
	for need, some := range byNeed {
		err := e.scanTogether(ctx, p, need, some)
		switch {
		case err == nil:
		case need == nil || ctx.Err() != nil:
			return err
		default:
			for _, one := range some {
				one.err = err
			}
		}
	}
	e.scanning.Add(ctx, 1, 0, begin)
	return nil
}

func (e *ColumnEngine) scanTogether(ctx context.Context, p *store.Partition, need *need, partials []*partial) error {
	var dimensions []column.Dimension
	for _, one := range partials {
		dimensions = append(dimensions, one.dimensions(p.Day)...)
	}
	var resolution Resolution
	if need != nil {
		resolution = need.resolution
	}
	return e.matcher.Read(ctx, p, resolution, dimensions, func(view *partition.View, known column.Known) error {
		for _, one := range partials {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := one.count(view, known, p.Day); err != nil {
				return err
			}
		}
		return nil
	})
}

// dimensions returns what the question needs on a day.
func (p *partial) dimensions(day model.Day) []column.Dimension {
	dimensions := p.within(day).Dimensions()
	if p.visitors != nil {
		dimensions = append(dimensions, column.Visitors)
	}
	if p.Value != "" {
		dimensions = append(dimensions, column.Values)
	}
	if len(p.steps) > 0 {
		dimensions = append(dimensions, startDimension)
	}
	return dimensions
}

// within returns the predicate for the sessions of the day that are asked about.
func (p *partial) within(day model.Day) *column.Predicate {
	if p.In.Covers(day) {
		return p.where
	}
	return column.Prepare(within(p.Where, p.In, day))
}

// within returns the predicate for the sessions of the day that started in the range.
func within(where filter.Expr, in model.Range, day model.Day) filter.Expr {
	if in.Covers(day) {
		return where
	}
	// A range of numbers includes its end.
	return filter.And{where, filter.Range{Field: filter.Start, Min: float64(in.From), Max: float64(in.To - 1)}}
}

// count makes the partial aggregate.
func (p *partial) count(view *partition.View, known column.Known, day model.Day) (err error) {
	where := p.within(day)
	if p.visitors == nil && p.Value == "" && len(p.steps) == 0 { // no need for the set itself
		p.sessions, err = view.Count(where, known)
		return err
	}
	matched, err := view.Match(where, known)
	if err != nil {
		return err
	}
	p.sessions = int(matched.Count())
	if p.visitors != nil {
		view.AddVisitors(matched, p.visitors)
	}
	if p.Value != "" {
		p.value = view.Value(matched, p.Value)
	}
	p.countSteps(view, matched, day)
	return nil
}

func (p *partial) countSteps(view *partition.View, matched column.Set, day model.Day) {
	first := sort.Search(len(p.Steps), func(i int) bool { return p.Steps[i] > day.Start() })
	switch {
	case len(p.steps) == 0 || first == len(p.Steps):
	case first > 0 && (day+1).Start() <= p.Steps[first]: // the whole day is in one step
		p.steps[first-1] += p.sessions
	default:
		view.CountSteps(matched, p.Steps, p.steps)
	}
}

// entry returns the partial aggregate as caches keep it.
func (p *partial) entry() Entry { return Entry{Sessions: int64(p.sessions), Value: p.value} }

// set makes the partial aggregate what is known of it.
func (p *partial) set(entry Entry, day model.Day) {
	p.sessions, p.value = int(entry.Sessions), entry.Value
	clear(p.steps)
	if step := p.step(day); step >= 0 {
		p.steps[step] = p.sessions
	}
}
