package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
)

// DefaultMaxValues is the default maximum of distinct values per site and dimension.
const DefaultMaxValues = 100_000

// maxProperties is the maximum number of properties per site; each is a dimension.
const maxProperties = 1000

// limitedOrigins are the dimensions of a hit's origin whose values senders choose.
var limitedOrigins = slices.DeleteFunc(dimension.Origins(), func(d *dimension.Dimension) bool { return d.Limit == "" })

// knownValues remembers values that their site is known to have, so that most batches
// need not ask the database. It may forget. It is safe for concurrent use.
type knownValues struct {
	seed maphash.Seed
	mu   sync.RWMutex
	// hashes are hashes of site, dimension and value; 64 bits are enough to avoid
	// collisions.
	hashes map[uint64]struct{}
}

// maxKnownValues limits the memory of knownValues to about 20 MB.
const maxKnownValues = 500_000

func newKnownValues() *knownValues {
	return &knownValues{seed: maphash.MakeSeed(), hashes: map[uint64]struct{}{}}
}

func (k *knownValues) hash(site int64, dimension, value string) uint64 {
	var h maphash.Hash
	h.SetSeed(k.seed)
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], uint64(site))
	h.Write(number[:]) // a hash never fails
	h.WriteString(dimension)
	h.WriteByte(0)
	h.WriteString(value)
	return h.Sum64()
}

func (k *knownValues) has(hash uint64) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, known := k.hashes[hash]
	return known
}

func (k *knownValues) add(hashes []uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.hashes)+len(hashes) > maxKnownValues {
		clear(k.hashes)
	}
	for _, hash := range hashes {
		k.hashes[hash] = struct{}{}
	}
}

// valueRow is a value of a site's dimension.
type valueRow struct {
	bun.BaseModel `bun:"table:site_values,alias:site_values"`

	SiteID    int64
	Dimension string
	Hash      int64
}

// valueHash is what is stored of a value.
func valueHash(value string) int64 {
	hash := sha256.Sum256([]byte(value))
	return int64(binary.BigEndian.Uint64(hash[:8]))
}

// limitValues replaces values beyond the maximum of a dimension with model.OtherValue.
// Values that the site already has stay.
func (w *writer) limitValues(ctx context.Context) error {
	asked := map[string]map[string]bool{} // by dimension
	for i := range w.fresh {
		eachValue(&w.fresh[i].Hit, func(limited string, value *string) {
			if *value == "" || *value == model.OtherValue || asked[limited][*value] || w.values.has(w.values.hash(w.site, limited, *value)) {
				return
			}
			if asked[limited] == nil {
				asked[limited] = map[string]bool{}
			}
			asked[limited][*value] = true
		})
	}
	over := map[string]map[string]bool{}
	for _, limited := range slices.Sorted(maps.Keys(asked)) {
		refused, err := w.admit(ctx, limited, slices.Sorted(maps.Keys(asked[limited])))
		if err != nil {
			return err
		}
		for _, value := range refused {
			if over[limited] == nil {
				over[limited] = map[string]bool{}
			}
			over[limited][value] = true
			delete(asked[limited], value)
		}
		for value := range asked[limited] {
			w.admitted = append(w.admitted, w.values.hash(w.site, limited, value))
		}
	}
	if len(over) == 0 {
		return nil
	}
	w.overflows = map[string]int{}
	for i := range w.fresh {
		hit := &w.fresh[i].Hit
		// The batch belongs to the caller.
		hit.Tags, hit.Properties = slices.Clone(hit.Tags), maps.Clone(hit.Properties)
		eachValue(hit, func(limited string, value *string) {
			if over[limited][*value] {
				*value = model.OtherValue
				limited, _, _ = strings.Cut(limited, ":")
				w.overflows[limited]++
			}
		})
	}
	return nil
}

// admit stores the values that the limit has room for, and returns the others. It locks the limit against other writers.
func (w *writer) admit(ctx context.Context, limited string, values []string) (refused []string, err error) {
	limit := w.maxValues
	if limited == dimension.PropertyLimit {
		limit = min(limit, maxProperties)
	}
	var taken int
	if err := w.tx.NewRaw(`INSERT INTO site_dimensions (site_id, dimension, distinct_values) VALUES (?, ?, 0)
		ON CONFLICT (site_id, dimension) DO UPDATE SET distinct_values = site_dimensions.distinct_values RETURNING distinct_values`, w.site, limited).
		Scan(ctx, &taken); err != nil {
		return nil, err
	}
	room := limit - taken
	for chunk := range slices.Chunk(values, insertChunk) {
		hashes := make([]int64, len(chunk))
		for i, value := range chunk {
			hashes[i] = valueHash(value)
		}
		var found []int64
		if err := w.tx.NewSelect().Table("site_values").Column("hash").
			Where("site_id = ? AND dimension = ? AND hash IN (?)", w.site, limited, bun.List(hashes)).Scan(ctx, &found); err != nil {
			return nil, err
		}
		known := make(map[int64]bool, len(found))
		for _, hash := range found {
			known[hash] = true
		}
		var rows []valueRow
		for i, value := range chunk {
			switch {
			case known[hashes[i]]:
			case len(rows) < room:
				known[hashes[i]] = true
				rows = append(rows, valueRow{SiteID: w.site, Dimension: limited, Hash: hashes[i]})
			default:
				refused = append(refused, value)
			}
		}
		if len(rows) == 0 {
			continue
		}
		if _, err := w.tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
			return nil, err
		}
		room -= len(rows)
	}
	if limit-room == taken {
		return refused, nil
	}
	_, err = w.tx.NewUpdate().Table("site_dimensions").Set("distinct_values = ?", limit-room).Where("site_id = ? AND dimension = ?", w.site, limited).Exec(ctx)
	return refused, err
}

// eachValue replaces each limited value of a hit, named by its limit, with what visit returns for it.
func eachValue(hit *model.Hit, visit func(limit string, value *string)) {
	switch hit.Kind {
	case model.PageView:
		visit(dimension.PageLimit, &hit.Name)
	case model.Event:
		visit(dimension.EventLimit, &hit.Name)
	}
	for i := range hit.Tags {
		visit(dimension.TagLimit, &hit.Tags[i])
	}
	if len(hit.Properties) > 0 {
		eachProperty(hit.Properties, visit)
	}
	for _, d := range limitedOrigins {
		visit(d.Limit, d.Origin(&hit.Origin))
	}
}

// eachProperty is eachValue of properties. The keys have a limit, and the values of each
// key one of their own: property:KEY.
func eachProperty(properties map[string]string, visit func(limit string, value *string)) {
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		name, value := key, properties[key]
		if visit(dimension.PropertyLimit, &name); name == model.OtherValue {
			if key != name {
				delete(properties, key)
				properties[name] = model.OtherValue
			}
			continue
		}
		was := value
		if visit(dimension.PropertyLimit+":"+key, &value); value != was {
			properties[key] = value
		}
	}
}
