package count

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Columns is the Engine that counts from columns in memory. Those of a partition come
// from the database, where they are stored a dimension a row, and only the
// dimensions that are asked about are loaded; or they are made from the partition's
// sessions. What was written to a partition since is read, by revision, before each
// answer. So the answers include every write that was committed before the
// question, on whatever node.
//
// What columns cannot say, which is the key of a visitor, it leaves to Scan.
type Columns struct {
	store      *store.Store
	scan       *Scan
	log        *slog.Logger
	partitions *otter.Cache[int64, *partition]

	// live is the partition of each site that was last brought forward.
	live *lru.Cache[int64, livePartition]

	gathering gathering
	computing *computing
	exposures *exposures
	results   *results

	loaded, made, forwarded, leafLayer layer
}

// partition is a partition in memory.
type partition struct {
	id       int64
	mu       sync.RWMutex
	sessions *column.Sessions
	// revision is that of the partition which the columns are of; 0 while there are none.
	revision int64
	// complete tells that all dimensions are loaded: the columns can be brought
	// forward. Otherwise they are as stored.
	complete bool
	// changes are the newest of those that brought it forward.
	changes changes
	// leaves are sets of leaves, by their text.
	leaves *lru.Cache[string, leafSet]
	// weight is about how many bytes all that takes. It is kept, so that who weighs
	// partitions does not wait for one that is being read.
	weight atomic.Uint32
}

func newPartition(id int64) *partition {
	b := &partition{id: id, sessions: column.Unloaded(), leaves: newLeaves()}
	b.weigh()
	return b
}

func (b *partition) weigh() {
	b.weight.Store(uint32(min(b.sessions.Bytes()+leafBytes(b.sessions.Ordinals()), 1<<32-1)))
}

// ColumnsOptions are the parts of a Columns that may be left out.
type ColumnsOptions struct {
	// Bytes bounds the columns in memory with the sets of leaves, about; 608 MiB by
	// default. The partitions that are asked about least are let go, and loaded again when
	// they are needed.
	Bytes uint64
	// AnswerBytes bounds the answers in memory, about; 16 MiB by default.
	AnswerBytes uint64
	// Caches keep counts, the nearest first; none by default.
	Caches []Cache
	// Computer is asked for what predicates cannot say; without one, questions that
	// need it have errors.
	Computer Computer
	// Definitions are those of the experiments that predicates name; without them,
	// questions that name one have errors.
	Definitions Definitions
	// ExperimentBytes bounds what is kept of experiments in memory, about; 256 MiB by
	// default.
	ExperimentBytes uint64
	// ComputedBytes bounds what was computed in memory, about; 32 MiB by default.
	ComputedBytes uint64
	// Log takes what was damaged and is made anew; none by default.
	Log *slog.Logger
}

