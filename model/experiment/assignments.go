package experiment

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/bits-and-blooms/bitset"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// Assignments knows who is in which variant of the experiments. It is safe for concurrent use.
type Assignments struct {
	store       *store.Store
	definitions Definitions // nil where there are none
	exposures   *exposures
	// kept are indexes, and visitors of sealed partitions.
	kept *keep
	// sets are, of a partition, the sessions of each variant.
	sets    *otter.Cache[setsKey, []column.Set]
	flights singleflight.Group
	meter   partition.Meter
}

// setsKey names what the sets were made from.
type setsKey struct {
	index               count.Fingerprint
	partition, revision int64
}

// NewAssignments returns the assignments of a store, of about as many bytes in memory at most. definitions are those of
// the experiments that predicates name; without them, which are nil then, every question that names one has an error.
func NewAssignments(st *store.Store, definitions Definitions, bytes uint64, log *slog.Logger) (*Assignments, error) {
	exposures, err := newExposures(st, bytes/2, log)
	if err != nil {
		return nil, err
	}
	kept, err := newKeep(bytes * 3 / 8)
	if err != nil {
		return nil, err
	}
	sets, err := otter.New(&otter.Options[setsKey, []column.Set]{
		MaximumWeight: bytes / 8,
		Weigher: func(_ setsKey, sets []column.Set) uint32 {
			bytes := 200
			for _, set := range sets {
				bytes += 50 + 8*len(set.Words())
			}
			return uint32(min(bytes, math.MaxUint32))
		},
	})
	return &Assignments{store: st, definitions: definitions, exposures: exposures, kept: kept, sets: sets, meter: partition.Meter{Name: "assignment_indexes"}}, err
}

// Meters count the indexes that were known, and the exposures that were loaded, built and brought forward.
func (a *Assignments) Meters() []*partition.Meter {
	return append([]*partition.Meter{&a.meter}, a.exposures.cache.Meters()...)
}

// Bytes is about how much memory the assignments take.
func (a *Assignments) Bytes() uint64 {
	return a.exposures.cache.Bytes() + a.kept.entries.WeightedSize() + a.sets.WeightedSize()
}

// SealBehind stores the exposures of a site's partitions, or those of count.AllSites, that were last written to before an
// instant, where they are not stored as they are. It returns how many.
func (a *Assignments) SealBehind(ctx context.Context, site int64, before model.Millis) (sealed int, err error) {
	const some = 50
	for {
		behind, err := a.store.ExposuresBehind(ctx, site, before, some)
		if err != nil || len(behind) == 0 {
			return sealed, err
		}
		for i := range behind {
			if err := a.exposures.seal(ctx, &behind[i].Partition, behind[i].Experiment); err != nil {
				return sealed, err
			}
			sealed++
		}
	}
}

var _ count.Leaves = (*Assignments)(nil)

