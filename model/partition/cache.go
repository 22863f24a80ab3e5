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

// Record is a named part of contents, as it is stored.
type Record struct {
	Name     string
	Revision int64
	// Data is sealed.
	Data []byte
}

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
	// tells that what is stored cannot be used.
	Stored(ctx context.Context, names []string) ([]Record, error)
	// Decode returns the contents with a record taken in. An error says that it is damaged.
	Decode(contents C, name string, plain []byte) (C, error)
	// Build makes contents from the rows, with the revision that they are of.
	Build(ctx context.Context) (contents C, revision int64, err error)
	// CatchUp brings contents from a revision to the newest one, which it returns. It hands each change to apply, which
	// keeps readers out meanwhile; a change returns the contents that take the place of those that it was given. Where
	// an error follows a change, the contents are of no revision and are dropped.
	CatchUp(ctx context.Context, contents C, revision int64, apply func(change func(C) C)) (newest int64, err error)
	// Encode returns the records of contents, by name.
	Encode(contents C) (map[string][]byte, error)
	// Save stores sealed records in place of those of older revisions.
	Save(ctx context.Context, revision int64, sealed map[string][]byte) error
	// Forget erases the stored records: one of them is damaged.
	Forget(ctx context.Context) error
	// SavesBuilt tells whether contents are saved as soon as they are built, because building them is dear.
	SavesBuilt() bool
	// Bytes is about how much memory the contents take.
	Bytes(contents C) uint64
}

// Cache keeps contents by key. It is safe for concurrent use.
type Cache[K comparable, C any] struct {
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
	// revision is the partition's that the contents are of; 0 while they are of none.
	revision int64
	weight   atomic.Uint32
}

// NewCache returns a cache of at most about as many bytes. name begins the names of its meters. log is told of
// damaged records.
func NewCache[K comparable, C any](name string, bytes uint64, log *slog.Logger) (*Cache[K, C], error) {
	entries, err := otter.New(&otter.Options[K, *entry[C]]{
		MaximumWeight: bytes,
		Weigher:       func(_ K, e *entry[C]) uint32 { return e.weight.Load() },
	})
	return &Cache[K, C]{
		entries: entries, log: log,
		loaded: Meter{Name: name + "_loaded"}, built: Meter{Name: name + "_built"}, caughtUp: Meter{Name: name + "_caught_up"},
	}, err
}

// Meters count the loads, the builds and the catching up.
func (c *Cache[K, C]) Meters() []*Meter { return []*Meter{&c.loaded, &c.built, &c.caughtUp} }

// Bytes is about how much memory the contents take.
func (c *Cache[K, C]) Bytes() uint64 { return c.entries.WeightedSize() }

// Len is about how many contents there are.
func (c *Cache[K, C]) Len() int { return c.entries.EstimatedSize() }

// Read calls do with the contents of a key as they are at the partition's revision, or a newer one, with all that the
// source's question needs. They do not change until do returns.
func (c *Cache[K, C]) Read(ctx context.Context, key K, p *store.Partition, source Source[C], do func(contents C, revision int64) error) error {
	e := c.entry(key, source)
	for {
		e.mu.RLock()
		if e.has(p.Revision, source) {
			defer e.mu.RUnlock()
			return do(e.contents, e.revision)
		}
		e.mu.RUnlock()
		if err := c.update(ctx, key, e, p, source); err != nil {
			return err
		}
	}
}