// NewColumns returns a Columns over a store.
func NewColumns(st *store.Store, o ColumnsOptions) (*Columns, error) {
	if o.Bytes == 0 {
		o.Bytes = 608 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.AnswerBytes == 0 {
		o.AnswerBytes = 16 << 20
	}
	if o.ComputedBytes == 0 {
		o.ComputedBytes = 32 << 20
	}
	if o.ExperimentBytes == 0 {
		o.ExperimentBytes = 256 << 20
	}
	answers, err := newAnswers(o.AnswerBytes)
	if err != nil {
		return nil, err
	}
	partitions, err := otter.New(&otter.Options[int64, *partition]{
		MaximumWeight: o.Bytes,
		Weigher:       func(_ int64, b *partition) uint32 { return b.weight.Load() },
	})
	if err != nil {
		return nil, err
	}
	live, err := lru.New[int64, livePartition](maxLive)
	if err != nil {
		return nil, err
	}
	e := &Columns{store: st, scan: NewScan(st, o.Computer, o.Definitions), log: o.Log, partitions: partitions, live: live}
	if e.computing, err = newComputing(e, o.Computer, o.ComputedBytes); err != nil {
		return nil, err
	}
	if e.exposures, err = newExposures(st, o.ExperimentBytes/2, o.Log); err != nil {
		return nil, err
	}
	if e.results, err = newResults(o.ExperimentBytes / 2); err != nil {
		return nil, err
	}
	e.scan.choose, e.scan.assign = e.computing.choice, e.assign
	e.gathering = gathering{store: st, count: e.countPartition, answers: answers, caches: o.Caches, ready: e.computing.ready, assigned: e.scan.rosters}
	for _, cache := range o.Caches {
		e.gathering.layers = append(e.gathering.layers, &layer{name: cache.Name()})
	}
	e.loaded.name, e.made.name, e.forwarded.name, e.leafLayer.name = "stored", "made", "forward", "leaves"
	return e, nil
}

var _ Engine = (*Columns)(nil)

// read calls do with the partition's columns as they are at its revision, or newer,
// with the dimensions. They do not change meanwhile.
func (e *Columns) read(ctx context.Context, stored store.Partition, dimensions []column.Dimension, do func(*partition) error) error {
	dimensions = append(dimensions, column.Counting)
	b, _ := e.partitions.ComputeIfAbsent(stored.ID, func() (*partition, bool) {
		return newPartition(stored.ID), false
	})
	for {
		b.mu.RLock()
		if b.has(stored.Revision, dimensions) {
			defer b.mu.RUnlock()
			return do(b)
		}
		b.mu.RUnlock()

		b.mu.Lock()
		err := e.prepare(ctx, b, stored, dimensions)
		b.weigh()
		b.mu.Unlock()
		if err != nil {
			return err
		}
		e.partitions.Set(stored.ID, b) // it has another weight now
	}
}

func (b *partition) has(revision int64, dimensions []column.Dimension) bool {
	return b.revision >= revision && len(b.sessions.Missing(dimensions)) == 0
}

// prepare brings a locked partition to its revision, and loads the dimensions.
func (e *Columns) prepare(ctx context.Context, b *partition, stored store.Partition, dimensions []column.Dimension) error {
	if b.has(stored.Revision, dimensions) {
		return nil // another one was faster
	}
	if !b.complete && b.revision < stored.Revision && stored.ColumnsFormat == column.Format && stored.ColumnsRevision > 0 {
		b.sessions, b.revision = column.Unloaded(), stored.ColumnsRevision
	}
	if b.revision > 0 && !b.complete {
		if b.revision < stored.Revision {
			dimensions = column.Dimensions()
		}
		loaded, err := e.load(ctx, b, stored, dimensions)
		if err != nil {
			return err
		}
		b.complete = loaded && len(b.sessions.Missing(column.Dimensions())) == 0
		if loaded && b.revision >= stored.Revision {
			return nil
		}
	}
	if !b.complete {
		b.sessions, b.revision = column.New(), 0
	}
	return e.forward(ctx, b, stored)
}

// load loads the dimensions that are missing, as they are stored at the partition's
// revision. loaded is false where they are not, or not readably: then the columns
// are to be made from the sessions.
func (e *Columns) load(ctx context.Context, b *partition, stored store.Partition, dimensions []column.Dimension) (loaded bool, err error) {
	var names []string
	for _, dimension := range b.sessions.Missing(dimensions) {
		names = append(names, string(dimension))
	}
	begin := time.Now()
	defer func() {
		missing := len(b.sessions.Missing(dimensions))
		e.loaded.add(len(names)-missing, missing, begin)
	}()
	data, err := e.store.Columns(ctx, stored.ID, b.revision, names)
	if err != nil {
		return false, err
	}
	// Counting comes first: the others are held against it.
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Compare(rank(a), rank(b))
	})
	for _, name := range names {
		sealed, found := data[name]
		if !found {
			// Most likely other columns have taken their place.
			now, err := e.store.Partitions(ctx, stored.SiteID, model.Range{From: stored.Day.Start(), To: stored.Day.Start() + 1})
			if err != nil || !slices.ContainsFunc(now, func(s store.Partition) bool { return s.ID == stored.ID && s.ColumnsRevision == b.revision }) {
				return false, err
			}
			return false, e.forget(ctx, stored.ID, b.revision, fmt.Errorf("stored column %s is missing", name))
		}
		plain, err := unseal(sealed, stored.ID, b.revision, name)
		if err == nil {
			err = b.sessions.Load(column.Dimension(name), plain)
		}
		if err != nil {
			return false, e.forget(ctx, stored.ID, b.revision, err)
		}
	}
	return true, nil
}

