package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

var (
	// serving suits a machine with 24 GiB that runs other things too.
	serving = []string{"shared_buffers=2GB", "work_mem=64MB", "effective_cache_size=12GB", "maintenance_work_mem=1GB", "max_parallel_workers_per_gather=2",
		"random_page_cost=1.1", "max_wal_size=8GB"}
	// filling gives up durability: a fill that fails starts again.
	filling = append(slices.Clone(serving), "fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off")
)

func (o *options) postgresFolder() string { return filepath.Join(o.dir, "postgresql") }
func (o *options) duckdbFile() string     { return filepath.Join(o.dir, "bench.duckdb") }
func (o *options) rowsFolder() string     { return filepath.Join(o.dir, "rows") }

// run fills the databases if necessary, measures, and reports to out.
func run(ctx context.Context, o options, out io.Writer) error {
	if err := installDuckDB(o.duckdb); err != nil {
		return err
	}
	g := newGenerator(o.seed, o.sessions, o.days)
	if err := prepare(ctx, o, g, out); err != nil {
		return err
	}
	pg, err := servers.KeptPostgreSQL(o.postgresFolder(), serving...)
	if err != nil {
		return err
	}
	b := &bench{options: o, generator: g, out: out, database: pg.URL, traffic: traffic{generator: g, r: rand.New(rand.NewPCG(o.seed, 7))}}
	err = b.run(ctx)
	return errors.Join(err, b.close(), pg.Stop())
}

// prepare fills the folder, unless it is filled already.
func prepare(ctx context.Context, o options, g *generator, out io.Writer) error {
	if o.filled() {
		fmt.Fprintf(out, "%s holds %s", o.dir, o.stamp())
		return nil
	}
	fmt.Fprintf(out, "filling %s: %s", o.dir, o.stamp())
	for _, old := range []string{o.stampFile(), o.postgresFolder(), o.duckdbFile(), o.rowsFolder()} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	start := time.Now()
	pg, err := servers.KeptPostgreSQL(o.postgresFolder(), filling...)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(ctx, g, pg.URL, o.rowsFolder(), out), pg.Stop()); err != nil {
		return err
	}
	d, err := openDuckDB(o.duckdb, o.duckdbFile(), &encoder{generator: g})
	if err != nil {
		return err
	}
	if err := errors.Join(d.load(o.rowsFolder()), d.close()); err != nil {
		return err
	}
	for day := range o.days - 1 { // restore needs the newest day
		if err := os.Remove(filepath.Join(o.rowsFolder(), dayFile(day))); err != nil {
			return err
		}
	}
	took := time.Since(start)
	fmt.Fprintf(out, "filled in %s: %.0f sessions/s into all three\n", took.Round(time.Second), float64(o.sessions)/took.Seconds())
	return os.WriteFile(o.stampFile(), []byte(o.stamp()), 0o644)
}

// bench is a run over filled databases.
type bench struct {
	options
	*generator
	out      io.Writer
	database string
	traffic  traffic

	store    *store.Store
	site     int64
	conn     *pgx.Conn
	postgres *postgres
	duckdb   *duckdb
	server   *server
	result   result
}

func (b *bench) close() error {
	var errs []error
	if b.server != nil {
		errs = append(errs, b.server.stop())
	}
	if b.duckdb != nil {
		errs = append(errs, b.duckdb.close())
	}
	if b.conn != nil {
		// Leaves PostgreSQL less to write when it stops, which must not take long.
		_, err := b.conn.Exec(context.Background(), "CHECKPOINT")
		errs = append(errs, err)
	}
	for _, conn := range []*pgx.Conn{b.conn, b.pgConn()} {
		if conn != nil {
			errs = append(errs, conn.Close(context.Background()))
		}
	}
	if b.store != nil {
		errs = append(errs, b.store.Close())
	}
	return errors.Join(errs...)
}

func (b *bench) pgConn() *pgx.Conn {
	if b.postgres == nil {
		return nil
	}
	return b.postgres.conn
}

