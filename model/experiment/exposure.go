package experiment

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// exposureKey names an exposure.
type exposureKey struct {
	partition  int64
	experiment string
}

// exposure holds one partition's assignments to an experiment, and the columns of those sessions cut to start at the
// first assignment. Whichever assignment stands, it mostly is that one, so goals are evaluated on these columns.
type exposure struct {
	// assignments are ordered by visitor, time and message. The list does not change; it is nil while it is not loaded.
	assignments []column.Assignment
	variants    []string
	*column.Sessions

	// sets are those of predicates.
	setsMu sync.Mutex
	sets   column.Memo
}

const (
	// assignmentBytes is about what an assignment takes in memory.
	assignmentBytes = 56
	// maxForward is how many sessions are brought forward at most: if more have changed, the exposure is built anew, which
	// keeps none of them in memory meanwhile.
	maxForward = 20_000
	// maxSets bounds the sets that are kept of predicates, and maxText the texts of these.
	maxSets = 32
	maxText = 1024
	// visitBatch is how many visits are read at once.
	visitBatch = 1000
)

// readExposure calls do with the exposure of an experiment in a partition as it is at the partition's revision, or a newer
// one, with the dimensions.
func (a *Assignments) readExposure(ctx context.Context, p *store.Partition, experiment string, dimensions []column.Dimension, do func(*exposure) error) error {
	source := a.source(p, experiment, append([]column.Dimension{column.Counting}, dimensions...))
	return a.exposures.Read(ctx, source.key(), p, source, func(x *exposure, revision store.Revision) error {
		count.NoteRead(ctx, p, revision)
		return do(x)
	})
}

func (a *Assignments) source(p *store.Partition, experiment string, dimensions []column.Dimension) *exposureSource {
	return &exposureSource{store: a.store, partition: p, experiment: experiment, dimensions: dimensions}
}

// exposureSource is the Source of the exposure of an experiment in a partition.
type exposureSource struct {
	store      *store.Store
	partition  *store.Partition
	experiment string
	// dimensions are those that the question needs. Counting is the first: the others are held against it.
	dimensions []column.Dimension
}

var _ partition.Source[*exposure] = (*exposureSource)(nil)

func (s *exposureSource) key() exposureKey { return exposureKey{s.partition.ID, s.experiment} }

func (s *exposureSource) Place() partition.Place {
	return partition.Place{Kind: "exposures", Partition: s.partition.ID, Of: s.experiment}
}

func (*exposureSource) Empty() *exposure { return &exposure{Sessions: column.Unloaded()} }

func (*exposureSource) Copy(x *exposure) *exposure {
	return &exposure{assignments: x.assignments, variants: x.variants, Sessions: x.Sessions.Copy()}
}

func (s *exposureSource) Missing(x *exposure, all bool) []string {
	names := partition.MissingColumns(x.Sessions, s.dimensions, all)
	if x.assignments == nil {
		names = append(names, store.AssignmentsDimension)
	}
	return names
}

func (s *exposureSource) Stored(ctx context.Context, names []string, tries store.Origin) (store.Stored, error) {
	return s.store.ExperimentColumns(ctx, s.partition, s.experiment, names, tries)
}

func (*exposureSource) Decode(x *exposure, name string, plain []byte) (_ *exposure, err error) {
	if name == store.AssignmentsDimension {
		x.assignments, x.variants, err = column.DecodeAssignments(plain)
		return x, err
	}
	return x, x.Load(column.Dimension(name), plain)
}

