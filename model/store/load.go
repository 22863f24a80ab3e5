package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
)

// loadingTx is a transaction that can also load many rows at once.
type loadingTx struct {
	bun.Tx
	conn   bun.Conn
	copies bool
}

// inLoadingTransaction is inTransaction on a connection that can be reached for COPY.
func (s *Store) inLoadingTransaction(ctx context.Context, do func(tx loadingTx) error) error {
	return s.retry(ctx, func() error {
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
			return do(loadingTx{Tx: tx, conn: conn, copies: s.dialect.copies})
		})
	})
}

// copyFrom is the number of rows from which COPY beats INSERT.
const copyFrom = 50

// load inserts n rows. values gives a row's values in the order of the columns,
// and models a pointer to a slice of bun models.
func (tx loadingTx) load(ctx context.Context, table string, columns []string, n int, values func(i int) []any, models func(from, to int) any) error {
	if !tx.copies || n < copyFrom {
		for from := 0; from < n; from += insertChunk {
			if _, err := tx.NewInsert().Model(models(from, min(n, from+insertChunk))).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	return tx.conn.Raw(func(driver any) error {
		conn, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", driver)
		}
		_, err := conn.Conn().CopyFrom(ctx, pgx.Identifier{table}, columns,
			pgx.CopyFromSlice(n, func(i int) ([]any, error) { return values(i), nil }))
		return err
	})
}
