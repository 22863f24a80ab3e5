package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// point is what was measured at one size. Times are in milliseconds, memory in MiB.
type point struct {
	Sessions int `json:"sessions"`
	// StoredMB are the columns in the database, and LoadedMB those of them that a matrix needed.
	StoredMB float64 `json:"stored_mb"`
	LoadedMB float64 `json:"loaded_mb"`
	// Load is the first matrix of a new process, and FirstTotals the first totals of another one.
	Load        float64 `json:"load_ms"`
	FirstTotals float64 `json:"first_totals_ms"`
	// ColumnsMB are the columns in memory, with room for sets, and ResidentMB the process after all questions.
	ColumnsMB  float64 `json:"columns_mb"`
	ResidentMB float64 `json:"rss_mb"`
	Count      float64 `json:"count_ms"`
	Matrix     float64 `json:"matrix_ms"`
	Totals     float64 `json:"totals_ms"`
}

// scaleFigures are the figures of a point, in the order in which they are shown.
var scaleFigures = []struct {
	name string
	of   func(point) float64
}{
	{"columns, stored, MiB", func(p point) float64 { return p.StoredMB }},
	{"loaded for a matrix, MiB", func(p point) float64 { return p.LoadedMB }},
	{"load: first matrix of a process, ms", func(p point) float64 { return p.Load }},
	{"first totals of a process, ms", func(p point) float64 { return p.FirstTotals }},
	{"columns in memory, MiB", func(p point) float64 { return p.ColumnsMB }},
	{"resident memory, MiB", func(p point) float64 { return p.ResidentMB }},
	{"one count, never asked, ms", func(p point) float64 { return p.Count }},
	{"5 × 6 matrix, never asked, ms", func(p point) float64 { return p.Matrix }},
	{"totals, never asked, ms", func(p point) float64 { return p.Totals }},
}

// line is a + b·n for n million sessions.
type line struct{ a, b float64 }

func millions(sessions int) float64 { return float64(sessions) / 1e6 }

// lineThrough returns the line through two points, and the level one through one.
func lineThrough(first, last point, of func(point) float64) line {
	if first.Sessions == last.Sessions {
		return line{a: of(first)}
	}
	b := (of(last) - of(first)) / (millions(last.Sessions) - millions(first.Sessions))
	return line{of(first) - b*millions(first.Sessions), b}
}

func (l line) at(sessions int) float64 { return l.a + l.b*millions(sessions) }

// scaleResult is the result of a run: its last line, as JSON.
type scaleResult struct {
	Points    []point `json:"points"`
	Questions int     `json:"questions"`
	Days      int     `json:"days"`
	Seed      uint64  `json:"seed"`
}

// print writes a table for people and the JSON for programs. Each figure has its ratio to the line through those of the
// smallest and the largest size.
func (r *scaleResult) print(out io.Writer) error {
	fmt.Fprintf(out, "\n%d days, seed %d; medians over %d questions, each time the shortest of %d processes\n\n", r.Days, r.Seed, r.Questions, processes)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "sessions\t")
	for _, p := range r.Points {
		fmt.Fprintf(table, "%d\t× linear\t", p.Sessions)
	}
	fmt.Fprintln(table, "linear in millions n\t")
	for _, figure := range scaleFigures {
		fmt.Fprintf(table, "%s\t", figure.name)
		linear := lineThrough(r.Points[0], r.Points[len(r.Points)-1], figure.of)
		for _, p := range r.Points {
			fmt.Fprintf(table, "%.1f\t%.2f\t", figure.of(p), figure.of(p)/linear.at(p.Sessions))
		}
		fmt.Fprintf(table, "%.2f + %.3f·n\t\n", linear.a, linear.b)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s\n", text)
	return err
}
