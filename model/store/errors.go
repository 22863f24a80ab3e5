package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/goalgraph/goalgraph/model"
)

// errUnique stands for a violated unique constraint. Methods that may see one tell
// people what is already in use.
var errUnique = errors.New("unique constraint violated")

// sortError turns a driver's error into one that says what to do about it. It is the
// only place that knows the drivers' codes.
func sortError(err error) error {
	if err == nil || model.CodeOf(err) != model.Internal || errors.Is(err, errUnique) {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return sortPostgreSQL(e, err)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return sortSQLite(e, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	_, isNetwork := errors.AsType[net.Error](err)
	_, isConnect := errors.AsType[*pgconn.ConnectError](err)
	if isNetwork || isConnect || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || pgconn.SafeToRetry(err) {
		return unavailable(err, "the database cannot be reached; try again")
	}
	return err
}

func sortPostgreSQL(e *pgconn.PgError, err error) error {
	switch e.Code {
	case "23505":
		return errors.Join(errUnique, err)
	case "25006":
		return unavailable(err, "the database is read-only, so nothing changed; point --database at a server that accepts writes")
	case "53100":
		return unavailable(err, "the database's disk is full, so nothing changed; free some space and try again")
	case "40P01", "40001":
		return unavailable(err, "too many changes to the same data at once, so nothing changed; try again")
	case "42501":
		return unavailable(err, "the database user lacks a permission (%s); grant it", e.Message)
	case "28P01", "28000":
		return unavailable(err, "the database rejects the user or password in --database; correct them")
	case "3D000":
		return unavailable(err, "the database that --database names does not exist; create it first")
	}
	switch e.Code[:min(2, len(e.Code))] { // poolers answer without a code, too
	case "08", "53", "57", "58":
		return unavailable(err, "the database is not available (%s); try again", e.Message)
	}
	return err
}

func sortSQLite(e *sqlite.Error, err error) error {
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return errors.Join(errUnique, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_READONLY:
		return unavailable(err, "the database file is read-only, so nothing changed; make the file and its folder writable")
	case sqlite3.SQLITE_FULL:
		return unavailable(err, "the disk is full, so nothing changed; free some space and try again")
	case sqlite3.SQLITE_BUSY:
		return unavailable(err, "another process holds a lock on the database file; try again")
	case sqlite3.SQLITE_CANTOPEN:
		return unavailable(err, "the database file cannot be opened; check its path and permissions")
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return unavailable(err, "the database file is damaged or is not a SQLite database; restore a backup or choose another file")
	case sqlite3.SQLITE_IOERR:
		return unavailable(err, "the database file cannot be read or written; check the disk")
	}
	return err
}

func unavailable(cause error, format string, args ...any) error {
	e := model.Errorf(model.Unavailable, format, args...)
	e.Cause = cause
	return e
}

// isBusy tells whether another process holds the lock on a SQLite file.
func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// isRetryable tells whether the database asks for a retry of the transaction.
func isRetryable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40P01" || e.Code == "40001")
}
