// Package main measures how fast Goalgraph counts, beside PostgreSQL and DuckDB on the same data in the same run.
//
// It fills a PostgreSQL with the sessions of one site (session.go, encode.go, fill.go): the product's own tables, a table as the best plain SQL
// wants it (postgres.go), and a file of DuckDB (duckdb.go), all from one generator that a seed determines. Then it starts the server
// (server.go) and asks all three systems random questions (question.go), each of leaves that were never asked before, and compares
// every answer: a difference ends the run. Goalgraph is asked over HTTP, the others by their fastest way: where
// there are several plans, each is timed and the best one counts.
//
// A matrix is asked again after hits of the newest day: such as the server took in itself (track.go), and such as another process
// wrote. Last come hits that are counted while they are written (live.go). The figures (measure.go) are medians over the questions. The last line is one JSON object (report.go).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	sessions, days, questions int
	seed                      uint64
	dir, server, duckdb       string
	refill, reindex           bool
	duration                  time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.sessions, "sessions", 1_000_000, "sessions to fill in")
	flag.IntVar(&o.days, "days", 90, "days they are spread over")
	flag.Uint64Var(&o.seed, "seed", 1, "of the data and the questions")
	flag.IntVar(&o.questions, "questions", 20, "random questions to take medians over")
	flag.StringVar(&o.dir, "dir", "", "folder for the databases, which the next run uses again; by default goalgraph-bench in the folder for temporary files")
	flag.StringVar(&o.server, "server", "bin/goalgraph", "the program to measure")
	flag.StringVar(&o.duckdb, "duckdb", "server/bench/duckdb", "the folder of the program that runs DuckDB")
	flag.BoolVar(&o.refill, "refill", false, "fill again, even where the folder has the data")
	flag.BoolVar(&o.reindex, "reindex", false, "make all stored columns again")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "how long hits are written for the freshness; matrices are asked for half as long")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := o.check()
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// check fills in the defaults that are found out.
func (o *options) check() error {
	if o.sessions < o.days || o.days < 2 || o.questions < 1 {
		return fmt.Errorf("%d sessions, %d days and %d questions: at least 2 days, a session a day and a question are needed", o.sessions, o.days, o.questions)
	}
	if o.dir == "" {
		parent := os.TempDir()
		if os.Geteuid() == 0 {
			parent = "/tmp" // PostgreSQL does not run as root, and TMPDIR may be a folder that only root enters
		}
		o.dir = filepath.Join(parent, "goalgraph-bench")
	}
	var err error
	o.dir, err = filepath.Abs(o.dir)
	return err
}
