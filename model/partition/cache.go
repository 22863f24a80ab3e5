// Package partition keeps what is known of day partitions, and brings it to their revisions.
//
// The problem: a question about a partition, the sessions of one site that started on one UTC day, must include every
// write that was committed before it was asked, whichever process wrote. Reading the day's rows for each question would
// be far too slow. So what was made of them is kept, in memory and in the database, with the revision of the partition
// that it was made from. A write moves the revision. The next question reads what changed since, and nothing else.
//
// A database can lose its last commits, in a failover or by a restore, and comes to the same revision numbers again by
// other writes. So a revision has the random id of its write beside its number. What is kept is used only if it is of the
// partition's very revision, if it was read after the partition was, or if the database still has its write.
//
// Three things are kept that way, and one Cache serves them all: the columns of a day's sessions (Columns, here), the
// exposures of an experiment (model/experiment), and the sets that plugins computed (model/count/computed). Each is a
// Source, which says how its contents are loaded, built, brought forward and saved.
//
// The way of one read (cache.go):
//
//  1. Contents that are at the partition's revision, or were found to be newer, and complete for the question are read
//     at once, beside other readers.
//  2. Otherwise one caller takes the entry's turn, and the others wait for it or leave with their contexts. It loads
//     what is stored and missing, verifies each record's seal (Place), and tells the database to forget what is damaged.
//  3. What is not stored is built from the rows.
//  4. What is behind catches up by the rows with a newer revision. Readers are kept out only while a change is applied,
//     not while rows are read or plugins are asked. What is of a revision that the database lost is built anew.
//
// What is kept in memory is bounded by its weight in bytes; what was asked for least is let go first, and is loaded
// again when somebody needs it. What is stored is bounded by the data. A lost cache costs time and never changes an
// answer.
package partition

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model/store"
)

// Damage is an error that says what is wrong with stored data.
type Damage string

func (d Damage) Error() string { return string(d) }

// Source says how the contents of one key come about, and what one question needs of them. C is a type of pointers, or
// nil for nothing.
type Source[C any] interface {
	// Place is what the records are sealed with, beside their names and revisions.
	Place() Place
	// Empty returns contents to load into.
	Empty() C
	// Copy returns contents that can be loaded into without a change of these.
	Copy(contents C) C
	// Missing returns the names of the records that the contents lack: those that the question needs or, with all,
	// those without which the contents cannot catch up and be saved. Records are decoded in the order of the names.
	Missing(contents C, all bool) []string
	// Stored returns the stored records of the names, all of one revision, without those that are not stored. A Damage
	// tells that what is stored cannot be used. A replica may be tried; what it gives may be damaged for that alone.
	Stored(ctx context.Context, names []string, tries store.Origin) (store.Stored, error)
	// Decode returns the contents with a record taken in. An error says that it is damaged.
	Decode(contents C, name string, plain []byte) (C, error)
	// Build makes contents from the rows, with the revision that they are of.
	Build(ctx context.Context) (contents C, revision store.Revision, err error)
	// CatchUp brings contents from a revision to the newest one, which it returns. It hands each change to apply, which
	// keeps readers out meanwhile; a change returns the contents that take the place of those that it was given. Where
	// an error follows a change, the contents are of no revision and are dropped. The error is store.ErrLost if the
	// database does not have the revision.
	CatchUp(ctx context.Context, contents C, revision store.Revision, apply func(change func(C) C)) (newest store.Revision, err error)
	// Encode returns the records of contents, by name.
	Encode(contents C) (map[string][]byte, error)
	// Save stores sealed records in place of those of older revisions.
	Save(ctx context.Context, revision store.Revision, sealed map[string][]byte) error
	// Forget makes all stored records count as not stored: one of them is damaged.
	Forget(ctx context.Context) error
	// Bytes is about how much memory the contents take.
	Bytes(contents C) uint64
}

// Cache keeps contents by key. It is safe for concurrent use.
type Cache[K comparable, C any] struct {
	// SavesBuilt has contents saved as soon as they are built, because building them is dear. It is set before the first use.
	SavesBuilt bool

	entries *otter.Cache[K, *entry[C]]
	log     *slog.Logger

	loaded, built, caughtUp Meter
}

// entry is the contents of a key.
type entry[C any] struct {
	// turn is held by who changes the entry.
	turn chan struct{}
	// mu is held while contents and revision change, and while they are read.
	mu       sync.RWMutex
	contents C
	// revision is the partition's that the contents are of; zero while they are of none.
	revision store.Revision
	// asOf is when it was last asked of the database whether there is a newer one.
	asOf   time.Time
	weight atomic.Uint64
}