// Build reads everything as it is at one moment: what is read of a later write, which may be lost, would stay.
func (s *exposureSource) Build(ctx context.Context) (x *exposure, revision store.Revision, err error) {
	err = s.store.AtOneMoment(ctx, func(st *store.Store) error {
		if revision, err = st.RevisionOf(ctx, s.partition.SiteID, s.partition.ID); err != nil {
			return err
		}
		rows, err := st.Assignments(ctx, s.partition.SiteID, s.experiment, s.partition.ID)
		if err != nil {
			return err
		}
		x = &exposure{assignments: []column.Assignment{}, Sessions: column.New()}
		return s.eachVisit(ctx, st, rows, func(visit *model.Visit, own []store.Assignment) {
			x.add(visit, own)
			if part, ok := visit.Part(own[0].At, model.Open); ok {
				x.Put(&part)
			}
		})
	})
	if err != nil {
		return nil, revision, err
	}
	x.sort()
	return x, revision, nil
}

// changedVisit is a visit with assignments that has changed, without its hits.
type changedVisit struct {
	model.Visit
	own []store.Assignment
	// part is the session from its first assignment on; ok is false where there is none.
	part model.Session
	ok   bool
}

// changes reads what was written after a revision, as it is at one moment. isMany tells that it is too much.
func (s *exposureSource) changes(ctx context.Context, revision store.Revision) (changed []int32, visits []changedVisit, newest store.Revision, isMany bool, err error) {
	err = s.store.AtOneMoment(ctx, func(st *store.Store) error {
		if changed, newest, err = st.ChangedOrdinals(ctx, s.partition.SiteID, s.partition.ID, revision); err != nil {
			return err
		}
		if isMany = len(changed) > maxForward; isMany {
			return nil
		}
		rows, err := st.AssignmentsAt(ctx, s.partition.SiteID, s.experiment, s.partition.ID, changed)
		if err != nil {
			return err
		}
		return s.eachVisit(ctx, st, rows, func(visit *model.Visit, own []store.Assignment) {
			part, ok := visit.Part(own[0].At, model.Open)
			visits = append(visits, changedVisit{model.Visit{Session: visit.Session}, own, part, ok})
		})
	})
	return changed, visits, newest, isMany, err
}

func (s *exposureSource) CatchUp(ctx context.Context, x *exposure, revision store.Revision, apply func(func(*exposure) *exposure)) (store.Revision, error) {
	changed, visits, newest, isMany, err := s.changes(ctx, revision)
	if err != nil {
		return store.Revision{}, err
	}
	if isMany {
		anew, newest, err := s.Build(ctx)
		if err == nil {
			apply(func(*exposure) *exposure { return anew })
		}
		return newest, err
	}
	isChanged := make(map[int32]bool, len(changed))
	for _, ordinal := range changed {
		isChanged[ordinal] = true
	}
	next := &exposure{assignments: make([]column.Assignment, 0, len(x.assignments)+len(visits)), variants: slices.Clone(x.variants)}
	var gone []int32
	for _, assignment := range x.assignments {
		if isChanged[assignment.Ordinal] {
			gone = append(gone, assignment.Ordinal)
		} else {
			next.assignments = append(next.assignments, assignment)
		}
	}
	for i := range visits {
		next.add(&visits[i].Visit, visits[i].own)
	}
	next.sort()
	if len(gone) == 0 && len(visits) == 0 {
		return newest, nil
	}
	apply(func(x *exposure) *exposure {
		next.Sessions = x.Sessions
		for _, ordinal := range gone {
			next.Drop(ordinal)
		}
		for i := range visits {
			if visits[i].ok {
				next.Put(&visits[i].part)
			}
		}
		return next
	})
	return newest, nil
}

// eachVisit calls do with the visits of assignments, and the assignments of each, of which there is one at least.
func (s *exposureSource) eachVisit(ctx context.Context, st *store.Store, rows []store.Assignment, do func(visit *model.Visit, own []store.Assignment)) error {
	var ordinals []int32
	own := map[int32][]store.Assignment{}
	for from := 0; from < len(rows); {
		to, ordinal := from+1, rows[from].Ordinal
		for to < len(rows) && rows[to].Ordinal == ordinal {
			to++
		}
		// Databases order the halves of ids by their signs.
		slices.SortFunc(rows[from:to], func(a, b store.Assignment) int {
			return a.Hit().Compare(b.Hit())
		})
		ordinals, own[ordinal] = append(ordinals, ordinal), rows[from:to]
		from = to
	}
	for batch := range slices.Chunk(ordinals, visitBatch) {
		visits, err := st.WholeVisitsAt(ctx, s.partition.SiteID, s.partition.ID, batch, false)
		if err != nil {
			return err
		}
		for i := range visits {
			do(&visits[i], own[visits[i].Session.ID.Ordinal])
		}
	}
	return ctx.Err()
}

