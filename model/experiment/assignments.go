package experiment

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bits-and-blooms/bitset"
	"github.com/maypok86/otter/v2"
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
	exposures   *partition.Cache[exposureKey, *exposure]
	// indexes are the newest ones, by definition.
	indexes *otter.Cache[count.Fingerprint, *index]
	// sets are, of a partition, the sessions of each variant.
	sets *otter.Cache[setsKey, []column.Set]
	// units are the newest ones, by site.
	units   *otter.Cache[int64, *units]
	flights singleflight.Group
	// serials counts the lists of sealed partitions' visitors.
	serials atomic.Int64
	meter   partition.Meter
}

// setsKey names what the sets were made from.
type setsKey struct {
	index     count.Fingerprint
	partition int64
	revision  store.Revision
}

// NewAssignments returns the assignments of a store, of about as many bytes in memory at most. definitions are those of
// the experiments that predicates name; without them, which are nil then, every question that names one has an error.
func NewAssignments(st *store.Store, definitions Definitions, bytes uint64, log *slog.Logger) *Assignments {
	exposures := partition.NewCache[exposureKey, *exposure]("exposures", bytes*4/11, log)
	exposures.SavesBuilt = true // for them, all hits of the sessions are read and folded
	return &Assignments{
		store: st, definitions: definitions, exposures: exposures, meter: partition.Meter{Name: "assignment_indexes"},
		indexes: partition.Bounded(bytes*5/11, func(_ count.Fingerprint, x *index) uint64 { return x.bytes() }),
		units:   partition.Bounded(bytes/11, func(_ int64, u *units) uint64 { return u.bytes() }),
		sets: partition.Bounded(bytes/11, func(_ setsKey, sets []column.Set) uint64 {
			bytes := 200
			for _, set := range sets {
				bytes += 50 + 8*len(set.Words())
			}
			return uint64(bytes)
		}),
	}
}

// Meters count the indexes that were known, and the exposures that were loaded, built and brought forward.
func (a *Assignments) Meters() []*partition.Meter {
	return append([]*partition.Meter{&a.meter}, a.exposures.Meters()...)
}

// Bytes is about how much memory the assignments take.
func (a *Assignments) Bytes() uint64 {
	return a.exposures.Bytes() + a.indexes.WeightedSize() + a.sets.WeightedSize() + a.units.WeightedSize()
}

// Seal stores an exposure as it is.
func (a *Assignments) Seal(ctx context.Context, of *store.Exposure) error {
	source := a.source(&of.Partition, of.Experiment, column.Dimensions())
	return a.exposures.Save(ctx, source.key(), source.partition, source)
}

var _ count.Leaves = (*Assignments)(nil)

