package partition

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/store"
)

// rows are a partition of numbers, each written by the revision of its place, behind 1. What is kept of them is their sum,
// in a slice of one that changes in place.
type rows struct {
	mu      sync.Mutex
	numbers []int
	stored  []store.Record
	// replicated is what a replica has.
	replicated []store.Record
	// failAfter has the catching up fail behind so many changes, if it is positive.
	failAfter int
	builds    atomic.Int32
}

var errRead = errors.New("the rows cannot be read")

func (r *rows) write(n int) (p *store.Partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers = append(r.numbers, n)
	return &store.Partition{ID: 1, Revision: revisionOf(r.numbers), ReadAt: time.Now()}
}

// revisionOf names numbers as writes do: another write makes another revision.
func revisionOf(numbers []int) store.Revision {
	hash := fnv.New64a()
	fmt.Fprint(hash, numbers)
	return store.Revision{Number: int64(len(numbers)), Write: int64(hash.Sum64())}
}

// after returns the numbers behind a revision, which may be lost.
func (r *rows) after(revision store.Revision) (numbers []int, newest store.Revision, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := int(revision.Number); n > len(r.numbers) || n > 0 && revisionOf(r.numbers[:n]) != revision {
		return nil, revision, store.ErrLost
	}
	return slices.Clone(r.numbers[revision.Number:]), revisionOf(r.numbers), nil
}

func (*rows) Place() Place           { return Place{Kind: "sums", Partition: 1} }
func (*rows) Empty() []int           { return nil }
func (*rows) Copy(sum []int) []int   { return slices.Clone(sum) }
func (*rows) Bytes(sum []int) uint64 { return uint64(8 * len(sum)) }

func (*rows) Missing(sum []int, _ bool) []string {
	if sum == nil {
		return []string{"sum"}
	}
	return nil
}

func (r *rows) Stored(_ context.Context, _ []string, tries store.Origin) (store.Stored, error) {
	if tries == store.FromReplica && r.replicated != nil {
		return store.Stored{Records: r.replicated, From: store.FromReplica}, nil
	}
	return store.Stored{Records: r.stored}, nil
}

func (*rows) Decode(_ []int, _ string, plain []byte) ([]int, error) {
	return []int{int(binary.LittleEndian.Uint64(plain))}, nil
}

func (*rows) Encode(sum []int) (map[string][]byte, error) {
	return map[string][]byte{"sum": binary.LittleEndian.AppendUint64(nil, uint64(sum[0]))}, nil
}

func (r *rows) Build(context.Context) ([]int, store.Revision, error) {
	r.builds.Add(1)
	numbers, newest, err := r.after(store.Revision{})
	sum := 0
	for _, n := range numbers {
		sum += n
	}
	return []int{sum}, newest, err
}

func (r *rows) CatchUp(_ context.Context, _ []int, revision store.Revision, apply func(func([]int) []int)) (store.Revision, error) {
	numbers, newest, err := r.after(revision)
	if err != nil {
		return revision, err
	}
	for i, n := range numbers {
		if i+1 == r.failAfter {
			return revision, errRead
		}
		apply(func(sum []int) []int {
			sum[0] += n
			return sum
		})
	}
	return newest, nil
}

func (r *rows) Save(_ context.Context, revision store.Revision, sealed map[string][]byte) error {
	r.stored = []store.Record{{Name: "sum", Revision: revision, Data: sealed["sum"]}}
	return nil
}

func (r *rows) Forget(context.Context) error {
	r.stored = nil
	return nil
}

func newSums(bytes uint64) *Cache[int, []int] {
	return NewCache[int, []int]("sums", bytes, slog.New(slog.DiscardHandler))
}

