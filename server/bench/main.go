// Command bench measures how fast Goalgraph counts, compared with PostgreSQL and DuckDB on the same data in the same run.
//
// It generates the sessions of one site from a seed (session.go) and loads them (encode.go, fill.go) three times: into
// Goalgraph's own tables in a PostgreSQL, into a table that suits plain SQL best (postgres.go), and into a DuckDB file
// (duckdb.go). Then it starts the server (server.go) and asks all three systems random questions (question.go, ask.go).
// No filter is asked twice. Every answer is compared, and a difference ends the run. Goalgraph answers over HTTP. The
// others answer in their fastest way: each query plan is timed, and the best counts.
//
// Each matrix is asked again after new hits on the newest day, first hits that the server received (track.go), then hits
// that another process wrote. At the end, hits are counted while they are written (live.go). The figures (measure.go) are
// medians over the questions. The last line of output is one JSON object (report.go).
//
// With -scale it measures Goalgraph alone, at several sizes (scale.go).
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
	scale                     string
}

func main() {
	var o options
	flag.IntVar(&o.sessions, "sessions", 1_000_000, "number of sessions")
	flag.IntVar(&o.days, "days", 90, "number of days of the sessions")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the data and the questions")
	flag.IntVar(&o.questions, "questions", 20, "number of random questions; the figures are medians over them")
	flag.StringVar(&o.dir, "dir", "", "folder of the databases, which the next run reuses; by default goalgraph-bench in the folder for temporary files")
	flag.StringVar(&o.server, "server", "bin/goalgraph", "the program to measure")
	flag.StringVar(&o.duckdb, "duckdb", "server/bench/duckdb", "the folder of the program that runs DuckDB")
	flag.BoolVar(&o.refill, "refill", false, "fill the databases again, even if the folder has the data")
	flag.BoolVar(&o.reindex, "reindex", false, "build all stored columns again")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "how long freshness is measured; the rate of matrices is measured half as long")
	flag.StringVar(&o.scale, "scale", "", "numbers of sessions, separated by commas: measures how load, memory and counts grow with them, in place of the comparison")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := o.check()
	switch {
	case err != nil:
	case o.scale != "":
		err = scale(ctx, o, os.Stdout)
	default:
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// check validates the options and sets the defaults that depend on the machine.
func (o *options) check() error {
	if o.sessions < o.days || o.days < 2 || o.questions < 1 {
		return fmt.Errorf("%d sessions, %d days, %d questions: need at least 2 days, one session a day and one question", o.sessions, o.days, o.questions)
	}
	if o.dir == "" {
		parent := os.TempDir()
		if os.Geteuid() == 0 {
			parent = "/tmp" // PostgreSQL does not run as root, and only root may be allowed to enter TMPDIR
		}
		o.dir = filepath.Join(parent, "goalgraph-bench")
	}
	var err error
	o.dir, err = filepath.Abs(o.dir)
	return err
}
