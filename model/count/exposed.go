package count

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// exposures keep, for partitions and experiments, what is exposed. It is stored as the
// columns of partitions are, and brought forward by what was written since.
type exposures struct {
	store *store.Store
	log   *slog.Logger
	known *otter.Cache[exposedKey, *exposed]

	loaded, made, forwarded layer
}

type exposedKey struct {
	partition  int64
	experiment string
}

// exposed is, of a partition's sessions with assignments to an experiment, the assignments,
// and the columns of what the sessions are from their first one on. Whichever
// assignment stands, it mostly is that one, so goals are evaluated on them.
type exposed struct {
	// turn is held by who changes it. mu is held while it changes, and while it is read.
	turn chan struct{}
	mu   sync.RWMutex
	// revision is the partition's, 0 while nothing is known; complete tells that all
	// dimensions are there.
	revision int64
	complete bool
	// rows are ordered by visitor, time and message. The list does not change.
	rows     []column.Assignment
	variants []string
	sessions *column.Sessions

	// sets are those of predicates, by their text.
	setsMu sync.Mutex
	sets   map[string]column.Set

	weight atomic.Uint32
}

func newExposures(st *store.Store, bytes uint64, log *slog.Logger) (*exposures, error) {
	known, err := otter.New(&otter.Options[exposedKey, *exposed]{
		MaximumWeight: bytes,
		Weigher:       func(_ exposedKey, x *exposed) uint32 { return x.weight.Load() },
	})
	e := &exposures{store: st, log: log, known: known}
	e.loaded.name, e.made.name, e.forwarded.name = "exposed stored", "exposed made", "exposed forward"
	return e, err
}

func newExposed() *exposed {
	x := &exposed{turn: make(chan struct{}, 1), sessions: column.Unloaded()}
	x.weigh()
	return x
}

const assignmentBytes = 56

// maxForward is how many sessions are brought forward at most: those of more are made
// anew, which keeps none of them in memory meanwhile.
const maxForward = 20_000

// maxSets bounds the sets that are kept of predicates.
const maxSets = 32

func (x *exposed) weigh() {
	x.weight.Store(uint32(min(500+x.sessions.Bytes()+uint64(assignmentBytes*cap(x.rows))+uint64(maxSets*x.sessions.Ordinals()/8), 1<<32-1)))
}

func (x *exposed) has(revision int64, dimensions []column.Dimension) bool {
	return x.revision >= revision && len(x.sessions.Missing(dimensions)) == 0
}

// read calls do with what is exposed in a partition at its revision, or newer, with the
// dimensions. It does not change meanwhile.
func (e *exposures) read(ctx context.Context, partition store.Partition, experiment string, dimensions []column.Dimension, do func(*exposed) error) error {
	dimensions = append(slices.Clip(dimensions), column.Counting)
	key := exposedKey{partition.ID, experiment}
	x, _ := e.known.ComputeIfAbsent(key, func() (*exposed, bool) { return newExposed(), false })
	for {
		x.mu.RLock()
		if x.has(partition.Revision, dimensions) {
			defer x.mu.RUnlock()
			return do(x)
		}
		x.mu.RUnlock()
		if err := e.prepareInTurn(ctx, x, partition, experiment, dimensions); err != nil {
			return err
		}
		e.known.Set(key, x) // it has another weight now
	}
}

func (e *exposures) prepareInTurn(ctx context.Context, x *exposed, partition store.Partition, experiment string, dimensions []column.Dimension) error {
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	defer x.weigh()
	if x.has(partition.Revision, dimensions) {
		return nil // another one was faster
	}
	if !x.complete {
		loaded, err := e.load(ctx, x, partition, experiment, dimensions)
		if err != nil {
			return err
		}
		if !loaded {
			return e.make(ctx, x, partition, experiment)
		}
	}
	if x.revision >= partition.Revision {
		return nil
	}
	return e.forward(ctx, x, partition, experiment)
}

