package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/goalgraph/goalgraph/migrations"
	"github.com/goalgraph/goalgraph/model"
)

// dialect is what differs between the two databases.
type dialect struct {
	migrations migrations.Dialect
	// migrationLock is run first in the transaction that migrates.
	migrationLock string
	// rowLock ends a SELECT whose rows the transaction is going to change.
	rowLock string
	// keyLock ends a SELECT whose rows must stay while the transaction lasts.
	keyLock string
	// copies tells that rows can be loaded through COPY.
	copies bool
}

var (
	// SQLite's transactions begin IMMEDIATE: they hold the one write lock from the start.
	sqliteDialect     = dialect{migrations: migrations.SQLite}
	postgresqlDialect = dialect{
		migrations: migrations.PostgreSQL,
		// The number is any that nobody else takes; it spells "goalgraf".
		migrationLock: "SELECT pg_advisory_xact_lock(7453010313699385702)",
		rowLock:       "UPDATE",
		keyLock:       "KEY SHARE",
		copies:        true,
	}
)

// connections is how many one process opens at most: enough for parallel scans
// on small machines, and far from PostgreSQL's default limit of 100.
const connections = 16

func connect(database string) (*bun.DB, dialect, error) {
	scheme, path, _ := strings.Cut(database, ":")
	switch scheme {
	case "sqlite":
		db, err := openSQLite(path)
		return db, sqliteDialect, err
	case "postgres", "postgresql":
		config, err := pgx.ParseConfig(database)
		if err != nil {
			// The driver's own error quotes the address, password and all.
			return nil, dialect{}, model.Errorf(model.BadInput, "the database address %s is no PostgreSQL address; write it like postgres://user:password@host:5432/name", Redacted(database))
		}
		// bun writes values into the query text. The default mode would prepare a
		// statement for each one.
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		if config.RuntimeParams["application_name"] == "" {
			config.RuntimeParams["application_name"] = "goalgraph"
		}
		return open(stdlib.OpenDB(*config), pgdialect.New()), postgresqlDialect, nil
	}
	return nil, dialect{}, model.Errorf(model.BadInput, "the database address %q is not understood; write sqlite:FILE or postgres://…", Redacted(database))
}

// busyTimeout is how long a lock on a SQLite file is waited for.
const busyTimeout = 10 * time.Second

func openSQLite(path string) (*bun.DB, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, model.Errorf(model.BadInput, "sqlite: names no file; write sqlite:data/goalgraph.db")
	}
	path = strings.TrimPrefix(path, "//")
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, model.Errorf(model.Unavailable, "the folder of the database cannot be made: %v", err)
	}
	query := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-32000)"},
	}
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	sqldb, err := sql.Open("sqlite", file.String())
	if err != nil {
		return nil, err
	}
	return open(sqldb, sqlitedialect.New()), nil
}

func open(sqldb *sql.DB, dialect schema.Dialect) *bun.DB {
	sqldb.SetMaxOpenConns(connections)
	sqldb.SetMaxIdleConns(connections)
	return bun.NewDB(sqldb, dialect)
}

// Redacted returns a database's address without its passwords, and only its
// scheme where it cannot be read.
func Redacted(database string) string {
	u, err := url.Parse(database)
	if err != nil || u.Scheme == "" {
		scheme, _, found := strings.Cut(database, ":")
		if !found {
			scheme = ""
		}
		return scheme + "…"
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Set(name, "xxxxx")
			u.RawQuery = query.Encode()
		}
	}
	return u.Redacted()
}

// tables returns the names of the tables that the connection sees.
func (s *Store) tables(ctx context.Context, db bun.IDB) (names []string, err error) {
	query := "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
	if s.dialect.copies {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name"
	}
	return names, db.NewRaw(query).Scan(ctx, &names)
}
