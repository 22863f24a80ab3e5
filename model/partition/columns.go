package partition

import (
	"context"
	"log/slog"
	"time"

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
	Partition int64
	Revision  store.Revision

	changes *changes
	leaves  *leafSets
	meter   *Meter
	ctx     context.Context
}

// Read calls do with the columns of a partition as they are at its revision, or a newer one, with the dimensions.
func (c *Columns) Read(ctx context.Context, p *store.Partition, dimensions []column.Dimension, do func(*View) error) error {
	source := c.source(p, dimensions)
	return c.cache.Read(ctx, p.ID, p, source, func(d *day, revision store.Revision) error {
		sessions := d.Sessions
		if sessions == nil {
			sessions = column.Of(d.few, source.dimensions)
		}
		return do(&View{Sessions: sessions, Partition: p.ID, Revision: revision, changes: &d.changes, leaves: d.leaves, meter: &c.leaves, ctx: ctx})
	})
}

func (c *Columns) source(p *store.Partition, dimensions []column.Dimension) *daySource {
	return &daySource{columns: c, partition: p, dimensions: append([]column.Dimension{column.Counting}, dimensions...)}
}

// Of partitions of up to maxRecalled sessions a statement each would take longer than what it reads. Those that are read
// together have groupSessions at most, and are maxGroup at most.
const (
	maxRecalled   = 1024
	groupSessions = 8192
	maxGroup      = 256
)

// Groups divides a list of what is asked of each of some partitions into those that are best brought to memory together,
// by Recall.
func Groups[T any](list []T, of func(T) *store.Partition) (groups [][]T) {
	begin, sessions := 0, 0
	for i, one := range list {
		n := int(of(one).Sessions)
		if i > begin && (n > maxRecalled || i-begin == maxGroup || sessions+n > groupSessions) {
			groups, begin, sessions = append(groups, list[begin:i]), i, 0
		}
		if sessions += n; n > maxRecalled {
			sessions += groupSessions // it is alone
		}
	}
	if begin < len(list) {
		groups = append(groups, list[begin:])
	}
	return groups
}

// Recall brings partitions of a site to memory, with the dimensions, by two statements at most: those that Read would
// load or build by a statement each although they are small. It is done ahead of Read, which sees to all others.
func (c *Columns) Recall(ctx context.Context, partitions []*store.Partition, dimensions []column.Dimension) error {
	if len(partitions) < 2 {
		return nil
	}
	var stored, unbuilt []*daySource
	for _, p := range partitions {
		if p.Sessions > maxRecalled {
			continue
		}
		source := c.source(p, dimensions)
		isStored := p.Sessions >= store.MinColumns && p.Columns == p.Revision && p.ColumnsFormat == column.Format
		has, isComplete := c.cache.state(p.ID, p, source)
		switch {
		case has && isComplete:
		case isStored:
			stored = append(stored, source)
		case !has:
			unbuilt = append(unbuilt, source)
		}
	}
	if err := c.recallStored(ctx, stored); err != nil {
		return err
	}
	return c.recallBuilt(ctx, unbuilt)
}

// recallStored loads columns that are stored.
func (c *Columns) recallStored(ctx context.Context, sources []*daySource) error {
	if len(sources) == 0 {
		return nil
	}
	names := MissingColumns(column.Unloaded(), sources[0].dimensions, false) // all have the same
	partitions := make([]*store.Partition, len(sources))
	for i, source := range sources {
		partitions[i] = source.partition
	}
	stored, err := c.store.Columns(ctx, partitions, names, store.FromReplica)
	if err != nil {
		return err
	}
	for _, source := range sources {
		// What has moved meanwhile, or is missing, is for Read.
		of := stored[source.partition.ID]
		if len(of.Records) > 0 && of.Records[0].Revision == source.partition.Revision {
			if _, err := c.cache.Offer(ctx, source.partition.ID, source, of); err != nil {
				return err
			}
		}
	}
	return nil
}

