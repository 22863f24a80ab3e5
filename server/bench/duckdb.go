package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// duckdbTable stores values as their numbers in the vocabulary, which are smaller and faster to compare than texts. The
// table referrers, for joins, has the numbers of the one field with many values. Rows are in the order of their days, so
// that a day is a few row groups.
const duckdbTable = `CREATE TABLE sessions (
	day USMALLINT, length_ms INTEGER, page_views USMALLINT, country UTINYINT, referrer USMALLINT, browser UTINYINT, os UTINYINT,
	device UTINYINT, language UTINYINT, utm_source UTINYINT, utm_medium UTINYINT, utm_campaign UTINYINT,
	pages USMALLINT[], tags UTINYINT[], events UTINYINT[])`

// duckdb runs in a Node.js process, because the newest version has no Go driver. That process also times the queries.
type duckdb struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	encoder *encoder
}

// installDuckDB installs the versions of the lock file. npm ci would need the binaries of all platforms in the lock file;
// npm install finds a missing one in the exact version that the package asks for.
func installDuckDB(folder string) error {
	cmd := exec.Command("npm", "install", "--no-save")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install DuckDB from npm (needs Node.js 20 or later): %w\n%s", err, out)
	}
	return nil
}

// openDuckDB opens a file. Its process ends when its standard input closes, so at the latest with this process.
func openDuckDB(folder, file string, e *encoder) (*duckdb, error) {
	d := &duckdb{cmd: exec.Command("node", filepath.Join(folder, "query.mjs"), file), encoder: e}
	d.cmd.Stderr = os.Stderr
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.out = bufio.NewScanner(out)
	d.out.Buffer(nil, 64<<20)
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start DuckDB in Node.js: %w", err)
	}
	return d, nil
}

func (d *duckdb) close() error {
	d.in.Close()
	return d.cmd.Wait()
}

func (d *duckdb) name() string { return "DuckDB" }

type duckdbResult struct {
	Rows   [][2]int `json:"rows"`
	Millis float64  `json:"ms"`
	Error  string   `json:"error"`
}

func (d *duckdb) query(sql string) (r duckdbResult, err error) {
	line, err := json.Marshal(sql)
	if err != nil {
		return r, err
	}
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		return r, err
	}
	if !d.out.Scan() {
		return r, fmt.Errorf("DuckDB ended: %w", d.out.Err())
	}
	if err := json.Unmarshal(d.out.Bytes(), &r); err != nil {
		return r, err
	}
	if r.Error != "" {
		return r, fmt.Errorf("DuckDB: %s: %s", r.Error, sql)
	}
	return r, nil
}

// copyFrom returns the SQL that copies files of encoder.duckdb into the table.
func copyFrom(files string) string {
	return "COPY sessions FROM '" + files + "' (FORMAT csv, DELIM '\t', HEADER false, QUOTE '', ESCAPE '', AUTO_DETECT false)"
}

// load fills the DuckDB file from a folder of files.
func (d *duckdb) load(files string) error {
	return d.run(
		"DROP TABLE IF EXISTS sessions",
		duckdbTable,
		copyFrom(filepath.Join(files, "*.tsv")),
		fmt.Sprintf("CREATE OR REPLACE TABLE referrers AS SELECT unnest(range(%d))::USMALLINT AS referrer", len(d.encoder.referrers)+1),
		"CHECKPOINT",
	)
}

// restore resets the newest day to its state after the fill.
func (d *duckdb) restore(day int, files string) error {
	return d.run(fmt.Sprintf("DELETE FROM sessions WHERE day = %d", day), copyFrom(filepath.Join(files, dayFile(day))), "CHECKPOINT")
}

func dayFile(day int) string { return fmt.Sprintf("%05d.tsv", day) }

func (d *duckdb) run(statements ...string) error {
	for _, sql := range statements {
		if _, err := d.query(sql); err != nil {
			return err
		}
	}
	return nil
}

func (d *duckdb) one(_ context.Context, def definition) (count int, best time.Duration, err error) {
	return count, best, d.fastest(&best, []string{
		"SELECT 0, count(*) FROM sessions WHERE " + duckdbWhere(def.conditions, false),
		"SELECT 0, count(*) FROM sessions WHERE " + duckdbWhere(def.conditions, true),
	}, func(r duckdbResult) { count = r.Rows[0][1] })
}