// Known returns the contents of a key, of whichever revision, where they are in memory. Only contents that do not
// change once they are made may be used after that.
func (c *Cache[K, C]) Known(key K) (contents C, revision int64) {
	e, found := c.entries.GetIfPresent(key)
	if !found {
		return contents, 0
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.contents, e.revision
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
	if e.isComplete(source) {
		_ = c.catchUp(ctx, e, 0, source)
		c.weigh(key, e, source)
	}
}

// Offer takes in records that the caller has read, where nothing of the key is in memory. ok is false where one is
// damaged, and forgotten.
func (c *Cache[K, C]) Offer(ctx context.Context, key K, source Source[C], records []Record) (ok bool, err error) {
	e := c.entry(key, source)
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if e.revision > 0 {
		return true, nil
	}
	contents := source.Empty()
	contents, ok, err = c.decode(ctx, source, contents, source.Missing(contents, true), records)
	if err != nil || !ok {
		return false, err
	}
	e.set(contents, records[0].Revision)
	c.weigh(key, e, source)
	return true, nil
}

// Save stores the contents of a key as they are at the partition's revision, or a newer one. The source must need all
// records.
func (c *Cache[K, C]) Save(ctx context.Context, key K, p *store.Partition, source Source[C]) error {
	var at int64
	var plain map[string][]byte
	err := c.Read(ctx, key, p, source, func(contents C, revision int64) (err error) {
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
func save[C any](ctx context.Context, source Source[C], revision int64, plain map[string][]byte) error {
	sealed := make(map[string][]byte, len(plain))
	for name, data := range plain {
		sealed[name] = seal(source.Place(), revision, name, data)
	}
	return source.Save(ctx, revision, sealed)
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
	e.weight.Store(uint32(min(entryBytes+source.Bytes(e.contents), math.MaxUint32)))
	c.entries.Set(key, e)
}

func (e *entry[C]) has(revision int64, source Source[C]) bool {
	return e.revision > 0 && e.revision >= revision && len(source.Missing(e.contents, false)) == 0
}

func (e *entry[C]) isComplete(source Source[C]) bool {
	return e.revision > 0 && len(source.Missing(e.contents, true)) == 0
}

// set makes contents those of the entry.
func (e *entry[C]) set(contents C, revision int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.contents, e.revision = contents, revision
}

// update brings an entry to the partition's revision in the caller's turn.
func (c *Cache[K, C]) update(ctx context.Context, key K, e *entry[C], p *store.Partition, source Source[C]) error {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if e.has(p.Revision, source) {
		return nil // another caller was faster
	}
	defer c.weigh(key, e, source)
	if !e.isComplete(source) {
		loaded, err := c.load(ctx, e, p, source)
		if err != nil {
			return err
		}
		if !loaded {
			return c.build(ctx, e, p.Revision, source)
		}
	}
	if e.revision >= p.Revision {
		return nil
	}
	return c.catchUp(ctx, e, p.Revision, source)
}

// loadTries bounds how often records are read again because those that are stored have moved to another revision.
const loadTries = 10

// load loads the records that are missing: all, where the contents are behind and must catch up. loaded is false where
// they are not stored, or damaged.
func (c *Cache[K, C]) load(ctx context.Context, e *entry[C], p *store.Partition, source Source[C]) (loaded bool, err error) {
	begin := time.Now()
	contents, revision := source.Copy(e.contents), e.revision
	if revision < p.Revision {
		contents, revision = source.Empty(), 0
	}
	all := false
	for range loadTries {
		names := source.Missing(contents, all)
		if len(names) == 0 {
			e.set(contents, revision)
			return true, nil
		}
		records, err := source.Stored(ctx, names)
		if damage := Damage(""); errors.As(err, &damage) {
			return false, c.forget(ctx, source, err)
		}
		if err != nil {
			return false, err
		}
		if len(records) == 0 {
			break
		}
		stored := records[0].Revision
		if isBehind := stored < p.Revision; stored != revision && revision != 0 || isBehind && !all {
			// Other records are needed than those that were asked for.
			contents, revision, all = source.Empty(), stored, isBehind
			continue
		}
		revision = stored
		var ok bool
		if contents, ok, err = c.decode(ctx, source, contents, names, records); err != nil || !ok {
			c.loaded.Add(ctx, 0, len(names), begin)
			return false, err
		}
		c.loaded.Add(ctx, len(names), 0, begin)
	}
	c.loaded.Add(ctx, 0, 1, begin)
	return false, nil
}

// decode returns the contents with records taken in, which it verifies. Damaged ones are forgotten, and ok is false.
func (c *Cache[K, C]) decode(ctx context.Context, source Source[C], contents C, names []string, records []Record) (_ C, ok bool, err error) {
	revision := records[0].Revision
	for _, name := range names {
		i := slices.IndexFunc(records, func(r Record) bool { return r.Name == name })
		damage := fmt.Errorf("the record %s is missing", name)
		if i >= 0 {
			var plain []byte
			if plain, damage = unseal(source.Place(), revision, name, records[i].Data); damage == nil {
				contents, damage = source.Decode(contents, name, plain)
			}
		}
		if damage != nil {
			return contents, false, c.forget(ctx, source, damage)
		}
	}
	return contents, true, nil
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

// build makes the contents from the rows. least is a revision that the partition has in any case.
func (c *Cache[K, C]) build(ctx context.Context, e *entry[C], least int64, source Source[C]) error {
	begin := time.Now()
	contents, revision, err := source.Build(ctx)
	if err != nil {
		return err
	}
	e.set(contents, max(revision, least))
	c.built.Add(ctx, 1, 0, begin)
	if !source.SavesBuilt() {
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

// catchUp reads what was written since the entry's revision. least is a revision that the partition has in any case.
func (c *Cache[K, C]) catchUp(ctx context.Context, e *entry[C], least int64, source Source[C]) error {
	begin, before := time.Now(), e.revision
	newest, err := source.CatchUp(ctx, e.contents, before, func(change func(C) C) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.contents, e.revision = change(e.contents), 0
	})
	switch {
	case err == nil:
		e.set(e.contents, max(newest, least, before))
		c.caughtUp.Add(ctx, 1, 0, begin)
	case e.revision != before:
		e.set(source.Empty(), 0)
	}
	return err
}
