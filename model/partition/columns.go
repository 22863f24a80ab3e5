package partition

import (
	"context"
	"log/slog"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/store"
)

// Columns keeps the sessions of partitions as columns, with the sets of the leaves that were evaluated on them. Only
// the dimensions that questions need are loaded.
type Columns struct {
	store *store.Store
	cache *Cache[int64, *day]
	// leaves counts the sets of leaves that were known.
	leaves Meter
	// heads are the partitions that caught up last, by site.
	heads *otter.Cache[int64, int64]
}

// maxHeads is how many sites' heads are known.
const maxHeads = 1000

// NewColumns returns the columns of a store's partitions, of about as many bytes in memory at most. log is told of
// stored columns that are damaged.
func NewColumns(st *store.Store, bytes uint64, log *slog.Logger) *Columns {
	return &Columns{
		store:  st,
		cache:  NewCache[int64, *day]("columns", bytes, log),
		leaves: Meter{Name: "leaves"},
		heads:  otter.Must(&otter.Options[int64, int64]{MaximumSize: maxHeads}),
	}
}

// Meters count what was loaded, built and brought forward, and the sets of leaves.
func (c *Columns) Meters() []*Meter { return append([]*Meter{&c.leaves}, c.cache.Meters()...) }

// Bytes is about how much memory the columns take, with the sets of leaves.
func (c *Columns) Bytes() uint64 { return c.cache.Bytes() }

// Len is about how many partitions have columns in memory.
func (c *Columns) Len() int { return c.cache.Len() }

// View is the columns of a partition at a revision, while they do not change.
type View struct {
	*column.Sessions
	Partition, Revision int64

	changes *changes
	leaves  *leafSets
	meter   *Meter
	ctx     context.Context
}

// Read calls do with the columns of a partition as they are at its revision, or a newer one, with the dimensions.
func (c *Columns) Read(ctx context.Context, p *store.Partition, dimensions []column.Dimension, do func(*View) error) error {
	source := &daySource{columns: c, partition: p, dimensions: append([]column.Dimension{column.Counting}, dimensions...)}
	return c.cache.Read(ctx, p.ID, p, source, func(d *day, revision int64) error {
		return do(&View{Sessions: d.Sessions, Partition: p.ID, Revision: revision, changes: &d.changes, leaves: d.leaves, meter: &c.leaves, ctx: ctx})
	})
}

// Prefetch brings the partition of a site that caught up last forward again, ahead of a question.
func (c *Columns) Prefetch(ctx context.Context, site int64) {
	if id, found := c.heads.GetIfPresent(site); found {
		c.cache.CatchUp(ctx, id, &daySource{columns: c, partition: &store.Partition{ID: id, SiteID: site}})
	}
}

// Seal stores the columns of a partition as they are.
func (c *Columns) Seal(ctx context.Context, p *store.Partition) error {
	return c.cache.Save(ctx, p.ID, p, &daySource{columns: c, partition: p, dimensions: column.Dimensions()})
}

// day is the sessions of a partition as columns, which of them were written lately, and sets of leaves.
type day struct {
	*column.Sessions
	changes
	leaves *leafSets
}

// daySource is the Source of one partition's columns.
type daySource struct {
	columns   *Columns
	partition *store.Partition
	// dimensions are those that the question needs. Counting is the first: the others are held against it.
	dimensions []column.Dimension
}

var _ Source[*day] = (*daySource)(nil)

func (s *daySource) Place() Place { return Place{Kind: "columns", Partition: s.partition.ID} }

func (*daySource) Empty() *day { return &day{Sessions: column.Unloaded(), leaves: newLeafSets()} }

func (*daySource) Copy(d *day) *day {
	return &day{Sessions: d.Sessions.Copy(), changes: d.changes, leaves: d.leaves}
}

func (s *daySource) Missing(d *day, all bool) []string {
	return MissingColumns(d.Sessions, s.dimensions, all)
}

func (s *daySource) Stored(ctx context.Context, names []string) (records []store.Record, err error) {
	if s.partition.ColumnsRevision == 0 || s.partition.ColumnsFormat != column.Format {
		return nil, nil
	}
	records, err = s.columns.store.Columns(ctx, s.partition.ID, names)
	if err == nil && len(records) == 0 {
		return nil, Damage("all columns are missing")
	}
	return records, err
}

func (*daySource) Decode(d *day, name string, plain []byte) (*day, error) {
	return d, d.Load(column.Dimension(name), plain)
}