// NewCache returns a cache of at most about as many bytes. name begins the names of its meters. log is told of
// damaged records.
func NewCache[K comparable, C any](name string, bytes uint64, log *slog.Logger) *Cache[K, C] {
	return &Cache[K, C]{
		entries: Bounded(bytes, func(_ K, e *entry[C]) uint64 { return e.weight.Load() }), log: log,
		loaded: Meter{Name: name + "_loaded"}, built: Meter{Name: name + "_built"}, caughtUp: Meter{Name: name + "_caught_up"},
	}
}

// Bounded returns a cache of values that weigh at most about as many bytes. weight tells about how many one takes.
func Bounded[K comparable, V any](bytes uint64, weight func(K, V) uint64) *otter.Cache[K, V] {
	return otter.Must(&otter.Options[K, V]{
		MaximumWeight: max(1, bytes),
		Weigher:       func(key K, value V) uint32 { return uint32(min(weight(key, value), math.MaxUint32)) },
	})
}

// Meters count the loads, the builds and the catching up.
func (c *Cache[K, C]) Meters() []*Meter { return []*Meter{&c.loaded, &c.built, &c.caughtUp} }

// Bytes is about how much memory the contents take.
func (c *Cache[K, C]) Bytes() uint64 { return c.entries.WeightedSize() }

// Len is about how many contents there are.
func (c *Cache[K, C]) Len() int { return c.entries.EstimatedSize() }

// Read calls do with the contents of a key as they are at the partition's revision, or a newer one, with all that the
// source's question needs. They do not change until do returns.
func (c *Cache[K, C]) Read(ctx context.Context, key K, p *store.Partition, source Source[C], do func(contents C, revision store.Revision) error) error {
	e := c.entry(key, source)
	for {
		e.mu.RLock()
		if e.isCurrent(p) && e.isComplete(source, false) {
			defer e.mu.RUnlock()
			return do(e.contents, e.revision)
		}
		e.mu.RUnlock()
		if err := c.update(ctx, key, e, p, source); err != nil {
			return err
		}
	}
}

// Has tells whether contents of a key are in memory, of whichever revision.
func (c *Cache[K, C]) Has(key K) bool {
	e, found := c.entries.GetIfPresent(key)
	if !found {
		return false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return !e.revision.IsZero()
}

// state tells whether contents of a key are in memory, of whichever revision, and whether they are at the partition's
// revision, or a newer one, with all that the question needs.
func (c *Cache[K, C]) state(key K, p *store.Partition, source Source[C]) (has, isComplete bool) {
	e, found := c.entries.GetIfPresent(key)
	if !found {
		return false, false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return !e.revision.IsZero(), e.isCurrent(p) && e.isComplete(source, false)
}

// Current returns the contents of a key where they are in memory and at the partition's revision, or a newer one. Only
// contents that do not change once they are made may be used after that.
func (c *Cache[K, C]) Current(key K, p *store.Partition) (contents C, revision store.Revision, ok bool) {
	e, found := c.entries.GetIfPresent(key)
	if !found {
		return contents, revision, false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.contents, e.revision, e.isCurrent(p)
}

// CatchUp brings contents that are in memory to the partition's newest revision, unless somebody is at it. It is done
// ahead of a question, which meets its errors again.
func (c *Cache[K, C]) CatchUp(ctx context.Context, key K, source Source[C]) {
	e, found := c.entries.GetIfPresent(key)
	if !found {
		return
	}
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	default:
		return
	}
	if !e.revision.IsZero() && e.isComplete(source, true) {
		_ = c.catchUp(ctx, e, source)
		c.weigh(key, e, source)
	}
}

// Offer takes in records that the caller has read of what the question needs, all at the partition's revision, unless
// contents are in memory that are of another one. ok is false where one is damaged, and forgotten, and where somebody is
// at the entry.
func (c *Cache[K, C]) Offer(ctx context.Context, key K, source Source[C], stored store.Stored) (ok bool, err error) {
	e := c.entry(key, source)
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	default:
		return false, nil
	}
	records := stored.Records
	revision := records[0].Revision
	if !e.revision.IsZero() && e.revision != revision {
		return true, nil
	}
	if slices.ContainsFunc(records, func(r store.Record) bool { return r.Revision != revision }) {
		return false, c.forget(ctx, source, errSeveralRevisions)
	}
	contents := source.Copy(e.contents)
	names := source.Missing(contents, false)
	begin := time.Now()
	contents, damage := decode(source, contents, names, records)
	if damage != nil && stored.From == store.FromReplica {
		return false, nil // whoever reads it asks the database
	}
	if damage != nil {
		return false, c.forget(ctx, source, damage)
	}
	e.set(contents, revision, e.asOf)
	c.weigh(key, e, source)
	c.loaded.Add(ctx, len(names), 0, begin)
	return true, nil
}

// Put takes in contents that the caller has built, where nothing of the key is in memory: of a revision that the partition
// had at an instant, or a newer one.
func (c *Cache[K, C]) Put(ctx context.Context, key K, source Source[C], contents C, revision store.Revision, asOf time.Time) {
	e := c.entry(key, source)
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	default:
		return
	}
	if e.revision.IsZero() {
		e.set(contents, revision, asOf)
		c.weigh(key, e, source)
		c.built.Add(ctx, 1, 0, asOf)
	}
}