// load loads what is stored and missing; all dimensions where it is to be brought
// forward. loaded is false where that is not stored, or not readably.
func (e *exposures) load(ctx context.Context, x *exposed, partition store.Partition, experiment string, dimensions []column.Dimension) (loaded bool, err error) {
	begin := time.Now()
	rows, variants, sessions, revision := x.rows, x.variants, x.sessions.Copy(), x.revision
	if revision < partition.Revision {
		sessions, revision = column.Unloaded(), 0
	}
	// What is stored may be of a newer revision each time that it is read.
	for range maxRounds {
		names := []string{store.AssignmentsDimension}
		for _, dimension := range sessions.Missing(dimensions) {
			names = append(names, string(dimension))
		}
		stored, err := e.store.ExperimentColumns(ctx, partition.ID, experiment, names)
		if err != nil {
			return false, err
		}
		if len(stored) == 0 {
			e.loaded.add(0, 1, begin)
			return false, nil
		}
		// Counting comes first: the others are held against it.
		slices.SortFunc(stored, func(a, b store.ExperimentColumn) int { return rank(a.Dimension) - rank(b.Dimension) })
		if stored[0].Revision != revision {
			sessions, revision = column.Unloaded(), stored[0].Revision
		}
		if len(stored) < len(names) {
			err = fmt.Errorf("%d of %d columns are missing", len(names)-len(stored), len(names))
		}
		for i := 0; i < len(stored) && err == nil; i++ {
			c := &stored[i]
			var data []byte
			if data, err = unsealExposed(c); err != nil {
				break
			}
			if c.Dimension == store.AssignmentsDimension {
				rows, variants, err = column.DecodeAssignments(data)
			} else if len(sessions.Missing([]column.Dimension{column.Counting})) == 0 || c.Dimension == string(column.Counting) {
				err = sessions.Load(column.Dimension(c.Dimension), data)
			}
		}
		if err != nil {
			return false, e.forget(ctx, partition.ID, experiment, revision, err)
		}
		if revision < partition.Revision {
			dimensions = append(column.Dimensions(), column.Counting)
		}
		if len(sessions.Missing(dimensions)) == 0 {
			e.loaded.add(1, 0, begin)
			x.change(rows, variants, sessions, revision, len(sessions.Missing(column.Dimensions())) == 0)
			return true, nil
		}
	}
	return false, nil
}

// forget has what is stored made anew.
func (e *exposures) forget(ctx context.Context, partition int64, experiment string, revision int64, reason error) error {
	e.log.WarnContext(ctx, "stored columns of an experiment are damaged, and are made anew", "partition", partition, "experiment", experiment, "revision", revision, "error", reason)
	if err := e.store.ForgetExperimentColumns(ctx, partition, experiment, revision); err != nil {
		if ctx.Err() != nil {
			return err
		}
		e.log.WarnContext(ctx, "stored columns of an experiment that are damaged stay", "partition", partition, "experiment", experiment, "error", err)
	}
	return nil
}

// change takes in what is exposed at a revision.
func (x *exposed) change(rows []column.Assignment, variants []string, sessions *column.Sessions, revision int64, complete bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.set(rows, variants, sessions, revision, complete)
}

func (x *exposed) set(rows []column.Assignment, variants []string, sessions *column.Sessions, revision int64, complete bool) {
	x.rows, x.variants, x.sessions, x.revision, x.complete = rows, variants, sessions, revision, complete
	x.sets = nil
}

// make makes it from all hits, and stores it: that is not to be done twice.
func (e *exposures) make(ctx context.Context, x *exposed, partition store.Partition, experiment string) error {
	begin := time.Now()
	assignments, err := e.store.Assignments(ctx, partition.SiteID, experiment, partition.ID, 0)
	if err != nil {
		return err
	}
	var variants []string
	var rows []column.Assignment
	sessions := column.New()
	err = e.eachExposed(ctx, partition.ID, assignments, func(visit *model.Visit, own []store.Assignment) {
		rows = appendExposed(rows, &variants, visit, own)
		if part, ok := visit.Part(model.Hit{At: own[0].At, ID: own[0].Message()}, model.Open); ok {
			sessions.Put(&part)
		}
	})
	if err != nil {
		return err
	}
	sortExposed(rows)
	e.made.add(1, 0, begin)
	x.change(rows, variants, sessions, partition.Revision, true)
	data, err := x.encode(partition.ID, experiment)
	if err != nil {
		return err
	}
	if err := e.store.SaveExperimentColumns(ctx, partition.ID, experiment, x.revision, data); err != nil && ctx.Err() == nil {
		// Such as a database that is read-only. It is no reason not to answer.
		e.log.WarnContext(ctx, "columns of an experiment could not be stored", "partition", partition.ID, "experiment", experiment, "error", err)
	}
	return ctx.Err()
}