func (s *daySource) Build(ctx context.Context) (*day, int64, error) {
	d := &day{Sessions: column.New(), leaves: newLeafSets()}
	newest, err := s.columns.store.EachChange(ctx, s.partition.ID, 0, func(ordinal int32, session *model.Session) error {
		d.write(ordinal, session)
		return nil
	})
	d.changes.add(0, newest, nil)
	return d, newest, err
}

// write takes in a session that was written; nil where the ordinal counts nowhere.
func (d *day) write(ordinal int32, session *model.Session) {
	if session == nil {
		d.Drop(ordinal)
	} else {
		d.Put(session)
	}
}

// CatchUp reads the changed sessions before it keeps readers out, maxWritten at a time.
func (s *daySource) CatchUp(ctx context.Context, d *day, revision int64, apply func(func(*day) *day)) (int64, error) {
	type change struct {
		ordinal int32
		session *model.Session
	}
	var changed []change
	var written []uint32
	write := func(d *day) *day {
		d.KeepForwardIndex()
		for _, c := range changed {
			d.write(c.ordinal, c.session)
		}
		changed = changed[:0]
		return d
	}
	newest, err := s.columns.store.EachChange(ctx, s.partition.ID, revision, func(ordinal int32, session *model.Session) error {
		written, changed = append(written, uint32(ordinal)), append(changed, change{ordinal, session})
		if len(changed) == maxWritten {
			apply(write)
		}
		return nil
	})
	if err != nil || len(written) == 0 {
		return newest, err
	}
	apply(func(d *day) *day {
		d.changes.add(revision, newest, written)
		return write(d)
	})
	s.columns.heads.Set(s.partition.SiteID, s.partition.ID)
	return newest, nil
}

func (*daySource) Encode(d *day) (map[string][]byte, error) { return EncodeColumns(d.Sessions) }

func (s *daySource) Save(ctx context.Context, revision int64, sealed map[string][]byte) error {
	return s.columns.store.SaveColumns(ctx, s.partition.ID, revision, column.Format, sealed)
}

func (s *daySource) Forget(ctx context.Context) error {
	return s.columns.store.ForgetColumns(ctx, s.partition.ID)
}

func (*daySource) Bytes(d *day) uint64 {
	return d.Sessions.Bytes() + d.changes.bytes() + leafBytes(d.Ordinals())
}

// MissingColumns returns the names of the columns that are not loaded: of some dimensions or, with all, of all.
func MissingColumns(s *column.Sessions, dimensions []column.Dimension, all bool) (names []string) {
	if all {
		dimensions = column.Dimensions()
	}
	for _, dimension := range s.Missing(dimensions) {
		names = append(names, string(dimension))
	}
	return names
}

// EncodeColumns returns the records of columns, by name.
func EncodeColumns(s *column.Sessions) (map[string][]byte, error) {
	columns, err := s.Encode()
	records := make(map[string][]byte, len(columns)+1)
	for dimension, data := range columns {
		records[string(dimension)] = data
	}
	return records, err
}

// changes are the ordinals that were written lately, by which sets of leaves catch up instead of being made anew.
type changes struct {
	// since is the revision from which on they are known.
	since   int64
	batches []batch
	written int // ordinals of all batches
}

// batch is the ordinals that were written between the revision of the batch before it and its own.
type batch struct {
	revision int64
	ordinals []uint32
}

// maxWritten bounds the ordinals that are kept. With more of them it is faster to evaluate a leaf for all sessions.
const maxWritten = 8192

// add notes the ordinals that were written between two revisions.
func (c *changes) add(from, to int64, ordinals []uint32) {
	if from == 0 || len(ordinals) > maxWritten {
		*c = changes{since: to}
		return
	}
	if len(c.batches) == 0 {
		c.since = from
	}
	c.batches = append(c.batches, batch{to, ordinals})
	c.written += len(ordinals)
	for c.written > maxWritten {
		c.since, c.written = c.batches[0].revision, c.written-len(c.batches[0].ordinals)
		c.batches = c.batches[1:]
	}
}

// after returns the ordinals that were written after a revision, some more than once. ok is false if that is unknown.
func (c *changes) after(revision int64) (ordinals []uint32, ok bool) {
	if revision < c.since || len(c.batches) == 0 {
		return nil, false
	}
	for i := range c.batches {
		if c.batches[i].revision > revision {
			ordinals = append(ordinals, c.batches[i].ordinals...)
		}
	}
	return ordinals, true
}

func (c *changes) bytes() uint64 { return 4*uint64(c.written) + 32*uint64(len(c.batches)) }