// Resolve makes ready to answer the filter.Assigned of a predicate. An audience that depends on its own experiment is an
// error.
func (a *Assignments) Resolve(ctx context.Context, matcher *count.Matcher, site int64, where filter.Expr) (count.Resolved, error) {
	keys := filter.Experiments(where)
	if len(keys) == 0 {
		return nil, nil
	}
	r := &resolved{assignments: a, indexes: map[string]*index{}}
	for _, key := range keys {
		definition, err := a.define(ctx, site, key)
		if err != nil {
			return nil, err
		}
		if slices.Contains(audiences(ctx), key) {
			return nil, model.Errorf(model.BadInput, "the audience of the experiment %q depends on the experiment itself; change its filters", key)
		}
		if r.indexes[key], err = a.index(ctx, matcher, &definition); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (a *Assignments) define(ctx context.Context, site int64, key string) (Definition, error) {
	if a.definitions == nil {
		return Definition{}, model.Errorf(model.BadInput, "the site has no experiment %q", key)
	}
	return a.definitions.Experiment(ctx, site, key)
}

type audiencesKey struct{}

// audiences are the keys of the experiments whose audiences are being evaluated.
func audiences(ctx context.Context) []string {
	keys, _ := ctx.Value(audiencesKey{}).([]string)
	return keys
}

func withAudience(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, audiencesKey{}, append(slices.Clip(audiences(ctx)), key))
}

// resolved answers the filter.Assigned of some experiments.
type resolved struct {
	assignments *Assignments
	indexes     map[string]*index
}

// IsLocal is false: who is assigned follows from other partitions too.
func (*resolved) IsLocal() bool { return false }

func (*resolved) Dimensions() []column.Dimension {
	return []column.Dimension{column.Visitors, column.Dimension(filter.Start.Name)}
}

func (*resolved) Ready(context.Context, []store.Partition) error { return nil }

func (r *resolved) At(context.Context, *store.Partition) (count.LeafSets, error) {
	return count.LeafSets{Set: func(leaf filter.Expr, view *partition.View) (column.Set, bool) {
		assigned, ok := leaf.(filter.Assigned)
		index := r.indexes[assigned.Experiment]
		if !ok || index == nil {
			return nil, false
		}
		chosen := bitset.New(uint(view.Ordinals()))
		for place, set := range r.assignments.variantSets(index, view) {
			if slices.Contains(assigned.Variants, index.variants[place]) {
				chosen.InPlaceUnion(set)
			}
		}
		return chosen, true
	}}, nil
}

// variantSets returns the sessions of each variant in a partition.
func (a *Assignments) variantSets(x *index, view *partition.View) []column.Set {
	key := setsKey{x.fingerprint, view.Partition, view.Revision}
	isKept := x.fingerprint != count.Fingerprint{}
	if isKept {
		if sets, found := a.sets.GetIfPresent(key); found {
			return sets
		}
	}
	sets := make([]column.Set, len(x.variants))
	for i := range sets {
		sets[i] = bitset.New(uint(view.Ordinals()))
	}
	view.EachVisitor(view.Counting(), func(ordinal int32, visitor int64, start model.Millis) {
		if place := x.variantOf(visitor, model.SessionID{Partition: view.Partition, Ordinal: ordinal}, start); place >= 0 {
			sets[place].Set(uint(ordinal))
		}
	})
	if isKept {
		a.sets.Set(key, sets)
	}
	return sets
}

// fill fills in the variants of a session.
func (r *resolved) fill(session *model.Session) {
	if r == nil {
		return
	}
	session.Assigned = make(map[string]string, len(r.indexes))
	for key, index := range r.indexes {
		if place := index.variantOf(session.Visitor, session.ID, session.Start); place >= 0 {
			session.Assigned[key] = index.variants[place]
		}
	}
}

// index returns the assignment index of an experiment.
func (a *Assignments) index(ctx context.Context, matcher *count.Matcher, d *Definition) (*index, error) {
	if d.Run.From >= d.Run.To {
		return newIndex(d, nil, newVisitors(nil), nil), nil
	}
	resolution, err := matcher.Resolve(withAudience(ctx, d.Key), d.Site, d.Audience)
	if err != nil {
		return nil, err
	}
	_, last := d.Run.Days()
	partitions, err := a.store.PartitionsAssigned(ctx, d.Site, d.Key, last)
	if err != nil {
		return nil, err
	}
	if err := resolution.Ready(ctx, partitions); err != nil {
		return nil, err
	}
	b := &indexing{assignments: a, matcher: matcher, definition: d, resolution: resolution, isLocal: resolution.IsLocal()}
	if !b.isLocal { // it depends on more than these partitions
		return b.build(ctx, partitions)
	}
	key := count.FingerprintOf(d.text(), revisionsOf(partitions))
	if x, found := kept[*index](a.kept, key); found {
		a.meter.Add(ctx, 1, 0, time.Now())
		return x, nil
	}
	begin := time.Now()
	defer func() { a.meter.Add(ctx, 0, 1, begin) }()
	return count.Once(ctx, &a.flights, string(key[:]), func() (*index, error) {
		x, err := b.build(ctx, partitions)
		if err == nil {
			x.fingerprint = key
			a.kept.entries.Set(key, x)
		}
		return x, err
	})
}

// text tells the definition from others.
func (d *Definition) text() string {
	return fmt.Sprintf("%d %q %d %d %q %s", d.Site, d.Key, d.Run.From, d.Run.To, d.Variants, d.Audience)
}

// revisionsOf tells partitions as they are from what they were and will be.
func revisionsOf(partitions []store.Partition) string {
	var text strings.Builder
	for i := range partitions {
		fmt.Fprintf(&text, "%d %d %d ", partitions[i].ID, partitions[i].Revision, partitions[i].WrittenAt)
	}
	return text.String()
}

// indexing builds an index.
type indexing struct {
	assignments *Assignments
	matcher     *count.Matcher
	definition  *Definition
	resolution  count.Resolution
	isLocal     bool
}

// build joins all assignments that qualify. Those of the sealed partitions are kept: mostly the head alone changes.
func (b *indexing) build(ctx context.Context, partitions []store.Partition) (*index, error) {
	head := len(partitions) - 1
	if head < 0 {
		return newIndex(b.definition, nil, newVisitors(nil), nil), nil
	}
	key := count.FingerprintOf(b.definition.text(), "sealed", revisionsOf(partitions[:head]))
	sealed, found := kept[*visitors](b.assignments.kept, key)
	if !found || !b.isLocal {
		lists := make([][]assignee, head)
		group, within := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for place := range lists {
			group.Go(func() (err error) {
				lists[place], err = b.assignees(within, &partitions[place], int32(place))
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		sealed = newVisitors(standingOf(lists))
		if b.isLocal {
			b.assignments.kept.entries.Set(key, sealed)
		}
	}
	list, err := b.assignees(ctx, &partitions[head], int32(head))
	if err != nil {
		return nil, err
	}
	return newIndex(b.definition, partitions, sealed, list), ctx.Err()
}

// assignees returns the assignments that qualify in a partition, of each visitor the one that would stand if there were
// no other partitions, in the order of the visitors.
func (b *indexing) assignees(ctx context.Context, p *store.Partition, place int32) ([]assignee, error) {
	d, audience := b.definition, column.Set(nil)
	if d.Audience != filter.Expr(filter.Bool(true)) {
		var err error
		if audience, err = b.matcher.Match(ctx, p, b.resolution, d.Audience); err != nil {
			return nil, err
		}
	}
	var list []assignee
	err := b.assignments.exposures.read(ctx, p, d.Key, nil, func(x *exposure) error {
		variants := placesOf(x.variants, d.Variants)
		list = make([]assignee, 0, len(x.assignments))
		for i := range x.assignments {
			a := &x.assignments[i]
			variant := variants[a.Variant]
			if variant < 0 || !d.Run.Contains(a.At) || audience != nil && !audience.Test(uint(a.Ordinal)) {
				continue
			}
			list = append(list, assignee{
				visitor: a.Visitor, at: a.At, other: model.Open, end: a.End, high: uint64(a.IDHigh), low: uint64(a.IDLow),
				ordinal: a.Ordinal, partition: place, variant: variant, first: a.First,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return standOut(list), nil
}

// placesOf returns where each variant is in the experiment's list, -1 where it is not.
func placesOf(variants, among []string) []int16 {
	places := make([]int16, len(variants))
	for i, variant := range variants {
		places[i] = int16(slices.Index(among, variant))
	}
	return places
}