// forward reads what was written since.
func (e *exposures) forward(ctx context.Context, x *exposed, partition store.Partition, experiment string) error {
	begin := time.Now()
	changed, newest, err := e.store.ChangedOrdinals(ctx, partition.ID, x.revision)
	if err != nil {
		return err
	}
	if len(changed) > maxForward {
		return e.make(ctx, x, partition, experiment)
	}
	assignments, err := e.store.AssignmentsAt(ctx, partition.SiteID, experiment, partition.ID, changed)
	if err != nil {
		return err
	}
	isChanged := make(map[int32]bool, len(changed))
	for _, ordinal := range changed {
		isChanged[ordinal] = true
	}
	var parts []model.Session
	variants, some := slices.Clone(x.variants), []column.Assignment(nil)
	err = e.eachExposed(ctx, partition.ID, assignments, func(visit *model.Visit, own []store.Assignment) {
		some = appendExposed(some, &variants, visit, own)
		if part, ok := visit.Part(model.Hit{At: own[0].At, ID: own[0].Message()}, model.Open); ok {
			parts = append(parts, part)
		}
	})
	if err != nil {
		return err
	}
	rows := make([]column.Assignment, 0, len(x.rows)+len(some))
	var gone []int32
	for _, row := range x.rows {
		if isChanged[row.Ordinal] {
			gone = append(gone, row.Ordinal)
		} else {
			rows = append(rows, row)
		}
	}
	rows = append(rows, some...)
	sortExposed(rows)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, ordinal := range gone {
		x.sessions.Drop(ordinal)
	}
	for i := range parts {
		x.sessions.Put(&parts[i])
	}
	x.set(rows, variants, x.sessions, max(newest, partition.Revision), true)
	e.forwarded.add(1, 0, begin)
	return nil
}

// eachExposed calls do with the visits of the assignments, and the assignments of each,
// of which there is one at least.
func (e *exposures) eachExposed(ctx context.Context, partition int64, assignments []store.Assignment, do func(visit *model.Visit, own []store.Assignment)) error {
	var ordinals []int32
	own := map[int32][]store.Assignment{}
	for from := 0; from < len(assignments); {
		to, ordinal := from+1, assignments[from].Ordinal
		for to < len(assignments) && assignments[to].Ordinal == ordinal {
			to++
		}
		// Databases order the halves of ids by their signs.
		slices.SortFunc(assignments[from:to], func(a, b store.Assignment) int {
			return model.Hit{At: a.At, ID: a.Message()}.Compare(model.Hit{At: b.At, ID: b.Message()})
		})
		ordinals, own[ordinal] = append(ordinals, ordinal), assignments[from:to]
		from = to
	}
	for batch := range slices.Chunk(ordinals, computeBatch) {
		visits, err := e.store.WholeVisitsAt(ctx, partition, batch, false)
		if err != nil {
			return err
		}
		for i := range visits {
			do(&visits[i], own[visits[i].Session.ID.Ordinal])
		}
	}
	return ctx.Err()
}

func appendExposed(rows []column.Assignment, variants *[]string, visit *model.Visit, own []store.Assignment) []column.Assignment {
	for i, a := range own {
		place := slices.Index(*variants, a.Variant)
		if place < 0 {
			place = len(*variants)
			*variants = append(*variants, a.Variant)
		}
		rows = append(rows, column.Assignment{
			Ordinal: a.Ordinal, Variant: uint32(place), Visitor: visit.Session.Visitor, At: a.At, End: visit.Session.End, IDHigh: a.IDHigh, IDLow: a.IDLow, First: i == 0,
		})
	}
	return rows
}

