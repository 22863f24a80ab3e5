package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
)

// bound is a statement whose values are sent beside it, for its places ?1, ?2 and so on. bun writes values into the text,
// so that PostgreSQL plans each statement anew; a bound one is planned once per connection. It is for the few statements
// that every question runs.
type bound struct{ sqlite, postgreSQL string }

func bind(statement string) bound {
	return bound{sqlite: statement, postgreSQL: strings.ReplaceAll(statement, "?", "$")}
}

// rows runs a bound statement on the database or in a transaction. The rows are to be closed.
func (d *dialect) rows(ctx context.Context, db bun.IDB, statement bound, values ...any) (*sql.Rows, error) {
	var connection interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
	switch db := db.(type) { // within bun's types, which write values into the text
	case *bun.DB:
		connection = db.DB
	case bun.Tx:
		connection = db.Tx
	default:
		return nil, fmt.Errorf("a bound statement cannot run on a %T", db)
	}
	if !d.copies {
		return connection.QueryContext(ctx, statement.sqlite, values...)
	}
	return connection.QueryContext(ctx, statement.postgreSQL, append([]any{d.boundMode}, values...)...)
}