// forget has the columns of a partition stored anew.
func (e *Columns) forget(ctx context.Context, id, revision int64, reason error) error {
	e.log.WarnContext(ctx, "stored columns are damaged, and are made anew", "partition", id, "revision", revision, "error", reason)
	if err := e.store.ForgetColumns(ctx, id, revision); err != nil {
		if ctx.Err() != nil {
			return err
		}
		// Such as a database that is read-only. Counting goes on without them.
		e.log.WarnContext(ctx, "stored columns that are damaged stay", "partition", id, "error", err)
	}
	return nil
}

// sealOf returns what stands before a stored column. It says what it is a column of,
// since one that strayed to another place is whole and wrong.
func sealOf(partition, revision int64, dimension string) []byte {
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d %d %d %s", column.Format, partition, revision, dimension)
	return hash.Sum(nil)
}

func unseal(sealed []byte, partition, revision int64, dimension string) ([]byte, error) {
	if plain, found := bytes.CutPrefix(sealed, sealOf(partition, revision, dimension)); found {
		return plain, nil
	}
	return nil, fmt.Errorf("stored column %s: it is one of another place", dimension)
}

// rank orders dimensions for loading.
func rank(name string) int {
	if name == string(column.Counting) {
		return 0
	}
	return 1
}

// forward reads what was written to the partition since its revision.
func (e *Columns) forward(ctx context.Context, b *partition, stored store.Partition) error {
	layer := &e.forwarded
	if b.revision == 0 {
		layer = &e.made
	}
	begin := time.Now()
	if b.revision > 0 {
		b.sessions.KeepForwardIndex()
	}
	var changed []change
	apply := func() {
		for _, c := range changed {
			if c.session == nil {
				b.sessions.Drop(c.ordinal)
			} else {
				b.sessions.Put(c.session)
			}
		}
		changed = changed[:0]
	}
	var written []uint32
	applied := b.revision == 0
	newest, err := e.store.EachChange(ctx, stored.ID, b.revision, func(ordinal int32, session *model.Session) error {
		written = append(written, uint32(ordinal))
		changed = append(changed, change{ordinal, session})
		if len(changed) == maxWritten {
			applied = true
			apply()
		}
		return nil
	})
	if err != nil {
		if applied { // in part: the columns are of no revision
			b.sessions, b.revision, b.complete, b.changes = column.Unloaded(), 0, false, changes{}
		}
		return err
	}
	apply()
	before := b.revision
	b.revision, b.complete = max(newest, stored.Revision), true
	b.changes.add(before, b.revision, written)
	layer.add(1, 0, begin)
	if before > 0 && len(written) > 0 {
		e.live.Add(stored.SiteID, livePartition{stored.ID, b})
	}
	return nil
}

// change is a session that was written; nil where its ordinal counts nowhere.
type change struct {
	ordinal int32
	session *model.Session
}

// AllSites stands for every site where one is asked for.
const AllSites = 0

// StoreBehind stores the columns of a site's partitions, or those of AllSites, that
// were last written to before an instant and whose columns are not stored as they
// are. It returns how many.
func (e *Columns) StoreBehind(ctx context.Context, site int64, before model.Millis) (stored int, err error) {
	const some = 50
	for {
		partitions, err := e.store.PartitionsBehind(ctx, site, column.Format, before, some)
		if err != nil || len(partitions) == 0 {
			return stored, err
		}
		for _, partition := range partitions {
			if err := e.storeColumns(ctx, partition); err != nil {
				return stored, err
			}
			stored++
		}
	}
}