func sortExposed(rows []column.Assignment) {
	slices.SortFunc(rows, func(a, b column.Assignment) int {
		return cmp.Or(cmp.Compare(a.Visitor, b.Visitor), cmp.Compare(a.At, b.At), cmp.Compare(uint64(a.IDHigh), uint64(b.IDHigh)), cmp.Compare(uint64(a.IDLow), uint64(b.IDLow)))
	})
}

// encode returns what is exposed as it is stored, by dimension. All of it must be there.
func (x *exposed) encode(partition int64, experiment string) (map[string][]byte, error) {
	columns, err := x.sessions.Encode()
	if err != nil {
		return nil, err
	}
	if columns[store.AssignmentsDimension], err = column.EncodeAssignments(x.rows, x.variants); err != nil {
		return nil, err
	}
	data := make(map[string][]byte, len(columns))
	for dimension, column := range columns {
		data[string(dimension)] = append(sealOfExposed(partition, experiment, x.revision, string(dimension)), column...)
	}
	return data, nil
}

// StoreExposed stores what is exposed in a site's partitions, or those of AllSites, that
// were last written to before an instant, where it is not stored as it is. It returns
// how many times.
func (e *Columns) StoreExposed(ctx context.Context, site int64, before model.Millis) (stored int, err error) {
	const some = 50
	for {
		behind, err := e.store.ExposuresBehind(ctx, site, before, some)
		if err != nil || len(behind) == 0 {
			return stored, err
		}
		for _, exposure := range behind {
			if err := e.exposures.keep(ctx, exposure); err != nil {
				return stored, err
			}
			stored++
		}
	}
}

// keep stores what is exposed in a partition as it is.
func (e *exposures) keep(ctx context.Context, exposure store.Exposure) error {
	data, revision := map[string][]byte(nil), int64(0)
	err := e.read(ctx, exposure.Partition, exposure.Experiment, column.Dimensions(), func(x *exposed) (err error) {
		revision = x.revision
		data, err = x.encode(exposure.ID, exposure.Experiment)
		return err
	})
	if err != nil {
		return err
	}
	return e.store.SaveExperimentColumns(ctx, exposure.ID, exposure.Experiment, revision, data)
}

func sealOfExposed(partition int64, experiment string, revision int64, dimension string) []byte {
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d %d %d %q %s", column.Format, partition, revision, experiment, dimension)
	return hash.Sum(nil)
}

func unsealExposed(c *store.ExperimentColumn) ([]byte, error) {
	if plain, found := bytes.CutPrefix(c.Data, sealOfExposed(c.PartitionID, c.Experiment, c.Revision, c.Dimension)); found {
		return plain, nil
	}
	return nil, errors.New("it is one of another place")
}

// match returns the sessions whose parts match, from sets that are known. whole are the
// rosters' sets for the whole sessions.
func (x *exposed) match(where filter.Expr, whole func(e filter.Assigned, ordinals int) column.Set) (column.Set, error) {
	prepared := column.Prepare(where)
	text := prepared.String()
	keeps := len(filter.Experiments(where)) == 0 && len(text) <= maxText
	if keeps {
		x.setsMu.Lock()
		set, found := x.sets[text]
		x.setsMu.Unlock()
		if found {
			return set, nil
		}
	}
	set, err := x.sessions.Match(prepared, exposedSets{column.Memo{}, whole, x.sessions.Ordinals()})
	if err == nil && keeps {
		x.setsMu.Lock()
		defer x.setsMu.Unlock()
		if x.sets == nil || len(x.sets) >= maxSets {
			x.sets = map[string]column.Set{}
		}
		x.sets[text] = set
	}
	return set, err
}

// exposedSets are the sets of predicates on parts.
type exposedSets struct {
	column.Memo
	whole    func(e filter.Assigned, ordinals int) column.Set
	ordinals int
}

// Get returns the set of a text.
func (s exposedSets) Get(e filter.Expr, text string) (column.Set, bool) {
	if assigned, ok := e.(filter.Assigned); ok {
		return s.whole(assigned, s.ordinals), true
	}
	return s.Memo.Get(e, text)
}