// Save stores the contents of a key as they are at the partition's revision, or a newer one. The source must need all
// records. Contents that were not in memory do not stay there: every server saves, also what only others are asked about.
func (c *Cache[K, C]) Save(ctx context.Context, key K, p *store.Partition, source Source[C]) error {
	if _, found := c.entries.GetIfPresent(key); !found {
		defer c.entries.Invalidate(key)
	}
	var at store.Revision
	var plain map[string][]byte
	err := c.Read(ctx, key, p, source, func(contents C, revision store.Revision) (err error) {
		at = revision
		plain, err = source.Encode(contents)
		return err
	})
	if err != nil {
		return err
	}
	return save(ctx, source, at, plain)
}

// save seals the records of contents, and stores them.
func save[C any](ctx context.Context, source Source[C], revision store.Revision, plain map[string][]byte) error {
	return source.Save(ctx, revision, sealAll(source.Place(), revision, plain))
}

// entry returns the entry of a key, which may have no contents yet.
func (c *Cache[K, C]) entry(key K, source Source[C]) *entry[C] {
	e, _ := c.entries.ComputeIfAbsent(key, func() (*entry[C], bool) {
		e := &entry[C]{turn: make(chan struct{}, 1), contents: source.Empty()}
		e.weight.Store(entryBytes)
		return e, false
	})
	return e
}

// entryBytes is about what an entry takes beside its contents.
const entryBytes = 500

// weigh notes the weight that an entry has now.
func (c *Cache[K, C]) weigh(key K, e *entry[C], source Source[C]) {
	e.weight.Store(entryBytes + source.Bytes(e.contents))
	c.entries.Set(key, e)
}

// isCurrent tells whether the contents are at the partition's revision, or as new as the database was after the partition
// was read.
func (e *entry[C]) isCurrent(p *store.Partition) bool {
	return !e.revision.IsZero() && (e.revision == p.Revision || !e.asOf.Before(p.ReadAt))
}

// isComplete tells whether the contents have all that the question needs or, with all, all there is.
func (e *entry[C]) isComplete(source Source[C], all bool) bool {
	return len(source.Missing(e.contents, all)) == 0
}

// set makes contents those of the entry.
func (e *entry[C]) set(contents C, revision store.Revision, asOf time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.contents, e.revision, e.asOf = contents, revision, asOf
}

// update brings an entry to the partition's revision in the caller's turn.
func (c *Cache[K, C]) update(ctx context.Context, key K, e *entry[C], p *store.Partition, source Source[C]) error {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if e.isCurrent(p) && e.isComplete(source, false) {
		return nil // another caller was faster
	}
	defer c.weigh(key, e, source)
	if e.revision.IsZero() || !e.isComplete(source, true) {
		loaded, err := c.load(ctx, e, p, source)
		if err != nil {
			return err
		}
		if !loaded {
			return c.build(ctx, e, p, source)
		}
	}
	if e.revision == p.Revision {
		return nil
	}
	err := c.catchUp(ctx, e, source)
	if errors.Is(err, store.ErrLost) {
		return c.build(ctx, e, p, source)
	}
	return err
}

const errSeveralRevisions = Damage("the records are of several revisions")

// loadTries bounds how often records are read again because those that are stored have moved to another revision.
const loadTries = 10