// Resolve makes ready to answer the filter.Assigned of a predicate. An audience that depends on its own experiment is an
// error.
func (a *Assignments) Resolve(ctx context.Context, matcher *count.Matcher, site int64, where filter.Expr) (count.Resolution, error) {
	keys := filter.Experiments(where)
	if len(keys) == 0 {
		return nil, nil
	}
	indexes := make(map[string]*index, len(keys))
	for _, key := range keys {
		definition, err := a.define(ctx, site, key)
		if err != nil {
			return nil, err
		}
		if slices.Contains(audiences(ctx), key) {
			return nil, model.Errorf(model.BadInput, "the audience of the experiment %q depends on the experiment itself; change its filters", key)
		}
		units, err := a.unitsOf(ctx, &definition)
		if err != nil {
			return nil, err
		}
		if indexes[key], err = a.index(ctx, matcher, &definition, units); err != nil {
			return nil, err
		}
	}
	return count.Resolution{{
		// It is not local: who is assigned follows from other partitions too.
		Dimensions: []column.Dimension{column.Visitors, column.Dimension(filter.Start.Name)},
		Set: func(leaf filter.Expr, view *partition.View) (column.Set, bool) {
			assigned, ok := leaf.(filter.Assigned)
			index := indexes[assigned.Experiment]
			if !ok || index == nil {
				return nil, false
			}
			chosen := bitset.New(uint(view.Ordinals()))
			for place, set := range a.variantSets(index, view) {
				if slices.Contains(assigned.Variants, index.variants[place]) {
					chosen.InPlaceUnion(set)
				}
			}
			return chosen, true
		},
		Fill: func(session *model.Session) {
			session.Assigned = make(map[string]string, len(indexes))
			for key, index := range indexes {
				if place := index.variantOf(session.Visitor, session.ID, session.Start); place >= 0 {
					session.Assigned[key] = index.variants[place]
				}
			}
		},
	}}, nil
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

// index returns the assignment index of an experiment, of its units.
func (a *Assignments) index(ctx context.Context, matcher *count.Matcher, d *Definition, units *units) (*index, error) {
	if d.Run.From >= d.Run.To {
		return newIndex(d, units, nil, newVisitors(nil), nil), nil
	}
	resolution, err := matcher.Resolve(withAudience(ctx, d.Key), d.Site, d.Audience)
	if err != nil {
		return nil, err
	}
	partitions, err := a.store.PartitionsAssigned(ctx, d.Site, d.Key, d.days())
	if err != nil {
		return nil, err
	}
	if err := resolution.Ready(ctx, partitions); err != nil {
		return nil, err
	}
	b := &indexing{assignments: a, matcher: matcher, definition: d, units: units, resolution: resolution}
	if !resolution.IsLocal() { // it depends on more than these partitions
		return b.build(ctx, partitions, nil)
	}
	definition, state := count.FingerprintOf(d.text()), count.StateOf(partitions, always)
	key := count.FingerprintOf(string(definition[:]), string(state[:]), units.text())
	known, found := a.indexes.GetIfPresent(definition)
	if found && known.fingerprint == key {
		a.meter.Add(ctx, 1, 0, time.Now())
		return known.over(partitions), nil
	}
	begin := time.Now()
	defer func() { a.meter.Add(ctx, 0, 1, begin) }()
	x, err := count.Once(ctx, &a.flights, string(key[:]), func() (*index, error) {
		ctx, watch := count.WithWatch(ctx)
		x, err := b.build(ctx, partitions, known)
		if err == nil {
			a.keep(watch, definition, key, x)
		}
		return x, err
	})
	if err != nil {
		return nil, err
	}
	if x.fingerprint != key && len(partitions) > 0 { // it is of later revisions, or not known to be of these
		count.NoteRead(ctx, &partitions[len(partitions)-1], store.Revision{})
	}
	return x.over(partitions), nil
}

// keep keeps an index whose partitions were read as they were asked for, or only for what the sealed ones say.
func (a *Assignments) keep(watch *count.Watch, definition, key count.Fingerprint, x *index) {
	head := max(0, len(x.partitions)-1)
	if watch.HaveMoved(x.partitions[:head]) {
		return
	}
	if !watch.HaveMoved(x.partitions[head:]) {
		x.fingerprint = key
	}
	a.indexes.Set(definition, x)
}

// always is the range of all instants.
var always = model.Range{From: -model.Open, To: model.Open}

// text tells the definition from others.
func (d *Definition) text() string {
	return fmt.Sprintf("%d %q %d %d %q %t %s", d.Site, d.Key, d.Run.From, d.Run.To, d.Variants, d.ByUser, d.Audience)
}

// days are those on which sessions begin in which the run can have assignments: a session that begins before it may go on in it.
func (d *Definition) days() model.Range {
	return model.Range{From: max(d.Run.From, model.MaxSessionLength-model.Open) - model.MaxSessionLength, To: d.Run.To}
}

// indexing builds an index.
type indexing struct {
	assignments *Assignments
	matcher     *count.Matcher
	definition  *Definition
	units       *units
	resolution  count.Resolution
}

// build joins all assignments that qualify. Those of the sealed partitions are taken from an index that is known, which
// may be nil, where they are as they were: mostly the head alone changes.
func (b *indexing) build(ctx context.Context, partitions []store.Partition, known *index) (*index, error) {
	head := len(partitions) - 1
	if head < 0 {
		return newIndex(b.definition, b.units, nil, newVisitors(nil), nil), nil
	}
	var sealed *visitors
	state := count.StateOf(partitions[:head], always)
	if known != nil && known.sealedState == state && known.holdsFor(b.units, partitions[head].Day) {
		sealed = known.sealed
	} else {
		lists := make([][]assignee, head)
		if err := count.AtOnce(ctx, partitions[:head], func(ctx context.Context, place int, p store.Partition) (err error) {
			lists[place], err = b.assignees(ctx, &p, int32(place))
			return err
		}); err != nil {
			return nil, err
		}
		standing, err := standingOf(ctx, lists)
		if err != nil {
			return nil, err
		}
		sealed = newVisitors(standing)
		sealed.serial = b.assignments.serials.Add(1)
	}
	list, err := b.assignees(ctx, &partitions[head], int32(head))
	if err != nil {
		return nil, err
	}
	x := newIndex(b.definition, b.units, partitions, sealed, list)
	x.sealedState = state
	return x, ctx.Err()
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
	err := b.assignments.readExposure(ctx, p, d.Key, nil, func(x *exposure) error {
		variants := placesOf(x.variants, d.Variants)
		list = make([]assignee, 0, len(x.assignments))
		for i := range x.assignments {
			a := &x.assignments[i]
			variant := variants[a.Variant]
			if variant < 0 || !d.Run.Contains(a.At) || audience != nil && !audience.Test(uint(a.Ordinal)) {
				continue
			}
			list = append(list, assignee{
				visitor: b.units.of(a.Visitor), at: a.At, other: model.Open, end: a.End, place: a.Place, high: uint64(a.IDHigh), low: uint64(a.IDLow),
				ordinal: a.Ordinal, partition: place, variant: variant, first: a.First,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if b.units != nil { // the exposure has the order of the visitors
		slices.SortFunc(list, func(a, b assignee) int { return cmp.Compare(a.visitor, b.visitor) })
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
