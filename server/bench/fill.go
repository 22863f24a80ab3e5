package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// stampVersion changes whenever fill writes other data.
const stampVersion = 3

// stamp identifies the data of a folder.
func (o *options) stamp() string {
	return fmt.Sprintf("version %d, %d sessions, %d days, seed %d\n", stampVersion, o.sessions, o.days, o.seed)
}

func (o *options) stampFile() string { return filepath.Join(o.dir, "stamp") }

// filled reports whether the folder holds the data that the options ask for.
func (o *options) filled() bool {
	stamp, err := os.ReadFile(o.stampFile())
	return err == nil && string(stamp) == o.stamp() && !o.refill
}

// domain is the domain of the measured site. Without authentication it is the write key too.
const domain = "bench.example"

// fill writes the data for PostgreSQL into an empty database, and the data for DuckDB into a folder of files.
func fill(ctx context.Context, g *generator, database, files string, report io.Writer) error {
	s, err := store.Open(ctx, database, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Migrate(ctx); err != nil {
		return err
	}
	site := model.Site{Name: "Bench", Domains: []string{domain}, Timezone: "UTC"}
	if err := s.CreateSite(ctx, &site); err != nil {
		return err
	}
	if err := os.MkdirAll(files, 0o755); err != nil {
		return err
	}
	if err := createPlain(ctx, database); err != nil {
		return err
	}
	start := time.Now()
	chunks, err := load(ctx, &encoder{generator: g, site: site.ID}, database, files)
	if err != nil {
		return err
	}
	fmt.Fprintf(report, "rows copied in %s\n", time.Since(start).Round(time.Millisecond))
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := fillSmall(ctx, conn, site.ID, g, chunks); err != nil {
		return err
	}
	// One index at a time: PostgreSQL builds each with all cores.
	for _, statement := range slices.Concat(plainIndexes, []string{
		"VACUUM (ANALYZE) plain.sessions", "VACUUM (ANALYZE) sessions", "VACUUM (ANALYZE) visitors", "ANALYZE", "CHECKPOINT",
	}) {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	fmt.Fprintf(report, "indexes made and tables analysed after %s\n", time.Since(start).Round(time.Millisecond))
	return nil
}

// load generates all days and copies them at the same time. It returns the chunks without their rows.
func load(ctx context.Context, e *encoder, database, files string) ([]chunk, error) {
	days := len(e.perDay)
	made := make([]chan chunk, days)
	for day := range made {
		made[day] = make(chan chunk, 1)
	}
	group, ctx := errgroup.WithContext(ctx)
	ahead := make(chan struct{}, 2+runtime.GOMAXPROCS(0)) // bounds memory
	group.Go(func() error {
		for day := range days {
			select {
			case ahead <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			group.Go(func() error {
				made[day] <- e.chunk(day)
				return nil
			})
		}
		return nil
	})
	var sinks []chan []byte
	sink := func(run func(rows io.Reader) error) {
		rows := make(chan []byte)
		sinks = append(sinks, rows)
		group.Go(func() error { return run(&channelReader{ctx: ctx, rows: rows}) })
	}
	for _, table := range []struct{ name, columns, index string }{
		{"sessions", sessionColumns, "sessions_by_visitor"}, {"visitors", visitorColumns, ""}, {"plain.sessions", plainColumns, ""},
	} {
		sink(func(rows io.Reader) error {
			return copyInto(ctx, database, table.name, table.columns, table.index, rows)
		})
	}
	result := make([]chunk, 0, days)
	group.Go(func() error {
		for day := range days {
			var c chunk
			select {
			case c = <-made[day]:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := os.WriteFile(filepath.Join(files, dayFile(day)), c.duckdb, 0o644); err != nil {
				return err
			}
			for i, rows := range [][]byte{c.sessions, c.visitors, c.plain} {
				select {
				case sinks[i] <- rows:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			result = append(result, chunk{day: day, events: c.events})
			<-ahead
		}
		for _, sink := range sinks {
			close(sink)
		}
		return nil
	})
	return result, group.Wait()
}

// channelReader reads rows from a channel until it is closed.
type channelReader struct {
	ctx  context.Context
	rows <-chan []byte
	rest bytes.Reader
}

func (r *channelReader) Read(p []byte) (int, error) {
	for r.rest.Len() == 0 {
		select {
		case rows, ok := <-r.rows:
			if !ok {
				return 0, io.EOF
			}
			r.rest.Reset(rows)
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	return r.rest.Read(p)
}

// copyInto fills an empty table. It drops the index, which rows would fill in random order, and creates it again at the end.
func copyInto(ctx context.Context, database, table, columns, index string, rows io.Reader) (err error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	var again string
	if index != "" {
		if err := tx.QueryRow(ctx, "SELECT pg_get_indexdef($1::regclass)", index).Scan(&again); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DROP INDEX "+index); err != nil {
			return err
		}
	}
	// Rows that are copied in the transaction that truncates the table are frozen and not logged.
	if _, err := tx.Exec(ctx, "TRUNCATE "+table); err != nil {
		return err
	}
	if _, err := conn.PgConn().CopyFrom(ctx, rows, fmt.Sprintf("COPY %s (%s) FROM STDIN WITH (FREEZE)", table, columns)); err != nil {
		return fmt.Errorf("copy into %s: %w", table, err)
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	if again == "" {
		return nil
	}
	_, err = conn.Exec(ctx, again)
	return err
}

// fillSmall writes the tables with few rows.
func fillSmall(ctx context.Context, conn *pgx.Conn, site int64, g *generator, chunks []chunk) error {
	if err := fillPartitions(ctx, conn, site, g); err != nil {
		return err
	}
	events := map[int]*eventTotals{}
	for _, c := range chunks {
		for event, seen := range c.events {
			if events[event] == nil {
				events[event] = seen
				continue
			}
			events[event].count += seen.count
			events[event].last = max(events[event].last, seen.last)
		}
	}
	var errs []error
	for event, seen := range events {
		name := g.events[event]
		_, err := conn.Exec(ctx, "INSERT INTO events (site_id, name, search_text, count, first_at, last_at, has_value) VALUES ($1, $2, $2, $3, $4, $5, $6)",
			site, name, seen.count, int64(seen.first), int64(seen.last), g.valued[event])
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// fillPartitions writes the partitions, one a day, and notes the write that filled them.
func fillPartitions(ctx context.Context, conn *pgx.Conn, site int64, g *generator) error {
	for day, n := range g.perDay {
		_, err := conn.Exec(ctx, "INSERT INTO partitions (id, site_id, day, sessions, revision, write_id, written_at) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, 1, 1, 0)",
			partitionID(day), site, int32(firstDay)+int32(day), n)
		if err != nil {
			return err
		}
	}
	if _, err := conn.Exec(ctx, noteWrite, site); err != nil {
		return err
	}
	for table, next := range map[string]int{"partitions": len(g.perDay) + 1, "visitors": g.visitors() + 1} {
		if _, err := conn.Exec(ctx, "SELECT setval(pg_get_serial_sequence($1, 'id'), $2, false)", table, next); err != nil {
			return err
		}
	}
	return nil
}

// noteWrite notes the write of the fill: columns that are made of it catch up.
const noteWrite = "INSERT INTO messages (site_id, id_high, id_low, day) VALUES ($1, 1, 0, 0)"

// restore deletes what earlier runs wrote after the fill, so that every run begins like the first. No server may run.
func restore(ctx context.Context, conn *pgx.Conn, g *generator, reindex bool) error {
	days := len(g.perDay)
	last, lastID := int32(firstDay)+int32(days)-1, partitionID(days-1)
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM sessions WHERE partition_id > $1 OR partition_id = $1 AND ordinal >= $2", []any{lastID, g.perDay[days-1]}},
		{"DELETE FROM plain.sessions WHERE day = $1 AND ordinal >= $2", []any{days - 1, g.perDay[days-1]}},
		{"DELETE FROM visitors WHERE id > $1", []any{g.visitors()}},
		{"DELETE FROM hits", nil},
		{"DELETE FROM messages WHERE day > 0", nil},
		{"DELETE FROM segments", nil},
		{"DELETE FROM goals", nil},
		{"DELETE FROM columns WHERE partition_id >= $1 OR $2", []any{lastID, reindex}},
		{"DELETE FROM partitions WHERE day > $1", []any{last}},
		{"UPDATE partitions SET sessions = $2, revision = 1, write_id = 1, written_at = 0, columns_revision = 0 WHERE day = $1", []any{last, g.perDay[days-1]}},
		{"UPDATE partitions SET columns_revision = 0 WHERE $1", []any{reindex}},
	} {
		if _, err := tx.Exec(ctx, statement.sql, statement.args...); err != nil {
			return fmt.Errorf("%s: %w", statement.sql, err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "VACUUM plain.sessions")
	return err
}
