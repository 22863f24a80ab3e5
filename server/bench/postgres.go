package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// plainColumns are the columns of the table that suits plain SQL best: no joins, and only types with operators and indexes
// in PostgreSQL.
const plainColumns = "day, ordinal, started_at, length_ms, page_views, country, referrer, browser, os, device, language, utm_source, utm_medium, utm_campaign, pages, tags, events"

const plainTable = `CREATE TABLE plain.sessions (
	day integer NOT NULL, ordinal integer NOT NULL, started_at timestamptz NOT NULL, length_ms integer NOT NULL, page_views integer NOT NULL,
	country text NOT NULL, referrer text NOT NULL, browser text NOT NULL, os text NOT NULL, device text NOT NULL, language text NOT NULL,
	utm_source text NOT NULL, utm_medium text NOT NULL, utm_campaign text NOT NULL,
	pages text[] NOT NULL, tags text[] NOT NULL, events text[] NOT NULL)`

var plainIndexes = []string{
	"CREATE INDEX ON plain.sessions (day)",
	"CREATE INDEX ON plain.sessions (country)",
	"CREATE INDEX ON plain.sessions (referrer)",
	"CREATE INDEX ON plain.sessions USING gin (pages)",
	"CREATE INDEX ON plain.sessions USING gin (tags)",
	"CREATE INDEX ON plain.sessions USING gin (events)",
}

func createPlain(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, statement := range []string{"CREATE SCHEMA plain", plainTable} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// sqlSystem is a system with SQL: PostgreSQL or DuckDB. A nil day means all days.
type sqlSystem interface {
	name() string
	// one counts the sessions that match a definition, and returns the time of the fastest query plan.
	one(ctx context.Context, d definition) (int, time.Duration, error)
	matrix(ctx context.Context, q question, day *int) (answer, time.Duration, error)
	breakdown(ctx context.Context, b breakdown) ([]row, time.Duration, error)
	insert(ctx context.Context, day, ordinal int, sessions []codedSession) error
}

type postgres struct {
	conn *pgx.Conn
	*encoder
}

func openPostgres(ctx context.Context, database string, e *encoder) (*postgres, error) {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // lets the planner see the values
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	p := &postgres{conn: conn, encoder: e}
	// Loads everything into memory before the first measurement. Every packaged PostgreSQL includes the extension.
	for _, statement := range []string{
		"CREATE EXTENSION IF NOT EXISTS pg_prewarm",
		"SELECT sum(pg_prewarm(indexrelid)) FROM pg_index WHERE indrelid = 'plain.sessions'::regclass",
		"SELECT pg_prewarm('plain.sessions')",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			conn.Close(ctx)
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return p, nil
}

func (p *postgres) name() string { return "PostgreSQL" }

// Settings for each query plan to try: the planner's own choice, and others. Compilation (jit) pays only for large scans.
var (
	plansOfOne    = []string{"", "SET jit = off", "SET jit = off; SET enable_seqscan = off"}
	plansOfMatrix = []string{"", "SET jit = off"}
)

func (p *postgres) one(ctx context.Context, d definition) (count int, best time.Duration, err error) {
	best, err = p.fastest(ctx, plansOfOne, "SELECT 0, count(*) FROM plain.sessions WHERE "+p.where(d), func(_, sessions int) { count = sessions }, func() { count = 0 })
	return count, best, err
}

// matrix scans once: SQL evaluates each predicate once a session, as a bit of a mask, and foldMask adds the masks up.
func (p *postgres) matrix(ctx context.Context, q question, day *int) (a answer, best time.Duration, err error) {
	var bits []string
	for i, d := range append(append([]definition{}, q.segments...), q.goal...) {
		bits = append(bits, fmt.Sprintf("(%s)::int << %d", p.where(d), i))
	}
	query := "SELECT (" + strings.Join(bits, ") | (") + ") AS mask, count(*) FROM plain.sessions"
	if day != nil {
		query += fmt.Sprintf(" WHERE day = %d", *day)
	}
	best, err = p.fastest(ctx, plansOfMatrix, query+" GROUP BY mask",
		func(mask, sessions int) { a.foldMask(mask, sessions) },
		func() { a = newAnswer(len(q.segments), len(q.goal)) })
	return a, best, err
}

// fastest runs the query with each plan and returns the time of the fastest. It calls begin before each plan and row for
// each row. Plans do not change answers.
func (p *postgres) fastest(ctx context.Context, plans []string, query string, row func(mask, sessions int), begin func()) (best time.Duration, err error) {
	var mask, sessions int
	return p.fastestOf(ctx, plans, query, []any{&mask, &sessions}, func() { row(mask, sessions) }, begin)
}

func (p *postgres) where(d definition) string {
	parts := make([]string, len(d.conditions))
	for i, c := range d.conditions {
		var texts []string
		names := p.names(c.field)
		for _, n := range c.any {
			texts = append(texts, "'"+names[n]+"'")
		}
		list := strings.Join(texts, ", ")
		switch {
		case c.field.isNumber():
			parts[i] = fmt.Sprintf("%s BETWEEN %d AND %d", c.field, c.min, c.max)
		case c.field.isSet() && len(texts) == 1:
			parts[i] = fmt.Sprintf("%s @> ARRAY[%s]", c.field, list)
		case c.field.isSet():
			parts[i] = fmt.Sprintf("%s && ARRAY[%s]", c.field, list)
		default:
			parts[i] = fmt.Sprintf("%s IN (%s)", c.field, list)
		}
		if c.not {
			parts[i] = "NOT (" + parts[i] + ")"
		}
	}
	return strings.Join(parts, " AND ")
}

func (p *postgres) insert(ctx context.Context, day, ordinal int, sessions []codedSession) error {
	var rows []byte
	for i := range sessions {
		rows = p.plain(rows, &sessions[i], day, ordinal+i)
	}
	_, err := p.conn.PgConn().CopyFrom(ctx, strings.NewReader(string(rows)), "COPY plain.sessions ("+plainColumns+") FROM STDIN")
	return err
}
