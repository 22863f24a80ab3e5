package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// figure is a time of Goalgraph, as the median over the questions, and how many times as long the others take.
type figure struct {
	Millis     float64 `json:"ms"`
	VsPostgres float64 `json:"vs_postgres"`
	VsDuckDB   float64 `json:"vs_duckdb"`

	postgres, duckdb float64
}

// result is the result of a run: its last line, as JSON.
type result struct {
	Sessions        int     `json:"sessions"`
	IndexBytes      float64 `json:"index_bytes_per_session"`
	IndexPerSecond  float64 `json:"index_sessions_per_s"`
	ResidentMB      float64 `json:"rss_mb"`
	MatrixPerSecond float64 `json:"matrix_per_s"`
	FreshProcess    float64 `json:"fresh_process_ms"`
	ColdOne         figure  `json:"cold_one"`
	ColdMatrix      figure  `json:"cold_matrix"`
	WarmMatrix      figure  `json:"warm_matrix"`
	// ColdVisitors is a matrix by visitor, of other leaves, in milliseconds.
	ColdVisitors float64 `json:"cold_visitors_ms"`
	Refresh      figure  `json:"refresh"`
	// RefreshElsewhere is Refresh with hits that another process wrote.
	RefreshElsewhere figure `json:"refresh_elsewhere"`
	// Pages are the 100 pages with most sessions, and three goals; PagesAfter is after one hit. Places are countries by device.
	Pages       figure `json:"pages"`
	PagesAgain  figure `json:"pages_again"`
	PagesAfter  figure `json:"pages_after"`
	Places      figure `json:"places"`
	PlacesAgain figure `json:"places_again"`

	RareLeaf           float64 `json:"rare_leaf_ms"`
	RareLeafSinceStart float64 `json:"rare_leaf_since_start_ms"`
	FreshnessP50       float64 `json:"freshness_p50_ms"`
	FreshnessP99       float64 `json:"freshness_p99_ms"`
	FreshnessHits      float64 `json:"freshness_hits_per_s"`
	// StoredPerSecond is how fast the server read all rows and stored their columns; 0 if they were stored already.
	StoredPerSecond float64 `json:"stored_sessions_per_s"`
	Questions       int     `json:"questions"`
	Days            int     `json:"days"`
	Seed            uint64  `json:"seed"`
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// round rounds to two decimals; from 1,000 on, to a whole number.
func round(x float64) float64 {
	if x >= 1000 {
		return math.Round(x)
	}
	return math.Round(x*100) / 100
}

func (t *times) figure() figure {
	f := figure{postgres: median(t.postgres), duckdb: median(t.duckdb)}
	ms := median(t.goalgraph)
	f.Millis, f.VsPostgres, f.VsDuckDB = round(ms), round(f.postgres/ms), round(f.duckdb/ms)
	return f
}

// print writes a table for people and the JSON for programs.
func (r *result) print(out io.Writer) error {
	fmt.Fprintf(out, "\n%d sessions, %d days, seed %d; medians over %d questions; all systems gave the same answers\n\n", r.Sessions, r.Days, r.Seed, r.Questions)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "ms\tGoalgraph\tPostgreSQL\tDuckDB\t× PostgreSQL\t× DuckDB\t")
	for _, row := range []struct {
		name string
		figure
	}{{"one count, never asked", r.ColdOne}, {"5 × 6 matrix, never asked", r.ColdMatrix}, {"matrix again", r.WarmMatrix}, {"matrix after 1,000 hits", r.Refresh},
		{"matrix after 1,000 hits by another process", r.RefreshElsewhere},
		{"100 pages with 3 goals, never asked", r.Pages}, {"pages again", r.PagesAgain}, {"pages after a hit", r.PagesAfter},
		{"countries by device, never asked", r.Places}, {"countries by device again", r.PlacesAgain}} {
		fmt.Fprintf(table, "%s\t%.2f\t%.1f\t%.1f\t%.1f\t%.1f\t\n", row.name, row.Millis, row.postgres, row.duckdb, row.VsPostgres, row.VsDuckDB)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, row := range []struct {
		name  string
		value float64
		unit  string
	}{
		{"5 × 6 matrix by visitor, never asked", r.ColdVisitors, "ms"},
		{"new process, until its first matrix", r.FreshProcess, "ms"},
		{"one rare filter in a new process", r.RareLeaf, "ms"},
		{"the same, from its start", r.RareLeafSinceStart, "ms"},
		{"columns, stored", r.IndexBytes, "bytes a session"},
		{"columns, built by one core", r.IndexPerSecond, "sessions/s"},
		{"columns, stored by the server", r.StoredPerSecond, "sessions/s"},
		{"resident memory of the server", r.ResidentMB, "MB"},
		{"warm matrices to 32 clients", r.MatrixPerSecond, "a second"},
		{"freshness, median", r.FreshnessP50, "ms"},
		{"freshness, 99th percentile", r.FreshnessP99, "ms"},
		{"at", r.FreshnessHits, "hits/s"},
	} {
		fmt.Fprintf(out, "%-37s %10.1f %s\n", row.name, row.value, row.unit)
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s\n", line)
	return err
}
