package store

import (
	"context"
	"fmt"
	"strings"

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
		conn, err := s.writing.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
			return do(loadingTx{Tx: tx, conn: conn, copies: s.dialect.copies})
		})
	})
}

// loadFrom is the number of rows from which COPY, or a prepared statement, beats one INSERT of all.
const loadFrom = 50

// load inserts n rows. values gives a row's values in the order of the columns,
// and models is a pointer to the slice of them.
func (tx loadingTx) load(ctx context.Context, table string, columns []string, n int, values func(i int) []any, models any) error {
	switch {
	case n < loadFrom:
		if n == 0 {
			return nil
		}
		_, err := tx.NewInsert().Model(models).Exec(ctx)
		return err
	case tx.copies:
		return tx.copy(ctx, table, columns, n, values)
	}
	insert, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", table, strings.Join(columns, ", "), strings.Repeat(", ?", len(columns)-1)))
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range n {
		if _, err := insert.ExecContext(ctx, values(i)...); err != nil {
			return err
		}
	}
	return nil
}

func (tx loadingTx) copy(ctx context.Context, table string, columns []string, n int, values func(i int) []any) error {
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