// matrix selects a mask, like postgres.matrix, in two ways: with all conditions evaluated on the sessions, and with those on
// referrers evaluated on the table referrers and joined.
func (d *duckdb) matrix(_ context.Context, q question, day *int) (a answer, best time.Duration, err error) {
	var from string
	if day != nil {
		from = fmt.Sprintf(" WHERE day = %d", *day)
	}
	definitions := append(append([]definition{}, q.segments...), q.goal...)
	var inline, joined, leaves []string
	for i, def := range definitions {
		inline = append(inline, fmt.Sprintf("(%s)::INTEGER << %d", duckdbWhere(def.conditions, false), i))
		var parts []string
		for _, c := range def.conditions {
			if c.field != referrer {
				parts = append(parts, duckdbWhere([]condition{c}, false))
				continue
			}
			leaf := fmt.Sprintf("leaf%d", len(leaves))
			leaves = append(leaves, duckdbWhere([]condition{c}, false)+" AS "+leaf)
			parts = append(parts, leaf)
		}
		joined = append(joined, fmt.Sprintf("(%s)::INTEGER << %d", strings.Join(parts, " AND "), i))
	}
	mask := func(bits []string) string {
		return "SELECT (" + strings.Join(bits, ") | (") + ") AS mask, count(*) FROM "
	}
	queries := []string{mask(inline) + "sessions" + from + " GROUP BY mask"}
	if len(leaves) > 0 {
		queries = append(queries, mask(joined)+"sessions JOIN (SELECT referrer, "+strings.Join(leaves, ", ")+" FROM referrers) AS known USING (referrer)"+from+" GROUP BY mask")
	}
	return a, best, d.fastest(&best, queries, func(r duckdbResult) {
		a = newAnswer(len(q.segments), len(q.goal))
		for _, row := range r.Rows {
			a.foldMask(row[0], row[1])
		}
	})
}

// fastest runs queries that have the same answer, and keeps the time of the fastest.
func (d *duckdb) fastest(best *time.Duration, queries []string, take func(duckdbResult)) error {
	for i, sql := range queries {
		r, err := d.query(sql)
		if err != nil {
			return err
		}
		take(r)
		if took := time.Duration(r.Millis * float64(time.Millisecond)); i == 0 || took < *best {
			*best = took
		}
	}
	return nil
}

// duckdbWhere returns conditions as SQL. split writes one list_contains for each value in place of one list_has_any.
func duckdbWhere(conditions []condition, split bool) string {
	parts := make([]string, len(conditions))
	for i, c := range conditions {
		list := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.any), " ", ", "), "[]")
		element := choose(c.field == pages, "USMALLINT", "UTINYINT") // with a literal of another type, DuckDB would cast every list
		switch {
		case c.field.isNumber():
			parts[i] = fmt.Sprintf("%s BETWEEN %d AND %d", c.field, c.min, c.max)
		case c.field.isSet() && len(c.any) == 1:
			parts[i] = fmt.Sprintf("list_contains(%s, %s::%s)", c.field, list, element)
		case c.field.isSet() && split && len(c.any) <= 20:
			each := make([]string, len(c.any))
			for j, n := range c.any {
				each[j] = fmt.Sprintf("list_contains(%s, %d::%s)", c.field, n, element)
			}
			parts[i] = "(" + strings.Join(each, " OR ") + ")"
		case c.field.isSet():
			parts[i] = fmt.Sprintf("list_has_any(%s, [%s]::%s[])", c.field, list, element)
		default:
			parts[i] = fmt.Sprintf("%s IN (%s)", c.field, list)
		}
		if c.not {
			parts[i] = "NOT (" + parts[i] + ")"
		}
	}
	return strings.Join(parts, " AND ")
}

func (d *duckdb) insert(_ context.Context, day, _ int, sessions []codedSession) error {
	values := make([]string, len(sessions))
	for i := range sessions {
		row := strings.TrimSuffix(string(d.encoder.duckdb(nil, &sessions[i], day)), "\n")
		values[i] = "(" + strings.ReplaceAll(row, "\t", ", ") + ")"
	}
	_, err := d.query("INSERT INTO sessions VALUES " + strings.Join(values, ", "))
	return err
}