func mustSum(t *testing.T, c *Cache[int, []int], r *rows, p *store.Partition, want int) {
	t.Helper()
	if err := c.Read(t.Context(), 1, p, r, func(sum []int, revision store.Revision) error {
		if sum[0] != want || revision != revisionOf(r.numbers) {
			t.Errorf("%d at revision %d; want %d at %d", sum[0], revision, want, p.Revision)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Saving keeps nothing in memory that was not there, and lets nothing go that was.
func TestCacheSaves(t *testing.T) {
	t.Parallel()
	r := &rows{}
	c := newSums(1 << 20)
	if err := c.Save(t.Context(), 1, r.write(1), r); err != nil || len(r.stored) != 1 {
		t.Fatalf("%v; %d records are stored", err, len(r.stored))
	}
	if c.Has(1) {
		t.Error("what was saved stays in memory")
	}
	p := r.write(2)
	mustSum(t, c, r, p, 3)
	if err := c.Save(t.Context(), 1, p, r); err != nil {
		t.Fatal(err)
	}
	if sum, revision, ok := c.Current(1, p); !ok || revision.Number != 2 || sum[0] != 3 {
		t.Errorf("after saving: %v at %d, %t", sum, revision, ok)
	}
	if builds := r.builds.Load(); builds != 1 {
		t.Errorf("%d builds, want the first one", builds)
	}
}

// What is stored is loaded and catches up; what is damaged, or caught up half-way, is never read.
func TestCache(t *testing.T) {
	t.Parallel()
	r := &rows{}
	r.write(1)
	c := newSums(1 << 20)
	if err := c.Save(t.Context(), 1, r.write(2), r); err != nil {
		t.Fatal(err)
	}
	saved := r.stored[0]

	loading := newSums(1 << 20)
	mustSum(t, loading, r, r.write(4), 7)
	if builds := r.builds.Load(); builds != 1 {
		t.Errorf("%d builds; want none beside the first", builds)
	}
	r.write(8)
	p := r.write(16)
	r.failAfter = 2
	if err := loading.Read(t.Context(), 1, p, r, func(sum []int, _ store.Revision) error {
		t.Errorf("half of the changes were read: %d", sum[0])
		return nil
	}); !errors.Is(err, errRead) {
		t.Errorf("the error is %v", err)
	}
	r.failAfter = 0
	mustSum(t, loading, r, p, 31)

	offered := newSums(1 << 20)
	if ok, err := offered.Offer(t.Context(), 1, r, store.Stored{Records: []store.Record{saved}}); !ok || err != nil {
		t.Errorf("offered: %t, %v", ok, err)
	}
	if _, _, ok := offered.Current(1, p); ok || !offered.Has(1) {
		t.Error("what was offered is not there, or is taken for something newer")
	}
	offered.CatchUp(t.Context(), 1, r)
	if sum, revision, ok := offered.Current(1, p); !ok || revision != p.Revision || sum[0] != 31 {
		t.Errorf("after catching up: %v at %d, %t", sum, revision, ok)
	}

	strayed := saved
	strayed.Revision = p.Revision // the record of another revision is whole, and wrong
	r.stored = []store.Record{strayed}
	mustSum(t, newSums(1<<20), r, p, 31)
	if r.stored != nil {
		t.Error("the damaged record was not forgotten")
	}
	if ok, err := newSums(1<<20).Offer(t.Context(), 1, r, store.Stored{Records: []store.Record{strayed}}); ok || err != nil {
		t.Errorf("the damaged record was taken: %t, %v", ok, err)
	}
}

// What a replica has that is damaged is read from the database, and is not forgotten there.
func TestCacheOfDamagedReplica(t *testing.T) {
	t.Parallel()
	r := &rows{}
	p := r.write(1)
	if err := newSums(1<<20).Save(t.Context(), 1, p, r); err != nil {
		t.Fatal(err)
	}
	damaged := r.stored[0]
	damaged.Data = slices.Clone(damaged.Data)
	damaged.Data[0] ^= 1
	r.replicated = []store.Record{damaged}
	mustSum(t, newSums(1<<20), r, p, 1)
	if r.stored == nil || r.builds.Load() != 1 {
		t.Errorf("the database's record was forgotten, or %d builds", r.builds.Load())
	}
}

// What a database lost is never read, whatever the partition's number is then, and is not taken for newer.
func TestCacheOfLostWrites(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		numbers []int // after the loss
		want    int
	}{{"fewer", []int{1}, 1}, {"as many others", []int{1, 16, 32}, 49}, {"more others", []int{1, 16, 32, 64}, 113}, {"all but the first others", []int{8, 2, 4}, 14}} {
		for _, isStored := range []bool{false, true} {
			r, c := &rows{}, newSums(1<<20)
			for _, n := range []int{1, 2, 4} {
				mustSum(t, c, r, r.write(n), []int{0, 1, 3, 0, 7}[n])
			}
			if isStored { // as a copy of the database may have it, too
				if err := c.Save(t.Context(), 1, &store.Partition{ID: 1, Revision: revisionOf(r.numbers)}, r); err != nil {
					t.Fatal(err)
				}
			}
			r.numbers = test.numbers
			p := &store.Partition{ID: 1, Revision: revisionOf(r.numbers), ReadAt: time.Now()}
			mustSum(t, c, r, p, test.want)
			mustSum(t, newSums(1<<20), r, p, test.want)
			mustSum(t, c, r, r.write(128), test.want+128)
		}
	}
}

// Readers see sums of whole revisions while others write and contents are evicted in use.
func TestCacheAtOnce(t *testing.T) {
	t.Parallel()
	for name, bytes := range map[string]uint64{"kept": 1 << 20, "evicted": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := &rows{}, newSums(bytes)
			var readers sync.WaitGroup
			for range 8 {
				readers.Go(func() {
					for range 200 {
						p := r.write(1)
						if err := c.Read(t.Context(), 1, p, r, func(sum []int, revision store.Revision) error {
							if int64(sum[0]) != revision.Number || revision.Number < p.Revision.Number {
								t.Errorf("%d at revision %d, asked for %d", sum[0], revision, p.Revision)
							}
							return nil
						}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			readers.Wait()
		})
	}
}