func (e *Columns) storeColumns(ctx context.Context, stored store.Partition) error {
	data := map[string][]byte{}
	var revision int64
	err := e.read(ctx, stored, column.Dimensions(), func(b *partition) error {
		columns, err := b.sessions.Encode()
		revision = b.revision
		for dimension, column := range columns {
			data[string(dimension)] = append(sealOf(stored.ID, revision, string(dimension)), column...)
		}
		return err
	})
	if err != nil {
		return err
	}
	_, err = e.store.SaveColumns(ctx, stored.ID, revision, column.Format, data)
	return err
}

// maxLive is how many sites' live partitions are known.
const maxLive = 1000

type livePartition struct {
	id        int64
	partition *partition
}

// Follow brings the site's live partition forward. A failure is left to the question
// that meets it.
func (e *Columns) Follow(ctx context.Context, site int64) {
	live, found := e.live.Get(site)
	if kept, ok := e.partitions.GetIfPresent(live.id); !found || !ok || kept != live.partition {
		return
	}
	b := live.partition
	if !b.mu.TryLock() {
		return // somebody is at it
	}
	defer b.mu.Unlock()
	if b.complete {
		_ = e.forward(ctx, b, store.Partition{ID: live.id, SiteID: site, Revision: b.revision})
		b.weigh()
	}
}

// Count answers questions together: in each partition every part of their predicates
// is evaluated once.
func (e *Columns) Count(ctx context.Context, questions []Question) ([]Answer, error) {
	return e.gathering.answer(ctx, questions)
}

// countPartition counts the parts: those that columns can say together, where they need
// the same computations.
func (e *Columns) countPartition(ctx context.Context, stored store.Partition, parts []*part) error {
	var others []*part
	inColumns := map[string][]*part{}
	for _, p := range parts {
		if _, ok := p.dimensions(stored.Day); !ok {
			others = append(others, p)
			continue
		}
		needed := strings.Join(p.computations, "\x00")
		inColumns[needed] = append(inColumns[needed], p)
	}
	if len(others) > 0 {
		if err := e.scan.countPartition(ctx, stored, others); err != nil {
			return err
		}
	}
	for needed, some := range inColumns {
		err := e.countColumns(ctx, stored, some)
		switch {
		case err == nil:
		case needed == "" || ctx.Err() != nil:
			return err
		default:
			for _, p := range some {
				p.err = err
			}
		}
	}
	return nil
}

// countColumns counts parts that need the same computations.
func (e *Columns) countColumns(ctx context.Context, stored store.Partition, parts []*part) error {
	var dimensions []column.Dimension
	assigned := rosters{}
	for _, p := range parts {
		needed, _ := p.dimensions(stored.Day)
		dimensions = append(dimensions, needed...)
		maps.Copy(assigned, p.assigned)
	}
	return e.readComputed(ctx, stored, parts[0].computations, assigned, dimensions, func(b *partition, known column.Known) error {
		for _, p := range parts {
			if err := ctx.Err(); err != nil {
				return err
			}
			where := p.within(stored.Day)
			if p.visitors == nil && p.Value == "" && len(p.steps) == 0 { // no need for the set itself
				var err error
				if p.sessions, err = b.sessions.Count(where, known); err != nil {
					return err
				}
				continue
			}
			matched, err := b.sessions.Match(where, known)
			if err != nil {
				return err
			}
			p.count(b.sessions, matched, stored.Day)
		}
		return nil
	})
}

