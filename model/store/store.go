// Package store keeps sites, definitions, sessions and hits in SQLite or PostgreSQL,
// through bun and the same SQL. dialect.go holds all differences between the two.
//
// Its errors are model.Error if a person can do something about them. errors.go maps
// the codes of the drivers' errors.
//
// Every statement about visits names its site, which the keys of their tables begin with: a cluster keeps all rows of a
// site on one node. A partition's revision has the random id of its write beside its number (revision.go), so that a
// database that lost writes is told from the one that had them.
//
// A message and the sessions it changes are written in one transaction (write.go).
// The transaction takes its locks in a fixed order: the site, the ids of the messages,
// the dimensions, the users, the visitors, the partitions, the events, each sorted. So writers in
// any number of processes wait for each other and never fail on a deadlock. What erases sessions has the site for itself
// (erase.go).
package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"golang.org/x/sync/semaphore"

	"github.com/goalgraph/goalgraph/model"
)

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db *bun.DB
	// reading is what sessions, hits and assignments are read from: db, or a transaction (AtOneMoment).
	reading bun.IDB
	// writing is the connection pool for all writes.
	writing *bun.DB
	dialect dialect
	now     func() time.Time
	log     *slog.Logger
	// turns queues the writers to a SQLite file in order of arrival; nil if writers do
	// not exclude each other.
	turns *semaphore.Weighted
	// lockPatience is how long to wait for a lock on a SQLite file that another process
	// holds.
	lockPatience time.Duration

	values    *knownValues
	maxValues int
	defined   func(site int64)

	// replica may be nil. loaded counts the bytes of records by their origin.
	replica *replica
	loaded  *[2]atomic.Int64
}

// Options are the optional parts of a Store.
type Options struct {
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// MaxValues is the maximum number of distinct values per site and dimension: pages,
	// event names, tags, a property's values and so on. Further values become
	// model.OtherValue. DefaultMaxValues by default.
	MaxValues int
	// Defined is called after a commit that has changed a site's definitions, or erased some of its sessions; optional.
	Defined func(site int64)
	// Replica is the address of a PostgreSQL that follows the database, to load columns from; optional.
	Replica string
	// Log receives background events, for example retries; none by default.
	Log *slog.Logger
	// MustExist has Open make nothing: where no database was migrated before, its error is NotFound.
	MustExist bool
}

// Open opens the database at url: sqlite:PATH, with the file and its folder created if
// missing, for this user alone, or postgres://…. It does not migrate.
func Open(ctx context.Context, url string, options Options) (*Store, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	db, writing, dialect, err := connect(url, options.MustExist)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: db, reading: db, writing: writing, dialect: dialect, now: options.Now, log: options.Log, values: newKnownValues(), maxValues: cmp.Or(options.MaxValues, DefaultMaxValues),
		defined: options.Defined, lockPatience: lockPatience, loaded: &[2]atomic.Int64{},
	}
	if options.Replica != "" {
		if s.replica, err = openReplica(dialect, options.Replica); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if writing != db {
		s.turns = semaphore.NewWeighted(1)
	}
	// While one process switches the journal of a new SQLite file, others are refused
	// at once, without the wait of all other locks.
	if err := s.retry(ctx, func() error { return db.PingContext(ctx) }); err != nil {
		s.Close()
		return nil, fmt.Errorf("open %s: %w", Redacted(url), err)
	}
	if options.MustExist {
		isNew, err := s.IsNew(ctx)
		if err == nil && isNew {
			err = errNoDatabase(url)
		}
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func errNoDatabase(url string) error {
	return model.Errorf(model.NotFound, "there is no database of Goalgraph at %s; pass --database as the server has it, or start the server first", Redacted(url))
}

// Close closes the database.
func (s *Store) Close() error {
	var errs []error
	if s.replica != nil {
		errs = append(errs, s.replica.db.Close())
	}
	if s.writing != s.db {
		errs = append(errs, s.writing.Close())
	}
	return errors.Join(append(errs, s.db.Close())...)
}

// Instance returns the unique id of the database. The first call creates it.
func (s *Store) Instance(ctx context.Context) (id string, err error) {
	defer wrap(&err, "instance")
	if _, err := s.execute(ctx, s.writing.NewRaw("INSERT INTO instance (one, id) VALUES (1, ?) ON CONFLICT DO NOTHING", rand.Text())); err != nil {
		return "", err
	}
	return id, s.db.NewSelect().Table("instance").Column("id").Scan(ctx, &id)
}

// Writers returns the number of writing transactions that can run at once. More would
// only wait.
func (s *Store) Writers() int { return s.dialect.writers }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return sortError(s.db.PingContext(ctx)) }

// inTransaction runs do in a transaction, and again if the database asks for a retry.
// So do must have no effects elsewhere.
func (s *Store) inTransaction(ctx context.Context, do func(tx bun.Tx) error) error {
	return s.retry(ctx, func() error {
		return s.writing.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error { return do(tx) })
	})
}

// execute runs a writing statement.
func (s *Store) execute(ctx context.Context, statement interface {
	Exec(ctx context.Context, dest ...any) (sql.Result, error)
}) (result sql.Result, err error) {
	err = s.retry(ctx, func() error {
		result, err = statement.Exec(ctx)
		return err
	})
	return result, err
}

// lockPause is the time between two attempts to lock a SQLite file.
const lockPause = 2 * time.Millisecond

// retry runs a transaction, and again after a deadlock or a serialization failure, or
// while another process holds the lock on a SQLite file.
func (s *Store) retry(ctx context.Context, transaction func() error) error {
	if s.turns != nil {
		if err := s.turns.Acquire(ctx, 1); err != nil {
			return err
		}
		defer s.turns.Release(1)
	}
	const tries = 5
	begin := time.Now()
	for try := 1; ; try++ {
		err := transaction()
		for isBusy(err) && time.Since(begin) < s.lockPatience && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(lockPause):
				err = transaction()
			}
		}
		if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			// Drivers report cancellation in many ways; this normalises them.
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		if err == nil || try == tries || !isRetryable(err) {
			return sortError(err)
		}
		s.log.InfoContext(ctx, "the database asked for a retry of the transaction", "try", try, "reason", err)
	}
}

// wrap adds the operation that failed to an error. Methods defer it in one line.
func wrap(err *error, format string, args ...any) {
	if *err != nil {
		*err = fmt.Errorf(format+": %w", append(args, sortError(*err))...)
	}
}
