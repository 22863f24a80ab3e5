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
	store  *store.Store
	cache  *Cache[int64, *day]
	leaves *leafSets
	// heads are the partitions that caught up last, by site.
	heads *otter.Cache[int64, int64]
}

// maxHeads is how many sites' heads are known.
const maxHeads = 1000

// leavesShare is which part of the memory the sets of leaves may take.
const leavesShare = 8

// NewColumns returns the columns of a store's partitions, of about as many bytes in memory at most. log is told of
// stored columns that are damaged.
func NewColumns(st *store.Store, bytes uint64, log *slog.Logger) (*Columns, error) {
	cache, err := NewCache[int64, *day]("columns", bytes-bytes/leavesShare, log)
	if err != nil {
		return nil, err
	}
	leaves, err := newLeafSets(bytes / leavesShare)
	if err != nil {
		return nil, err
	}
	heads, err := otter.New(&otter.Options[int64, int64]{MaximumSize: maxHeads})
	return &Columns{store: st, cache: cache, leaves: leaves, heads: heads}, err
}

// Meters count what was loaded, built and brought forward, and the sets of leaves.
func (c *Columns) Meters() []*Meter { return append([]*Meter{&c.leaves.meter}, c.cache.Meters()...) }

// Bytes is about how much memory the columns and the sets of leaves take.
func (c *Columns) Bytes() uint64 { return c.cache.Bytes() + c.leaves.known.WeightedSize() }

// Len is about how many partitions have columns in memory.
func (c *Columns) Len() int { return c.cache.Len() }

// View is the columns of a partition at a revision, while they do not change.
type View struct {
	*column.Sessions
	Partition, Revision int64

	changes *changes
	leaves  *leafSets
	ctx     context.Context
}

// Read calls do with the columns of a partition as they are at its revision, or a newer one, with the dimensions.
func (c *Columns) Read(ctx context.Context, p *store.Partition, dimensions []column.Dimension, do func(*View) error) error {
	source := &daySource{columns: c, partition: p.ID, site: p.SiteID, isStored: isStored(p), dimensions: append([]column.Dimension{column.Counting}, dimensions...)}
	return c.cache.Read(ctx, p.ID, p, source, func(d *day, revision int64) error {
		return do(&View{Sessions: d.Sessions, Partition: p.ID, Revision: revision, changes: &d.changes, leaves: c.leaves, ctx: ctx})
	})
}

// Prefetch brings the partition of a site that caught up last forward again, ahead of a question.
func (c *Columns) Prefetch(ctx context.Context, site int64) {
	if id, found := c.heads.GetIfPresent(site); found {
		c.cache.CatchUp(ctx, id, &daySource{columns: c, partition: id, site: site})
	}
}

// Seal stores the columns of a partition as they are.
func (c *Columns) Seal(ctx context.Context, p *store.Partition) error {
	return c.cache.Save(ctx, p.ID, p, &daySource{columns: c, partition: p.ID, site: p.SiteID, isStored: isStored(p), dimensions: allDimensions})
}

// isStored tells whether the partition's row says that columns of today's format are stored.
func isStored(p *store.Partition) bool {
	return p.ColumnsRevision > 0 && p.ColumnsFormat == column.Format
}

// day is the sessions of a partition as columns, and which of them were written lately.
type day struct {
	*column.Sessions
	changes
}

var allDimensions = column.Dimensions()

// daySource is the Source of one partition's columns.
type daySource struct {
	columns         *Columns
	partition, site int64
	isStored        bool
	// dimensions are those that the question needs. Counting is the first: the others are held against it.
	dimensions []column.Dimension
}

var _ Source[*day] = (*daySource)(nil)

func (s *daySource) Place() Place { return Place{Kind: "columns", Partition: s.partition} }

func (*daySource) Empty() *day { return &day{Sessions: column.Unloaded()} }

func (*daySource) Copy(d *day) *day { return &day{Sessions: d.Sessions.Copy(), changes: d.changes} }

func (s *daySource) Missing(d *day, all bool) []string {
	needed := s.dimensions
	if all {
		needed = allDimensions
	}
	var names []string
	for _, dimension := range d.Sessions.Missing(needed) {
		names = append(names, string(dimension))
	}
	return names
}

func (s *daySource) Stored(ctx context.Context, names []string) (records []Record, err error) {
	if !s.isStored {
		return nil, nil
	}
	stored, err := s.columns.store.Columns(ctx, s.partition, names)
	if err == nil && len(stored) == 0 {
		return nil, Damage("all columns are missing")
	}
	for _, c := range stored {
		records = append(records, Record{Name: c.Dimension, Revision: c.Revision, Data: c.Data})
	}
	return records, err
}

func (*daySource) Decode(d *day, name string, plain []byte) (*day, error) {
	return d, d.Load(column.Dimension(name), plain)
}

func (s *daySource) Build(ctx context.Context) (*day, int64, error) {
	d := &day{Sessions: column.New()}
	newest, err := s.columns.store.EachChange(ctx, s.partition, 0, func(ordinal int32, session *model.Session) error {
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
	newest, err := s.columns.store.EachChange(ctx, s.partition, revision, func(ordinal int32, session *model.Session) error {
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
	s.columns.heads.Set(s.site, s.partition)
	return newest, nil
}

func (*daySource) Encode(d *day) (map[string][]byte, error) {
	columns, err := d.Sessions.Encode()
	records := make(map[string][]byte, len(columns))
	for dimension, data := range columns {
		records[string(dimension)] = data
	}
	return records, err
}

func (s *daySource) Save(ctx context.Context, revision int64, sealed map[string][]byte) error {
	_, err := s.columns.store.SaveColumns(ctx, s.partition, revision, column.Format, sealed)
	return err
}

func (s *daySource) Forget(ctx context.Context) error {
	return s.columns.store.ForgetColumns(ctx, s.partition)
}

func (*daySource) SavesBuilt() bool { return false }

func (*daySource) Bytes(d *day) uint64 { return d.Sessions.Bytes() + 4*uint64(d.changes.written) }
