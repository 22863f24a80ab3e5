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

// load inserts n rows. values gives a row's values in the order of the columns.
func (tx loadingTx) load(ctx context.Context, table string, columns []string, n int, values func(i int) ([]any, error)) error {
	switch {
	case n < loadFrom:
		return tx.insert(ctx, table, columns, n, values, "")
	case tx.copies:
		return tx.copy(ctx, table, columns, n, values)
	}
	insert, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", table, strings.Join(columns, ", "), strings.Repeat(", ?", len(columns)-1)))
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range n {
		row, err := values(i)
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

// insert inserts n rows as load does, in statements that end with a clause.
func (tx loadingTx) insert(ctx context.Context, table string, columns []string, n int, values func(i int) ([]any, error), clause string) error {
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	for from := 0; from < n; from += insertChunk {
		to := min(n, from+insertChunk)
		all := make([]any, 0, (to-from)*len(columns))
		for i := from; i < to; i++ {
			row, err := values(i)
			if err != nil {
				return err
			}
			all = append(all, row...)
		}
		query := fmt.Sprintf("INSERT INTO %s (%s) VALUES %s%s %s", table, strings.Join(columns, ", "), row, strings.Repeat(", "+row, to-from-1), clause)
		if _, err := tx.ExecContext(ctx, query, all...); err != nil {
			return err
		}
	}
	return nil
}

func (tx loadingTx) copy(ctx context.Context, table string, columns []string, n int, values func(i int) ([]any, error)) error {
	return tx.conn.Raw(func(driver any) error {
		conn, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", driver)
		}
		_, err := conn.Conn().CopyFrom(ctx, pgx.Identifier{table}, columns,
			pgx.CopyFromSlice(n, values))
		return err
	})
}
