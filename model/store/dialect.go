package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
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
	// migrationLock is the first statement of a transaction that migrates.
	migrationLock string
	// rowLock ends a SELECT of rows that the transaction will change.
	rowLock string
	// keyLock ends a SELECT of rows that must exist until the transaction ends.
	keyLock string
	// byBytes follows the name of a text column that is compared by its bytes.
	byBytes string
	// ofSite holds rows that are sought by a list of their ids to a site. SQLite would read all rows of the site otherwise.
	ofSite string
	// userLock takes locks, by a list of their numbers, until the transaction ends.
	userLock string
	// copies tells whether COPY can load rows.
	copies bool
	// writers is the number of writing transactions that can run at once: half of the
	// connections, so that some are left for counting even if all writers wait for
	// locks.
	writers int
	// inserted tells, where an INSERT or else UPDATE returns a row, that it is a new one.
	// Transactions of SQLite have the database alone: what they did not find, they insert.
	inserted string
	// pairs makes a table of message ids with the columns high and low. The ids are one
	// value, which parses much faster than a list of rows.
	pairs func(ids []model.MessageID) schema.QueryAppender
	// eachRow calls do with the values of each row of a query for texts and bytes. The
	// values are valid until do returns.
	eachRow func(ctx context.Context, db *bun.DB, query string, do func(values [][]byte)) error
	// boundMode is how PostgreSQL is sent bound statements.
	boundMode pgx.QueryExecMode
}

var (
	// SQLite's transactions begin IMMEDIATE: they hold the one write lock from the start.
	sqliteDialect     = dialect{migrations: migrations.SQLite, ofSite: "+site_id = ?", writers: 1, inserted: "TRUE", pairs: jsonPairs, eachRow: scanRows}
	postgresqlDialect = dialect{
		migrations: migrations.PostgreSQL,
		// Any number that nobody else uses; it spells "goalgraf".
		migrationLock: "SELECT pg_advisory_xact_lock(7453010313699385702)",
		rowLock:       "UPDATE",
		keyLock:       "KEY SHARE",
		byBytes:       ` COLLATE "C"`,
		ofSite:        "site_id = ?",
		userLock:      "SELECT pg_advisory_xact_lock(lock) FROM unnest(ARRAY[?]::bigint[]) AS lock",
		copies:        true,
		writers:       8,
		inserted:      "xmax = 0",
		pairs:         arrayPairs,
		eachRow:       readRows,
	}
)

// scanRows is dialect.eachRow through the standard library.
func scanRows(ctx context.Context, db *bun.DB, query string, do func(values [][]byte)) error {
	rows, err := db.DB.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, places := make([][]byte, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = (*sql.RawBytes)(&values[i])
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		do(values)
	}
	return rows.Err()
}

// readRows is dialect.eachRow through PostgreSQL's own protocol, which sends bytes
// unchanged. Otherwise they arrive as text, twice as long, and are converted on both
// sides.
func readRows(ctx context.Context, db *bun.DB, query string, do func(values [][]byte)) error {
	conn, err := db.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		found := driver.(*stdlib.Conn).Conn().PgConn().ExecParams(ctx, query, nil, nil, nil, []int16{pgx.BinaryFormatCode})
		for found.NextRow() {
			do(found.Values())
		}
		_, err := found.Close()
		return err
	})
}

func jsonPairs(ids []model.MessageID) schema.QueryAppender {
	list := make([]byte, 0, 48*len(ids))
	for i, id := range ids {
		list = append(list, "[,"[min(i, 1)])
		high, low := halves(id)
		list = fmt.Appendf(list, "[%d,%d]", high, low)
	}
	return bun.SafeQuery("(SELECT value ->> 0 AS high, value ->> 1 AS low FROM json_each(?)) AS ids", string(append(list, ']')))
}

func arrayPairs(ids []model.MessageID) schema.QueryAppender {
	highs, lows := make([]int64, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		highs[i], lows[i] = halves(id)
	}
	return bun.SafeQuery("unnest(?::bigint[], ?::bigint[]) AS ids (high, low)", pgdialect.Array(highs), pgdialect.Array(lows))
}

