package store

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// replica is a PostgreSQL that follows the database, and may lag behind it. Only what is stored of a partition is read
// there, and only if it is of the revision that the database itself names: a replica never decides what is newest.
type replica struct {
	db *bun.DB
	// resumeAt is when a replica that failed is asked again, in nanoseconds since 1970.
	resumeAt atomic.Int64
}

// openReplica opens a replica, which need not be reachable.
func openReplica(of dialect, url string) (*replica, error) {
	if !of.copies {
		return nil, model.Invalid("--database-replica", "needs a PostgreSQL in --database; SQLite has no replicas")
	}
	if strings.HasPrefix(url, "sqlite:") {
		return nil, model.Invalid("--database-replica", "is not a PostgreSQL address; write it like postgres://user:password@host:5432/name")
	}
	db, _, _, err := connect(url, true)
	if err != nil {
		return nil, err
	}
	return &replica{db: db}, nil
}

// replicaPause is how long a replica that failed is left alone.
const replicaPause = 10 * time.Second

// Origin is where stored records come from.
type Origin int

// The origins of records.
const (
	FromDatabase Origin = iota
	FromReplica
)

// Stored are the records of one partition, and where they come from.
type Stored struct {
	Records []Record
	From    Origin
}

// Loaded is how many bytes of records were read from the database and from its replica.
type Loaded struct{ Database, Replica int64 }

// Loaded returns how many bytes of records were read.
func (s *Store) Loaded() Loaded {
	return Loaded{s.loaded[FromDatabase].Load(), s.loaded[FromReplica].Load()}
}

// stored reads n records of each of some partitions, with a query that is built for a database: from the replica where it
// has all of a partition's at a revision, and otherwise from the database. A replica that lacks some tells nothing.
func (s *Store) stored(ctx context.Context, partitions []*Partition, n int, at func(*Partition) Revision, tries Origin,
	query func(db *bun.DB, ids []int64) (map[int64][]Record, error)) (stored map[int64]Stored, err error) {
	stored = make(map[int64]Stored, len(partitions))
	ids := make([]int64, len(partitions))
	for i, p := range partitions {
		ids[i] = p.ID
	}
	if tries == FromReplica && s.replica != nil && time.Now().UnixNano() >= s.replica.resumeAt.Load() {
		found, err := query(s.replica.db, ids)
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			s.replica.resumeAt.Store(time.Now().Add(replicaPause).UnixNano())
			s.log.WarnContext(ctx, "the replica cannot be read; the database is asked in its place", "error", sortError(err))
		}
		ids = ids[:0]
		for _, p := range partitions {
			records := found[p.ID]
			if len(records) == n && !slices.ContainsFunc(records, func(r Record) bool { return r.Revision != at(p) }) {
				stored[p.ID] = Stored{records, FromReplica}
				s.count(FromReplica, records)
			} else {
				ids = append(ids, p.ID)
			}
		}
		if len(ids) == 0 {
			return stored, nil
		}
	}
	found, err := query(s.db, ids)
	for id, records := range found {
		stored[id] = Stored{records, FromDatabase}
		s.count(FromDatabase, records)
	}
	return stored, err
}

func (s *Store) count(from Origin, records []Record) {
	for i := range records {
		s.loaded[from].Add(int64(len(records[i].Data)))
	}
}
