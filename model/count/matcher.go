package count

import (
	"context"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// Leaves answer leaves of predicates that columns alone cannot: filter.Computed, filter.Assigned, and those that look at
// filter.Visitor. It is an interface because who answers them stands above this package, or beside it.
type Leaves interface {
	// Resolve makes ready to answer the leaves of a predicate about a site's sessions; nothing where it has none of these.
	// The matcher evaluates other predicates on the way, such as the audience of an experiment.
	Resolve(ctx context.Context, matcher *Matcher, site int64, where filter.Expr) (Resolution, error)
}

// Resolved answers leaves of a predicate, either by Set or, where that takes more than columns, by At.
type Resolved struct {
	// IsLocal tells whether the sets of a partition follow from the partition alone, so that counts made of them can be
	// kept by its revision.
	IsLocal bool
	// Dimensions are those that the columns need for it.
	Dimensions []column.Dimension
	Set        SetOf
	// At returns the sets in a partition, and the revision that they are of: the partition's, or a newer one.
	At func(ctx context.Context, p *store.Partition) (sets SetOf, revision store.Revision, err error)
	// Ready returns an error if the sets of some of the partitions cannot be had in the time that a question waits; nil
	// where they always can.
	Ready func(ctx context.Context, partitions []store.Partition) error
	// Fill fills in what the leaves look at in a session; nil where that is not needed.
	Fill func(*model.Session)
}

// SetOf returns the set of a leaf in a partition; ok is false for the leaves of others.
type SetOf func(leaf filter.Expr, view *partition.View) (set column.Set, ok bool)

// Matcher finds the sessions of a partition that match predicates. It is safe for concurrent use.
type Matcher struct {
	columns *partition.Columns
	leaves  []Leaves
}

// Resolution is what the Leaves answer of one or several predicates. The zero value is of predicates without such leaves.
type Resolution []*Resolved

// Resolve makes ready to evaluate predicates about a site's sessions.
func (m *Matcher) Resolve(ctx context.Context, site int64, wheres ...filter.Expr) (resolution Resolution, err error) {
	where := wheres[0]
	if len(wheres) > 1 {
		where = filter.And(wheres)
	}
	for _, leaves := range m.leaves {
		resolved, err := leaves.Resolve(ctx, m, site, where)
		if err != nil {
			return nil, err
		}
		resolution = append(resolution, resolved...)
	}
	return resolution, nil
}

// IsLocal tells whether all leaves' sets follow from the partition alone.
func (r Resolution) IsLocal() bool {
	return !slices.ContainsFunc(r, func(one *Resolved) bool { return !one.IsLocal })
}

// Ready returns an error if some sets cannot be had in the time that a question waits.
func (r Resolution) Ready(ctx context.Context, partitions []store.Partition) error {
	for _, resolved := range r {
		if resolved.Ready != nil {
			if err := resolved.Ready(ctx, partitions); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxRounds bounds how often columns and sets of leaves are read again to be of one revision. Writes that come faster
// than that may show in the one alone.
const maxRounds = 10

// Read calls do with the columns of a partition as they are at its revision, or a newer one, with the dimensions and
// with the sets of predicates. Those of the resolution are of the columns' revision.
func (m *Matcher) Read(ctx context.Context, p *store.Partition, resolution Resolution, dimensions []column.Dimension,
	do func(view *partition.View, known column.Known) error) error {
	for _, resolved := range resolution {
		dimensions = append(slices.Clip(dimensions), resolved.Dimensions...)
	}
	at := *p
	for round := 1; ; round++ {
		sets, revisions := make([]SetOf, len(resolution)), []store.Revision(nil)
		for i, resolved := range resolution {
			if sets[i] = resolved.Set; resolved.At == nil {
				continue
			}
			var revision store.Revision
			var err error
			if sets[i], revision, err = resolved.At(ctx, &at); err != nil {
				return err
			}
			revisions = append(revisions, revision)
			moveTo(&at, revision)
		}
		isDone := false
		err := m.columns.Read(ctx, &at, dimensions, func(view *partition.View) error {
			isOther := func(revision store.Revision) bool { return revision != view.Revision }
			if round < maxRounds && slices.ContainsFunc(revisions, isOther) {
				moveTo(&at, view.Revision)
				return nil
			}
			isDone = true
			NoteRead(ctx, p, view.Revision)
			return do(view, view.Known(func(leaf filter.Expr) (column.Set, bool) {
				for _, setOf := range sets {
					if set, ok := setOf(leaf, view); ok {
						return view.Fit(set), true
					}
				}
				return nil, false
			}))
		})
		if err != nil || isDone {
			return err
		}
	}
}

// moveTo has a partition asked for at a revision, if that is another one than it has.
func moveTo(p *store.Partition, revision store.Revision) {
	if revision != p.Revision {
		p.Revision, p.ReadAt = revision, time.Now()
	}
}

// Match returns the sessions of a partition that match a predicate.
func (m *Matcher) Match(ctx context.Context, p *store.Partition, resolution Resolution, where filter.Expr) (set column.Set, err error) {
	prepared := column.Prepare(where)
	err = m.Read(ctx, p, resolution, prepared.Dimensions(), func(view *partition.View, known column.Known) error {
		set, err = view.Match(prepared, known)
		return err
	})
	return set, err
}
