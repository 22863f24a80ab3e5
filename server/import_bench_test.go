//go:build system

// The benchmark in this file runs the server's import, so it has the tag system: see main_test.go.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// BenchmarkImport imports access logs of so many lines: those that
// GOALGRAPH_BENCH_LINES lists (make bench-import does), or 100,000. peakMB is the
// most memory that the importing process had. ×bare is how much longer the import
// took than writing its hits alone, in transactions of as many rows, to an empty
// table: by COPY on PostgreSQL, by INSERTs of many rows on SQLite.
func BenchmarkImport(b *testing.B) {
	sizes := "100000"
	if set := os.Getenv("GOALGRAPH_BENCH_LINES"); set != "" {
		sizes = set
	}
	for _, size := range strings.Fields(sizes) {
		lines, err := strconv.Atoi(size)
		if err != nil || lines < sampleLines {
			b.Fatalf("GOALGRAPH_BENCH_LINES: %q is no number from %d on", size, sampleLines)
		}
		copies := lines / sampleLines
		b.Run(fmt.Sprintf("lines=%d", copies*sampleLines), func(b *testing.B) {
			log := longLog(b, copies)
			b.Run("sqlite", func(b *testing.B) { benchmarkImport(b, storetest.SQLite, log, copies) })
			b.Run("postgresql", func(b *testing.B) { benchmarkImport(b, storetest.PostgreSQL, log, copies) })
		})
	}
}

func benchmarkImport(b *testing.B, newDatabase func(testing.TB) string, log string, copies int) {
	var took, bare time.Duration
	var peak int64
	for range b.N {
		database := newDatabase(b)
		p := program(b, "--database", database, "import", "--bots", "include", log)
		begin := time.Now()
		p.mustRun(b, done)
		took += time.Since(begin)
		if summary := summaryOf(b, p); summary.Sessions != copies*sampleSessions || summary.Visitors != sampleVisitors {
			b.Fatalf("%+v, want %d sessions of %d visitors", summary, copies*sampleSessions, sampleVisitors)
		}
		peak = max(peak, peakBytes(p))
		b.StopTimer()
		bare += loadBare(b, database, copies*samplePageViews)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*copies*sampleLines)/took.Seconds(), "lines/s")
	b.ReportMetric(float64(peak)/(1<<20), "peakMB")
	b.ReportMetric(took.Seconds()/bare.Seconds(), "×bare")
	b.ReportMetric(0, "ns/op") // says the same as lines/s
}

// peakBytes is a little too much rather than too little: the system counts from
// before the program replaced this one.
func peakBytes(p *process) int64 {
	peak := p.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "darwin" {
		return peak
	}
	return peak << 10
}

// loadBare writes the database's hits to an empty table like theirs, and returns
// how long the writing took.
func loadBare(b *testing.B, database string, want int) (took time.Duration) {
	ctx := context.Background()
	db := openSQL(b, database)
	isPostgreSQL := strings.HasPrefix(database, "postgres")
	for _, statement := range []string{
		`CREATE TABLE bare (site_id BIGINT NOT NULL, partition_id BIGINT NOT NULL, ordinal INTEGER NOT NULL, at BIGINT NOT NULL, id_high BIGINT NOT NULL, id_low BIGINT NOT NULL, kind INTEGER NOT NULL,
			name TEXT NOT NULL, value BIGINT, tags TEXT NOT NULL, properties TEXT NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (site_id, partition_id, ordinal, at, id_high, id_low))`,
		`CREATE TABLE hits_by_time AS SELECT * FROM hits ORDER BY at`,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
	columns := []string{"site_id", "partition_id", "ordinal", "at", "id_high", "id_low", "kind", "name", "value", "tags", "properties", "origin"}
	found, err := db.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM hits_by_time")
	if err != nil {
		b.Fatal(err)
	}
	defer found.Close()
	writer, err := db.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer writer.Close()
	written := 0
	for more := true; more; {
		var rows [][]any
		for len(rows) < 5000 {
			if more = found.Next(); !more {
				break
			}
			row, to := make([]any, len(columns)), make([]any, len(columns))
			for i := range row {
				to[i] = &row[i]
			}
			if err := found.Scan(to...); err != nil {
				b.Fatal(err)
			}
			rows = append(rows, row)
		}
		begin := time.Now()
		if isPostgreSQL {
			err = writer.Raw(func(driver any) error {
				_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"bare"}, columns, pgx.CopyFromRows(rows))
				return err
			})
		} else {
			err = insertRows(ctx, writer, rows)
		}
		took += time.Since(begin)
		if err != nil {
			b.Fatal(err)
		}
		written += len(rows)
	}
	if err := found.Err(); err != nil || written != want {
		b.Fatalf("%d hits, want %d; %v", written, want, err)
	}
	return took
}

func insertRows(ctx context.Context, conn *sql.Conn, rows [][]any) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	const many = 500
	for len(rows) > 0 {
		n := min(many, len(rows))
		var values []any
		for _, row := range rows[:n] {
			values = append(values, row...)
		}
		one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(rows[0])), ", ") + ")"
		if _, err := tx.ExecContext(ctx, "INSERT INTO bare VALUES "+strings.TrimSuffix(strings.Repeat(one+", ", n), ", "), values...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return tx.Commit()
}
