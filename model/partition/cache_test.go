package partition

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goalgraph/goalgraph/model/store"
)

// rows are a partition of numbers, each written by the revision of its place, behind 1. What is kept of them is their sum,
// in a slice of one that changes in place.
type rows struct {
	mu      sync.Mutex
	numbers []int
	stored  []store.Record
	// failAfter has the catching up fail behind so many changes, if it is positive.
	failAfter int
	builds    atomic.Int32
}

var errRead = errors.New("the rows cannot be read")

func (r *rows) write(n int) (p *store.Partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers = append(r.numbers, n)
	return &store.Partition{ID: 1, Revision: int64(len(r.numbers))}
}

func (r *rows) after(revision int64) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.numbers[revision:])
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

func (r *rows) Stored(context.Context, []string) ([]store.Record, error) { return r.stored, nil }

func (*rows) Decode(_ []int, _ string, plain []byte) ([]int, error) {
	return []int{int(binary.LittleEndian.Uint64(plain))}, nil
}

func (*rows) Encode(sum []int) (map[string][]byte, error) {
	return map[string][]byte{"sum": binary.LittleEndian.AppendUint64(nil, uint64(sum[0]))}, nil
}

func (r *rows) Build(context.Context) ([]int, int64, error) {
	r.builds.Add(1)
	numbers, sum := r.after(0), 0
	for _, n := range numbers {
		sum += n
	}
	return []int{sum}, int64(len(numbers)), nil
}

func (r *rows) CatchUp(_ context.Context, _ []int, revision int64, apply func(func([]int) []int)) (int64, error) {
	numbers := r.after(revision)
	for i, n := range numbers {
		if i+1 == r.failAfter {
			return 0, errRead
		}
		apply(func(sum []int) []int {
			sum[0] += n
			return sum
		})
	}
	return revision + int64(len(numbers)), nil
}

func (r *rows) Save(_ context.Context, revision int64, sealed map[string][]byte) error {
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
	if err := c.Read(t.Context(), 1, p, r, func(sum []int, revision int64) error {
		if sum[0] != want || revision < p.Revision {
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
	if sum, _ := c.Known(1); sum != nil {
		t.Errorf("%v stays in memory", sum)
	}
	p := r.write(2)
	mustSum(t, c, r, p, 3)
	if err := c.Save(t.Context(), 1, p, r); err != nil {
		t.Fatal(err)
	}
	if sum, revision := c.Known(1); revision != 2 || sum[0] != 3 {
		t.Errorf("known after saving: %v at %d", sum, revision)
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
	if err := loading.Read(t.Context(), 1, p, r, func(sum []int, _ int64) error {
		t.Errorf("half of the changes were read: %d", sum[0])
		return nil
	}); !errors.Is(err, errRead) {
		t.Errorf("the error is %v", err)
	}
	r.failAfter = 0
	mustSum(t, loading, r, p, 31)

	offered := newSums(1 << 20)
	if ok, err := offered.Offer(t.Context(), 1, r, []store.Record{saved}); !ok || err != nil {
		t.Errorf("offered: %t, %v", ok, err)
	}
	if sum, revision := offered.Known(1); revision != 2 || sum[0] != 3 {
		t.Errorf("known: %v at %d", sum, revision)
	}
	offered.CatchUp(t.Context(), 1, r)
	if sum, revision := offered.Known(1); revision != 5 || sum[0] != 31 {
		t.Errorf("known after catching up: %v at %d", sum, revision)
	}

	strayed := saved
	strayed.Revision = 5 // the record of another revision is whole, and wrong
	r.stored = []store.Record{strayed}
	mustSum(t, newSums(1<<20), r, p, 31)
	if r.stored != nil {
		t.Error("the damaged record was not forgotten")
	}
	if ok, err := newSums(1<<20).Offer(t.Context(), 1, r, []store.Record{strayed}); ok || err != nil {
		t.Errorf("the damaged record was taken: %t, %v", ok, err)
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
						if err := c.Read(t.Context(), 1, p, r, func(sum []int, revision int64) error {
							if int64(sum[0]) != revision || revision < p.Revision {
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
