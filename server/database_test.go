//go:build system

// This file serves the tests of this folder, which run the server, so it has the tag system: see main_test.go.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// openSQL opens a database beside the program that has it open.
func openSQL(tb testing.TB, database string) *sql.DB {
	tb.Helper()
	driver, address := "pgx", database
	if path, isSQLite := strings.CutPrefix(database, "sqlite:"); isSQLite {
		driver, address = "sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

// number asks for one number.
func number(tb testing.TB, db *sql.DB, query string) (n int) {
	tb.Helper()
	if err := db.QueryRowContext(context.Background(), query).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return n
}

// contents returns all that a database knows of sessions, without the numbers
// that it gives, a line a row, sorted.
func contents(tb testing.TB, database string) []string {
	tb.Helper()
	db := openSQL(tb, database)
	var lines []string
	for _, query := range []string{
		`SELECT 'site', domain FROM site_domains`,
		// A user whom a late link found on a device leaves a visitor without hits.
		`SELECT 'visitor', visitor, first_at FROM visitors WHERE EXISTS (SELECT 1 FROM sessions WHERE visitor_id = visitors.id)`,
		`SELECT 'link', user_id, at, device FROM links`,
		`SELECT 'session', visitor, day, session_key, first_visit, started_at, ended_at, hits, page_views, knows, ip, country, region, city, referrer, entry_page, hostname,
			exit_page, browser, os, device, language, utm_source, utm_medium, utm_campaign, utm_term, utm_content, pages, tags, events, properties
			FROM sessions JOIN visitors ON visitors.id = visitor_id JOIN partitions ON partitions.id = partition_id`,
		`SELECT 'hit', visitor, started_at, at, id_high, id_low, kind, name, value, hits.tags, hits.properties, user_id
			FROM hits JOIN sessions ON sessions.partition_id = hits.partition_id AND sessions.ordinal = hits.ordinal JOIN visitors ON visitors.id = visitor_id`,
		`SELECT 'assignment', visitor, started_at, session_key, experiment, variant, at, id_high, id_low
			FROM assignments JOIN sessions ON sessions.partition_id = assignments.partition_id AND sessions.ordinal = assignments.ordinal
				AND sessions.visitor_id = assignments.visitor_id JOIN visitors ON visitors.id = sessions.visitor_id`,
		`SELECT 'event', name, count, first_at, last_at, has_value FROM events`,
		`SELECT 'value', dimension, hash FROM site_values`,
		`SELECT 'message', id_high, id_low FROM messages WHERE id_low <> 0`,
		`SELECT 'hits', count(*) FROM hits`,
		`SELECT 'assignments', count(*) FROM assignments`,
	} {
		rows, err := db.QueryContext(context.Background(), query)
		if err != nil {
			tb.Fatalf("%s: %v", query, err)
		}
		columns, err := rows.Columns()
		if err != nil {
			tb.Fatal(err)
		}
		values, to := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(to...); err != nil {
				tb.Fatal(err)
			}
			lines = append(lines, fmt.Sprint(values))
		}
		if err := rows.Err(); err != nil {
			tb.Fatal(err)
		}
		rows.Close()
	}
	slices.Sort(lines)
	return lines
}

func equalContents(tb testing.TB, got, want []string) {
	tb.Helper()
	if slices.Equal(got, want) {
		return
	}
	only := func(a, b []string) (rest []string) {
		for _, line := range a {
			if _, found := slices.BinarySearch(b, line); !found {
				rest = append(rest, line)
			}
		}
		return rest[:min(len(rest), 5)]
	}
	tb.Errorf("%d rows, want %d\nonly here:  %s\nonly there: %s", len(got), len(want), strings.Join(only(got, want), "\n"), strings.Join(only(want, got), "\n"))
}