// connections is the maximum number of connections per process: enough for parallel
// scans on small machines, and well below PostgreSQL's default limit of 100.
const connections = 16

// connect returns the database to read from and to write to; for PostgreSQL they are
// the same. A SQLite file that must exist is not made.
func connect(database string, mustExist bool) (db, writing *bun.DB, d dialect, err error) {
	scheme, path, _ := strings.Cut(database, ":")
	switch scheme {
	case "sqlite":
		db, writing, err := openSQLite(path, mustExist)
		return db, writing, sqliteDialect, err
	case "postgres", "postgresql":
		config, err := pgx.ParseConfig(database)
		if err != nil {
			// The driver's own error quotes the address, password and all.
			return nil, nil, dialect{}, model.Errorf(model.BadInput, "the database address %s is not a PostgreSQL address; write it like postgres://user:password@host:5432/name", Redacted(database))
		}
		d := postgresqlDialect
		d.boundMode = config.DefaultQueryExecMode
		// bun writes values into the query text, and the default mode would prepare a
		// statement for each.
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		if config.RuntimeParams["application_name"] == "" {
			config.RuntimeParams["application_name"] = "goalgraph"
		}
		db := open(stdlib.OpenDB(*config), pgdialect.New(), connections)
		return db, db, d, nil
	}
	if strings.ContainsAny(database, "/.") && !strings.ContainsAny(database, ":@?") { // a path, which has no password
		return nil, nil, dialect{}, model.Errorf(model.BadInput, "the database address %q does not say which database it is; did you mean sqlite:%[1]s? PostgreSQL is postgres://…", database)
	}
	return nil, nil, dialect{}, model.Errorf(model.BadInput, "the database address %q is neither SQLite nor PostgreSQL; write sqlite:FILE or postgres://…", Redacted(database))
}

// lockPatience is how long to wait for the lock on a SQLite file.
const lockPatience = 10 * time.Second

func openSQLite(path string, mustExist bool) (db, writing *bun.DB, err error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, nil, model.Errorf(model.BadInput, "the database address names no file; write it like sqlite:data/goalgraph.db")
	}
	path = strings.TrimPrefix(path, "//")
	if mustExist {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, errNoDatabase("sqlite:" + path)
		}
	} else if err := makeSQLiteFile(path); err != nil {
		return nil, nil, err
	}
	if db, err = openSQLiteFile(path, lockPatience, connections); err != nil {
		return nil, nil, err
	}
	// The writers of this process take turns (Store.retry). SQLite has no queue: a
	// writer polls for the file's lock, and less often the longer it has waited. So
	// only the writer whose turn it is does that.
	if writing, err = openSQLiteFile(path, 0, 1); err != nil {
		db.Close()
		return nil, nil, err
	}
	return db, writing, nil
}

// makeSQLiteFile makes the file and its folder, if they are missing. The database has hashes of passwords and the keys of
// certificates, so it is for this user alone, and so are the files that SQLite makes beside it. What else is wrong with the
// file, SQLite tells.
func makeSQLiteFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return model.Errorf(model.Unavailable, "cannot create the folder for the database: %v", err)
	}
	if file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		return file.Close()
	}
	return nil
}

func openSQLiteFile(path string, busyTimeout time.Duration, connections int) (*bun.DB, error) {
	query := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-32000)"},
	}
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	sqldb, err := sql.Open("sqlite", file.String())
	if err != nil {
		return nil, err
	}
	return open(sqldb, sqlitedialect.New(), connections), nil
}

func open(sqldb *sql.DB, dialect schema.Dialect, connections int) *bun.DB {
	sqldb.SetMaxOpenConns(connections)
	sqldb.SetMaxIdleConns(connections)
	return bun.NewDB(sqldb, dialect)
}

// Redacted returns a database's address without passwords, or only its scheme if it
// cannot be parsed.
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