// recallBuilt makes columns from rows.
func (c *Columns) recallBuilt(ctx context.Context, sources []*daySource) error {
	if len(sources) == 0 {
		return nil
	}
	begin := time.Now()
	ids, days := make([]int64, len(sources)), make(map[int64]*day, len(sources))
	for i, source := range sources {
		ids[i] = source.partition.ID
		days[ids[i]] = &day{}
	}
	newest, err := c.store.EachSessionOf(ctx, sources[0].partition.SiteID, ids, func(id int64, ordinal int32, session *model.Session) error {
		days[id].write(ordinal, session)
		return nil
	})
	if err != nil {
		return err
	}
	for i, source := range sources {
		if revision, found := newest[ids[i]]; found {
			days[ids[i]].changes.add(store.Revision{}, revision, nil)
			c.cache.Put(ctx, ids[i], source, days[ids[i]], revision, begin)
		}
	}
	return nil
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

// day is the sessions of a partition as columns, which of them were written lately, and sets of leaves. Of few sessions it
// keeps the sessions themselves: all columns of one take ten times the memory, and those that a question needs are
// soon made.
type day struct {
	*column.Sessions // nil while there are few
	changes
	leaves *leafSets // nil while there are few

	few []*model.Session // by ordinal; nil counts nowhere
}

// daySource is the Source of one partition's columns.
type daySource struct {
	columns   *Columns
	partition *store.Partition
	// dimensions are those that the question needs. Counting is the first: the others are held against it.
	dimensions []column.Dimension
}

var _ Source[*day] = (*daySource)(nil)

func (s *daySource) Place() Place { return columnsOf(s.partition.ID) }

func (*daySource) Empty() *day { return &day{Sessions: column.Unloaded(), leaves: newLeafSets()} }

func (*daySource) Copy(d *day) *day {
	same := *d
	if d.Sessions != nil {
		same.Sessions = d.Sessions.Copy()
	}
	return &same
}

func (s *daySource) Missing(d *day, all bool) []string {
	if d.Sessions == nil {
		return nil
	}
	return MissingColumns(d.Sessions, s.dimensions, all)
}

func (s *daySource) Stored(ctx context.Context, names []string, tries store.Origin) (store.Stored, error) {
	if s.partition.Columns.IsZero() || s.partition.ColumnsFormat != column.Format {
		return store.Stored{}, nil
	}
	columns, err := s.columns.store.Columns(ctx, []*store.Partition{s.partition}, names, tries)
	if err == nil && len(columns) == 0 {
		return store.Stored{}, Damage("all columns are missing")
	}
	return columns[s.partition.ID], err
}

func (*daySource) Decode(d *day, name string, plain []byte) (*day, error) {
	return d, d.Load(column.Dimension(name), plain)
}

func (s *daySource) Build(ctx context.Context) (*day, store.Revision, error) {
	d := &day{}
	newest, err := s.columns.store.EachChange(ctx, s.partition.SiteID, s.partition.ID, store.Revision{}, func(ordinal int32, session *model.Session) error {
		d.write(ordinal, session)
		return nil
	})
	d.changes.add(store.Revision{}, newest, nil)
	return d, newest, err
}

// write takes in a session that was written; nil where the ordinal counts nowhere.
func (d *day) write(ordinal int32, session *model.Session) {
	if d.Sessions == nil {
		if int(ordinal) < minOrdinals-1 {
			d.few = append(d.few, make([]*model.Session, max(0, int(ordinal)+1-len(d.few)))...)
			d.few[ordinal] = session
			return
		}
		d.Sessions, d.leaves, d.few = column.Of(d.few, column.Dimensions()), newLeafSets(), nil
	}
	if session == nil {
		d.Drop(ordinal)
	} else {
		d.Put(session)
	}
}

// CatchUp reads the changed sessions before it keeps readers out, maxWritten at a time.
func (s *daySource) CatchUp(ctx context.Context, d *day, revision store.Revision, apply func(func(*day) *day)) (store.Revision, error) {
	type change struct {
		ordinal int32
		session *model.Session
	}
	var changed []change
	var written []uint32
	write := func(d *day) *day {
		if d.Sessions != nil {
			d.KeepForwardIndex()
		}
		for _, c := range changed {
			d.write(c.ordinal, c.session)
		}
		changed = changed[:0]
		return d
	}
	newest, err := s.columns.store.EachChange(ctx, s.partition.SiteID, s.partition.ID, revision, func(ordinal int32, session *model.Session) error {
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

func (*daySource) Encode(d *day) (map[string][]byte, error) {
	if d.Sessions == nil {
		return EncodeColumns(column.Of(d.few, column.Dimensions()))
	}
	return EncodeColumns(d.Sessions)
}

func (s *daySource) Save(ctx context.Context, revision store.Revision, sealed map[string][]byte) error {
	return s.columns.store.SaveColumns(ctx, s.partition.SiteID, s.partition.ID, revision, column.Format, sealed)
}

func (s *daySource) Forget(ctx context.Context) error {
	return s.columns.store.ForgetColumns(ctx, s.partition.SiteID, s.partition.ID)
}

func (*daySource) Bytes(d *day) uint64 {
	if d.Sessions == nil {
		bytes := 100 + d.changes.bytes()
		for _, session := range d.few {
			if session != nil {
				bytes += uint64(800 + 60*(len(session.Pages)+len(session.Tags)+len(session.Events)+2*len(session.Properties)))
			}
		}
		return bytes
	}
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

// SealColumns returns the records of the columns of a partition at a revision, as store.SaveColumns takes them: by name.
func SealColumns(partition int64, revision store.Revision, s *column.Sessions) (map[string][]byte, error) {
	plain, err := EncodeColumns(s)
	return sealAll(columnsOf(partition), revision, plain), err
}

// columnsOf is the place of a partition's columns.
func columnsOf(partition int64) Place { return Place{Kind: "columns", Partition: partition} }

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
	since   store.Revision
	batches []batch
	written int // ordinals of all batches
}

// batch is the ordinals that were written between the revision of the batch before it and its own.
type batch struct {
	revision store.Revision
	ordinals []uint32
}

// maxWritten bounds the ordinals that are kept. With more of them it is faster to evaluate a leaf for all sessions.
const maxWritten = 8192

// add notes the ordinals that were written between two revisions.
func (c *changes) add(from, to store.Revision, ordinals []uint32) {
	if from.IsZero() || len(ordinals) > maxWritten {
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
func (c *changes) after(revision store.Revision) (ordinals []uint32, ok bool) {
	ok = revision == c.since
	for i := range c.batches {
		if ok {
			ordinals = append(ordinals, c.batches[i].ordinals...)
		}
		ok = ok || c.batches[i].revision == revision
	}
	return ordinals, ok
}

func (c *changes) bytes() uint64 { return 4*uint64(c.written) + 32*uint64(len(c.batches)) }