// progress writes a line about what comes next.
func (b *bench) progress(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

func (b *bench) run(ctx context.Context) (err error) {
	b.result = result{Sessions: b.sessions, Days: b.days, Seed: b.options.seed, Questions: b.questions}
	if err := b.open(ctx); err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := b.measureColumns(ctx); err != nil {
		return err
	}
	matrices, err := b.askAll(ctx)
	if err != nil {
		return err
	}
	b.progress("matrices of 32 clients")
	if b.result.MatrixPerSecond, err = b.measureRate(ctx, matrices); err != nil {
		return err
	}
	b.progress("freshness at %d hits/s", freshRate)
	fresh, err := measureFreshness(ctx, b.server, b.store, b.site, b.days, b.duration)
	if err != nil {
		return err
	}
	b.result.FreshnessP50, b.result.FreshnessP99, b.result.FreshnessHits = round(fresh.P50), round(fresh.P99), round(fresh.HitsPerSecond)
	if b.result.ResidentMB, err = b.server.residentMB(); err != nil {
		return err
	}
	b.result.ResidentMB = round(b.result.ResidentMB)
	if err := b.server.stop(); err != nil {
		return err
	}
	b.server = nil
	b.progress("new processes")
	if err := b.measureNewProcesses(ctx, matrices[0]); err != nil {
		return err
	}
	return b.result.print(b.out)
}

// open connects to the databases and resets them to their state after the fill.
func (b *bench) open(ctx context.Context) (err error) {
	if b.store, err = store.Open(ctx, b.database, store.Options{}); err != nil {
		return err
	}
	if _, err := b.store.Migrate(ctx); err != nil {
		return err
	}
	if b.conn, err = pgx.Connect(ctx, b.database); err != nil {
		return err
	}
	if err := b.conn.QueryRow(ctx, "SELECT id FROM sites").Scan(&b.site); err != nil {
		return err
	}
	if err := restore(ctx, b.conn, b.generator, b.reindex); err != nil {
		return err
	}
	e := &encoder{generator: b.generator, site: b.site}
	if b.postgres, err = openPostgres(ctx, b.database, e); err != nil {
		return err
	}
	if b.duckdb, err = openDuckDB(b.options.duckdb, b.duckdbFile(), e); err != nil {
		return err
	}
	return b.duckdb.restore(b.days-1, b.rowsFolder())
}

// behind returns the number of sessions in partitions whose stored columns are missing or older than the partition.
func (b *bench) behind(ctx context.Context) (sessions int, err error) {
	err = b.conn.QueryRow(ctx, "SELECT coalesce(sum(sessions), 0) FROM partitions WHERE columns_revision < revision").Scan(&sessions)
	return sessions, err
}

// start starts the server and waits until it has stored the columns of all days. It stops waiting after a minute without progress.
func (b *bench) start(ctx context.Context) error {
	first, err := b.behind(ctx)
	if err != nil {
		return err
	}
	b.progress("the server stores the columns of %d sessions", first)
	if b.server, err = startServer(ctx, b.options, b.database); err != nil {
		return err
	}
	for before, progress := first, time.Now(); before > 0; {
		behind, err := b.behind(ctx)
		if err != nil {
			return err
		}
		if behind != before {
			progress, before = time.Now(), behind
		}
		if time.Since(progress) > time.Minute {
			b.progress("columns: %d sessions are still behind after a minute without progress: measuring anyway", behind)
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if first == b.sessions { // otherwise too few to tell
		b.result.StoredPerSecond = round(float64(first) / time.Since(b.server.started).Seconds())
	}
	return nil
}

// measureColumns measures the size of stored columns, and how fast one core builds them.
func (b *bench) measureColumns(ctx context.Context) error {
	err := b.conn.QueryRow(ctx, "SELECT coalesce((SELECT sum(octet_length(data)) FROM columns)::float8 / (SELECT sum(sessions) FROM partitions WHERE id IN (SELECT partition_id FROM columns)), 0)").
		Scan(&b.result.IndexBytes)
	if err != nil {
		return err
	}
	b.result.IndexBytes = round(b.result.IndexBytes)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	made, took := 0, time.Duration(0)
	for day := 0; day < b.days && made < 300_000; day++ {
		var sessions []*model.Session
		err := b.store.EachSession(ctx, b.site, partitionID(day), false, func(s *model.Session) error {
			sessions = append(sessions, s)
			return nil
		})
		if err != nil {
			return err
		}
		runtime.GC()
		start := time.Now()
		columns := column.New()
		for _, s := range sessions {
			columns.Put(s)
		}
		if _, err := columns.Encode(); err != nil {
			return err
		}
		took += time.Since(start)
		made += len(sessions)
	}
	b.result.IndexPerSecond = round(float64(made) / took.Seconds())
	return nil
}

// measureRate lets clients ask for matrices that were asked before. It returns the answers per second.
func (b *bench) measureRate(ctx context.Context, matrices [][]byte) (float64, error) {
	const clients = 32
	duration := b.duration / 2
	var answered atomic.Int64
	for _, body := range matrices { // again, because new hits arrived since
		if _, _, err := b.server.matrix(ctx, body); err != nil {
			return 0, err
		}
	}
	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for client := range clients {
		group.Go(func() error {
			for n := client; time.Since(begin) < duration; n++ {
				if _, err := b.server.post(ctx, matrices[n%len(matrices)]); err != nil {
					return err
				}
				answered.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return round(float64(answered.Load()) / time.Since(begin).Seconds()), err
}

// measureNewProcesses starts six new servers and asks each a first question: three a matrix, three a count of a rare leaf.
func (b *bench) measureNewProcesses(ctx context.Context, matrix []byte) error {
	var fresh, rare, rareSinceStart []float64
	for n := range 6 {
		s, err := startServer(ctx, b.options, b.database)
		if err != nil {
			return err
		}
		if n%2 == 0 {
			_, _, err = s.matrix(ctx, matrix)
			fresh = append(fresh, millis(time.Since(s.started)))
		} else {
			d := definition{filters: []map[string]any{{"tags": map[string]any{"all": []string{b.generator.tags[len(b.generator.tags)-n]}}}}}
			var took time.Duration
			_, took, err = s.one(ctx, d)
			rare, rareSinceStart = append(rare, millis(took)), append(rareSinceStart, millis(time.Since(s.started)))
		}
		if err := errors.Join(err, s.stop()); err != nil {
			return err
		}
	}
	b.result.FreshProcess, b.result.RareLeaf, b.result.RareLeafSinceStart = round(median(fresh)), round(median(rare)), round(median(rareSinceStart))
	return nil
}