// add adds the assignments of a visit.
func (x *exposure) add(visit *model.Visit, own []store.Assignment) {
	for i, a := range own {
		variant := slices.Index(x.variants, a.Variant)
		if variant < 0 {
			variant, x.variants = len(x.variants), append(x.variants, a.Variant)
		}
		x.assignments = append(x.assignments, column.Assignment{
			Ordinal: a.Ordinal, Variant: uint32(variant), Visitor: visit.Session.Visitor, At: a.At, End: visit.Session.End,
			Place: a.Place, IDHigh: a.IDHigh, IDLow: a.IDLow, First: i == 0,
		})
	}
}

func (x *exposure) sort() {
	slices.SortFunc(x.assignments, func(a, b column.Assignment) int {
		return cmp.Or(cmp.Compare(a.Visitor, b.Visitor), cmp.Compare(a.At, b.At), cmp.Compare(a.Place, b.Place),
			cmp.Compare(uint64(a.IDHigh), uint64(b.IDHigh)), cmp.Compare(uint64(a.IDLow), uint64(b.IDLow)))
	})
}

func (*exposureSource) Encode(x *exposure) (map[string][]byte, error) {
	records, err := partition.EncodeColumns(x.Sessions)
	if err != nil {
		return nil, err
	}
	records[store.AssignmentsDimension], err = column.EncodeAssignments(x.assignments, x.variants)
	return records, err
}

func (s *exposureSource) Save(ctx context.Context, revision store.Revision, sealed map[string][]byte) error {
	return s.store.SaveExperimentColumns(ctx, s.partition.SiteID, s.partition.ID, s.experiment, revision, sealed)
}

func (s *exposureSource) Forget(ctx context.Context) error {
	return s.store.ForgetExperimentColumns(ctx, s.partition.SiteID, s.partition.ID, s.experiment)
}

func (*exposureSource) Bytes(x *exposure) uint64 {
	return x.Sessions.Bytes() + assignmentBytes*uint64(cap(x.assignments)) + maxSets*uint64(x.Ordinals()/8+maxText)
}

// match returns the sessions whose cut columns match, from sets that are known. foreign are the sets of leaves that no
// column has; it is nil for predicates without such leaves.
func (x *exposure) match(where *column.Predicate, foreign column.Memo) (column.Set, error) {
	isKept := foreign == nil && len(where.Text().Value()) <= maxText
	if isKept {
		x.setsMu.Lock()
		set, found := x.sets.Get(where)
		x.setsMu.Unlock()
		if found {
			return set, nil
		}
	}
	set, err := x.Match(where, &exposureSets{Memo: column.Memo{}, of: x, foreign: foreign})
	if err == nil && isKept {
		x.setsMu.Lock()
		defer x.setsMu.Unlock()
		if x.sets == nil || len(x.sets) >= maxSets {
			x.sets = column.Memo{}
		}
		x.sets.Put(where, set)
	}
	return set, err
}

// exposureSets are the sets that are known while predicates are evaluated on an exposure.
type exposureSets struct {
	column.Memo
	of      *exposure
	foreign column.Memo
}

// Get returns the set of a predicate.
func (s *exposureSets) Get(p *column.Predicate) (column.Set, bool) {
	if set, found := s.foreign.Get(p); found {
		return s.of.Fit(set), true
	}
	return s.Memo.Get(p)
}