// load loads the records that are missing: all, where the contents are not at the partition's revision and must catch up.
// loaded is false where they are not stored, or damaged.
func (c *Cache[K, C]) load(ctx context.Context, e *entry[C], p *store.Partition, source Source[C]) (loaded bool, err error) {
	begin := time.Now()
	contents, revision := source.Copy(e.contents), e.revision
	if revision != p.Revision {
		contents, revision = source.Empty(), store.Revision{}
	}
	all, tries := false, store.FromReplica
	for range loadTries {
		names := source.Missing(contents, all)
		if len(names) == 0 {
			e.set(contents, revision, time.Time{})
			return true, nil
		}
		found, err := source.Stored(ctx, names, tries)
		if damage := Damage(""); errors.As(err, &damage) {
			return false, c.forget(ctx, source, err)
		}
		if err != nil {
			return false, err
		}
		records := found.Records
		if len(records) == 0 {
			break
		}
		stored := records[0].Revision
		if slices.ContainsFunc(records, func(r store.Record) bool { return r.Revision != stored }) {
			return false, c.forget(ctx, source, errSeveralRevisions)
		}
		if isOther := stored != p.Revision; stored != revision && !revision.IsZero() || isOther && !all {
			// Other records are needed than those that were asked for.
			contents, revision, all = source.Empty(), stored, isOther
			continue
		}
		revision = stored
		decoded, damage := decode(source, source.Copy(contents), names, records)
		if damage != nil && found.From == store.FromReplica {
			c.log.WarnContext(ctx, "the replica has damaged data; the database is asked in its place", "data", source.Place().String(), "error", damage)
			tries = store.FromDatabase
			continue
		}
		if damage != nil {
			c.loaded.Add(ctx, 0, len(names), begin)
			return false, c.forget(ctx, source, damage)
		}
		contents = decoded
		c.loaded.Add(ctx, len(names), 0, begin)
	}
	c.loaded.Add(ctx, 0, 1, begin)
	return false, nil
}

// decode returns the contents with records taken in, which it verifies, or what is wrong with them.
func decode[C any](source Source[C], contents C, names []string, records []store.Record) (_ C, damage error) {
	revision := records[0].Revision
	for _, name := range names {
		i := slices.IndexFunc(records, func(r store.Record) bool { return r.Name == name })
		damage = fmt.Errorf("the record %s is missing", name)
		if i >= 0 {
			var plain []byte
			if plain, damage = unseal(source.Place(), revision, name, records[i].Data); damage == nil {
				contents, damage = source.Decode(contents, name, plain)
			}
		}
		if damage != nil {
			return contents, damage
		}
	}
	return contents, nil
}

// forget has damaged records made anew.
func (c *Cache[K, C]) forget(ctx context.Context, source Source[C], damage error) error {
	place := source.Place()
	c.log.WarnContext(ctx, "stored data is damaged and will be built anew", "data", place.String(), "error", damage)
	if err := source.Forget(ctx); err != nil {
		if ctx.Err() != nil {
			return err
		}
		// The database may be read-only. Counting goes on without what is stored.
		c.log.WarnContext(ctx, "damaged data could not be erased", "data", place.String(), "error", err)
	}
	return nil
}

// build makes the contents from the rows.
func (c *Cache[K, C]) build(ctx context.Context, e *entry[C], p *store.Partition, source Source[C]) error {
	begin := time.Now()
	contents, revision, err := source.Build(ctx)
	if err != nil {
		return err
	}
	if revision.IsZero() { // the partition is gone
		revision = p.Revision
	}
	e.set(contents, revision, begin)
	c.built.Add(ctx, 1, 0, begin)
	if !c.SavesBuilt {
		return nil
	}
	plain, err := source.Encode(e.contents)
	if err == nil {
		err = save(ctx, source, e.revision, plain)
	}
	if err != nil && ctx.Err() == nil {
		// The database may be read-only. That is no reason not to answer.
		c.log.WarnContext(ctx, "data could not be stored", "data", source.Place().String(), "error", err)
	}
	return ctx.Err()
}

// catchUp reads what was written since the entry's revision. Contents of a revision that was lost are dropped.
func (c *Cache[K, C]) catchUp(ctx context.Context, e *entry[C], source Source[C]) error {
	begin, before := time.Now(), e.revision
	newest, err := source.CatchUp(ctx, e.contents, before, func(change func(C) C) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.revision = store.Revision{} // first: a change that panics leaves contents of no revision
		e.contents = change(e.contents)
	})
	switch {
	case err == nil:
		e.set(e.contents, newest, begin)
		c.caughtUp.Add(ctx, 1, 0, begin)
	case e.revision != before || errors.Is(err, store.ErrLost):
		e.set(source.Empty(), store.Revision{}, time.Time{})
	}
	return err
}
