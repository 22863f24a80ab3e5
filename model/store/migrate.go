package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/migrations"
	"github.com/goalgraph/goalgraph/model"
)

// Applied is a migration and whether the database has it.
type Applied struct {
	Version int
	Name    string
	Applied bool
}

// Migrate brings the schema to the newest version and returns the number of migrations
// applied. They run in one transaction, together with the record of what was applied,
// behind a lock. So concurrent processes migrate once, and a killed process changes
// nothing.
func (s *Store) Migrate(ctx context.Context) (applied int, err error) {
	defer wrap(&err, "migrate up")
	all, version, err := s.schema(ctx, s.db)
	if err != nil || version == len(all) {
		return 0, err
	}
	err = s.migration(ctx, func(tx bun.Tx) error {
		all, version, err := s.schema(ctx, tx)
		if err != nil {
			return err
		}
		isCluster, err := s.isCluster(ctx, tx)
		if err != nil {
			return err
		}
		applied = len(all) - version
		for _, migration := range all[version:] {
			up := migration.Up
			if isCluster {
				up = append(slices.Clip(up), migration.Citus...)
			}
			if err := run(ctx, tx, up); err != nil {
				return fmt.Errorf("migration %03d_%s: %w", migration.Version, migration.Name, err)
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)",
				migration.Version, migration.Name, model.MillisOf(s.now())); err != nil {
				return err
			}
		}
		return nil
	})
	return applied, err
}

// MigrateDown undoes the newest migration and deletes the data it introduced.
func (s *Store) MigrateDown(ctx context.Context) (undone *Applied, err error) {
	defer wrap(&err, "migrate down")
	err = s.migration(ctx, func(tx bun.Tx) error {
		all, version, err := s.schema(ctx, tx)
		if err != nil || version == 0 {
			return err
		}
		migration := all[version-1]
		if err := run(ctx, tx, migration.Down); err != nil {
			return fmt.Errorf("migration %03d_%s: %w", migration.Version, migration.Name, err)
		}
		undone = &Applied{Version: migration.Version, Name: migration.Name}
		_, err = tx.ExecContext(ctx, "DELETE FROM schema_migrations WHERE version = ?", migration.Version)
		return err
	})
	return undone, err
}

// Migrations returns every migration and whether the database has it.
func (s *Store) Migrations(ctx context.Context) (list []Applied, err error) {
	defer wrap(&err, "migrate status")
	all, version, err := s.schema(ctx, s.db)
	for _, migration := range all {
		list = append(list, Applied{migration.Version, migration.Name, migration.Version <= version})
	}
	return list, err
}

// IsNew tells whether the database has no migration yet.
func (s *Store) IsNew(ctx context.Context) (isNew bool, err error) {
	defer wrap(&err, "look for migrations")
	_, version, err := s.schema(ctx, s.db)
	return version == 0 && err == nil, err
}

func (s *Store) migration(ctx context.Context, do func(tx bun.Tx) error) error {
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		if s.dialect.migrationLock != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.migrationLock); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"); err != nil {
			return err
		}
		return do(tx)
	})
}

// schema returns all migrations and the database's version.
func (s *Store) schema(ctx context.Context, db bun.IDB) ([]migrations.Migration, int, error) {
	all, err := migrations.All(s.dialect.migrations)
	if err != nil {
		return nil, 0, err
	}
	exists, err := s.hasTable(ctx, db, "schema_migrations")
	if err != nil || !exists {
		return all, 0, err
	}
	var version int
	if err := db.NewSelect().Table("schema_migrations").ColumnExpr("COALESCE(MAX(version), 0)").Scan(ctx, &version); err != nil {
		return nil, 0, err
	}
	if version > len(all) {
		return nil, 0, model.Errorf(model.FailedPrecondition, "the database has schema version %d, but this program only knows versions up to %d; run a newer goalgraph", version, len(all))
	}
	return all, version, nil
}

// isCluster tells whether the database has the extension Citus.
func (s *Store) isCluster(ctx context.Context, db bun.IDB) (bool, error) {
	if !s.dialect.copies {
		return false, nil
	}
	return db.NewSelect().Table("pg_extension").Where("extname = 'citus'").Exists(ctx)
}

func (s *Store) hasTable(ctx context.Context, db bun.IDB, name string) (bool, error) {
	tables, err := s.tables(ctx, db)
	for _, table := range tables {
		if table == name {
			return true, err
		}
	}
	return false, err
}

func run(ctx context.Context, tx bun.Tx, statements []string) error {
	for _, statement := range statements {
		// The text must not be parsed: a question mark in a comment is not a parameter.
		if _, err := tx.Tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", strings.SplitN(statement, "\n", 2)[0], err)
		}
	}
	return nil
}