// dimensions returns what the part's question needs on a day. ok is false where it
// looks at something that is no column.
func (p *part) dimensions(day model.Day) (dimensions []column.Dimension, ok bool) {
	dimensions, ok = p.within(day).Dimensions()
	if p.visitors != nil {
		dimensions = append(dimensions, column.Visitors)
	}
	if p.Value != "" {
		dimensions = append(dimensions, column.Values)
	}
	if len(p.steps) > 0 {
		dimensions = append(dimensions, column.Dimension(filter.Start.Name))
	}
	return dimensions, ok
}

// within returns the predicate for the sessions of the day that are asked about.
func (p *part) within(day model.Day) *column.Predicate {
	if p.In.Covers(day) {
		return p.where
	}
	return column.Prepare(within(p.Where, p.In, day))
}

// within returns the predicate for the sessions of the day that started in the
// range.
func within(where filter.Expr, in model.Range, day model.Day) filter.Expr {
	if in.Covers(day) {
		return where
	}
	// A range of numbers includes its end.
	return filter.And{where, filter.Range{Field: filter.Start, Min: float64(in.From), Max: float64(in.To - 1)}}
}

func (p *part) count(sessions *column.Sessions, matched column.Set, day model.Day) {
	p.sessions = int(matched.Count())
	if p.visitors != nil {
		sessions.AddVisitors(matched, p.visitors)
	}
	if p.Value != "" {
		p.value = sessions.Value(matched, p.Value)
	}
	if len(p.steps) == 0 {
		return
	}
	first := sort.Search(len(p.Steps), func(i int) bool { return p.Steps[i] > day.Start() })
	if first == len(p.Steps) {
		return
	}
	if first > 0 && (day+1).Start() <= p.Steps[first] { // the whole day is in one step
		p.steps[first-1] += p.sessions
		return
	}
	sessions.CountSteps(matched, p.Steps, p.steps)
}

// Sessions takes the newest of the matching sessions from the columns, and reads
// them alone.
func (e *Columns) Sessions(ctx context.Context, q SessionQuery) ([]model.Session, error) {
	dimensions, ok := column.Prepare(q.Where).Dimensions()
	if !ok {
		return e.scan.Sessions(ctx, q)
	}
	dimensions = append(dimensions, column.Dimension(filter.Start.Name))
	computations := filter.Computations(q.Where)
	assigned, err := e.scan.rosters(ctx, q.Site, q.Where)
	if err != nil {
		return nil, err
	}
	return listSessions(ctx, e.store, q, func(stored store.Partition, in model.Range, limit int) ([]model.Session, error) {
		var found []Position
		for _, key := range computations {
			if err := e.computing.ready(ctx, key, []store.Partition{stored}); err != nil {
				return nil, err
			}
		}
		err := e.readComputed(ctx, stored, computations, assigned, dimensions, func(b *partition, known column.Known) error {
			matched, err := b.sessions.Match(column.Prepare(within(q.Where, in, stored.Day)), known)
			if err != nil {
				return err
			}
			b.sessions.EachStart(matched, func(ordinal int32, start model.Millis) {
				position := Position{Start: start, ID: model.SessionID{Partition: stored.ID, Ordinal: ordinal}}
				if q.After == nil || newestFirst(position, *q.After) > 0 {
					found = append(found, position)
				}
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(found, newestFirst)
		ordinals := make([]int32, 0, limit)
		for _, position := range found[:min(len(found), limit)] {
			ordinals = append(ordinals, position.ID.Ordinal)
		}
		return e.store.SessionsAt(ctx, stored.ID, ordinals)
	})
}

// Values counts the codes of the field's column.
func (e *Columns) Values(ctx context.Context, q ValueQuery) ([]Value, error) {
	if q.Field == filter.Visitor {
		return e.scan.Values(ctx, q)
	}
	return listValues(ctx, e.store, q, func(ctx context.Context, stored store.Partition, add func(text string, sessions int)) error {
		return e.read(ctx, stored, []column.Dimension{column.Dimension(q.Field.Name)}, func(b *partition) error {
			b.sessions.EachValue(q.Field, add)
			return nil
		})
	})
}
