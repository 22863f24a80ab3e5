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
	// serving are settings as a machine of 24 GiB has them that does other things too.
	serving = []string{"shared_buffers=2GB", "work_mem=64MB", "effective_cache_size=12GB", "maintenance_work_mem=1GB", "max_parallel_workers_per_gather=2",
		"random_page_cost=1.1", "max_wal_size=8GB"}
	// filling keeps nothing safe: a fill that fails begins anew.
	filling = append(slices.Clone(serving), "fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off")
)

func (o *options) postgresFolder() string { return filepath.Join(o.dir, "postgresql") }
func (o *options) duckdbFile() string     { return filepath.Join(o.dir, "bench.duckdb") }
func (o *options) rowsFolder() string     { return filepath.Join(o.dir, "rows") }

// run fills where that is due, measures, and reports to out.
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

// prepare fills the folder, or finds it filled.
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
	for day := range o.days - 1 { // the newest day's are for restore
		if err := os.Remove(filepath.Join(o.rowsFolder(), dayFile(day))); err != nil {
			return err
		}
	}
	took := time.Since(start)
	fmt.Fprintf(out, "filled in %s: %.0f sessions/s into all three\n", took.Round(time.Second), float64(o.sessions)/took.Seconds())
	return os.WriteFile(o.stampFile(), []byte(o.stamp()), 0o644)
}

// bench is a run on filled databases.
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
		// PostgreSQL has less to write when it is stopped, which must not take long.
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

// progress says on a line of its own what is done next.
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

// open connects to the databases and puts them back to what they were after the fill.
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

// behind is the number of sessions whose columns are not stored as they are.
func (b *bench) behind(ctx context.Context) (sessions int, err error) {
	err = b.conn.QueryRow(ctx, "SELECT coalesce(sum(sessions), 0) FROM partitions WHERE columns_revision < revision").Scan(&sessions)
	return sessions, err
}

// start starts the server and waits until it stored the columns of all days. It gives up when nothing happens for a minute.
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
			b.progress("columns: %d sessions are behind, and nothing happens: measuring without", behind)
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

// measureColumns measures what columns take: stored, and to be made by one core.
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
		err := b.store.EachSession(ctx, partitionID(day), false, func(s *model.Session) error {
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

// times are those of one figure, in milliseconds, a number for each question.
type times struct{ goalgraph, postgres, duckdb []float64 }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (t *times) add(goalgraph, postgres, duckdb time.Duration) {
	t.goalgraph = append(t.goalgraph, millis(goalgraph))
	t.postgres = append(t.postgres, millis(postgres))
	t.duckdb = append(t.duckdb, millis(duckdb))
}

// askAll asks all systems all questions, and returns the requests for the matrices.
func (b *bench) askAll(ctx context.Context) (matrices [][]byte, err error) {
	asker := newAsker(b.generator)
	warmUps := asker.oneOfEach() // first, while there are any of each type
	questions := asker.questions(b.questions)
	if err := b.warmUp(ctx, asker, warmUps); err != nil {
		return nil, err
	}
	var one, cold, warm, refresh, elsewhere times
	for n, q := range questions {
		if err := b.askOne(ctx, q, &one); err != nil {
			return nil, fmt.Errorf("question %d: %w", n, err)
		}
		body, err := b.server.define(ctx, q, fmt.Sprintf("q%d", n))
		if err != nil {
			return nil, err
		}
		matrices = append(matrices, body)
		if err := b.askMatrix(ctx, q, body, &cold, &warm, &refresh, &elsewhere); err != nil {
			return nil, fmt.Errorf("question %d: %w", n, err)
		}
		b.progress("question %2d: %8.1f %8.1f %8.1f %8.1f ms; PostgreSQL %8.0f %8.0f %19.0f; DuckDB %8.0f %8.0f %17.0f", n+1,
			one.goalgraph[n], cold.goalgraph[n], warm.goalgraph[n], refresh.goalgraph[n],
			one.postgres[n], cold.postgres[n], refresh.postgres[n], one.duckdb[n], cold.duckdb[n], refresh.duckdb[n])
	}
	b.result.ColdOne, b.result.ColdMatrix = one.figure(), cold.figure()
	b.result.WarmMatrix = warm.figure()
	b.result.Refresh, b.result.RefreshElsewhere = refresh.figure(), elsewhere.figure()
	return matrices, nil
}

// warmUp has every system load all its columns, with leaves that no question has, and Goalgraph's process grow to its size.
func (b *bench) warmUp(ctx context.Context, asker *asker, definitions []definition) error {
	for _, d := range definitions {
		var none times
		if err := b.askOne(ctx, question{one: d}, &none); err != nil {
			return err
		}
	}
	for _, parameter := range []string{"source", "medium", "campaign"} {
		filter := map[string]any{"utm": map[string]any{parameter: []string{"none"}}}
		if _, _, err := b.server.one(ctx, definition{filters: []map[string]any{filter}}); err != nil {
			return err
		}
	}
	for round := range 6 {
		if err := b.server.fillMemory(ctx, round); err != nil {
			return err
		}
	}
	var q question
	asker.matrix(&q)
	body, err := b.server.define(ctx, q, "warm-up")
	if err != nil {
		return err
	}
	var none times
	return b.askMatrix(ctx, q, body, &none, &none, &none, &none)
}

func (b *bench) askOne(ctx context.Context, q question, one *times) error {
	count, took, err := b.server.one(ctx, q.one)
	if err != nil {
		return err
	}
	var baselines []time.Duration
	for _, system := range []sqlSystem{b.postgres, b.duckdb} {
		other, took, err := system.one(ctx, q.one)
		if err != nil {
			return err
		}
		if other != count {
			return fmt.Errorf("goalgraph counts %d sessions and %s %d: %s", count, system.name(), other, q.one)
		}
		baselines = append(baselines, took)
	}
	one.add(took, baselines[0], baselines[1])
	return nil
}

// hitsOfRefresh come into the newest day before a matrix is asked for again.
const hitsOfRefresh = 1000

func (b *bench) askMatrix(ctx context.Context, q question, body []byte, cold, warm, refresh, elsewhere *times) error {
	first, took, err := b.server.matrix(ctx, body)
	if err != nil {
		return err
	}
	var baselines []time.Duration
	var sealed []answer // what the baselines know of all days but the newest
	newest := b.days - 1
	for _, system := range []sqlSystem{b.postgres, b.duckdb} {
		other, took, err := system.matrix(ctx, q, nil)
		if err != nil {
			return err
		}
		if err := b.compare(q, first, system, other); err != nil {
			return err
		}
		baselines = append(baselines, took)
		day, _, err := system.matrix(ctx, q, &newest)
		if err != nil {
			return err
		}
		sealed = append(sealed, other.plus(day, -1))
	}
	cold.add(took, baselines[0], baselines[1])

	var again []time.Duration
	for range 3 {
		second, took, err := b.server.matrix(ctx, body)
		if err != nil {
			return err
		}
		if !first.equal(second) {
			return fmt.Errorf("asked again, goalgraph answers %v in place of %v: %v, %v", second, first, q.segments, q.goal)
		}
		again = append(again, took)
	}
	slices.Sort(again)
	// The others keep no answers: they ask all again.
	warm.add(again[1], baselines[0], baselines[1])

	if err := b.askAfterHits(ctx, q, body, sealed, refresh, func(messages []model.Message) (func() error, error) {
		bodies, err := bodies(messages)
		return func() error { return b.server.track(ctx, bodies) }, err
	}); err != nil {
		return err
	}
	return b.askAfterHits(ctx, q, body, sealed, elsewhere, func(messages []model.Message) (func() error, error) {
		return func() error {
			_, err := b.store.Write(ctx, b.site, messages)
			return err
		}, nil
	})
}

// askAfterHits asks for a matrix once hits into the newest day are acknowledged. prepare returns what sends them. sealed
// is what the baselines know of all other days.
func (b *bench) askAfterHits(ctx context.Context, q question, body []byte, sealed []answer, t *times, prepare func([]model.Message) (send func() error, err error)) error {
	newest := b.days - 1
	messages, sessions := b.traffic.visits(newest, hitsOfRefresh)
	send, err := prepare(messages)
	if err != nil {
		return err
	}
	if err := send(); err != nil {
		return err
	}
	acknowledged := time.Now()
	fresh, _, err := b.server.matrix(ctx, body)
	if err != nil {
		return err
	}
	took := time.Since(acknowledged)
	ordinal := b.perDay[newest] + b.traffic.made
	var baselines []time.Duration
	for i, system := range []sqlSystem{b.postgres, b.duckdb} {
		if err := system.insert(ctx, newest, ordinal, sessions); err != nil {
			return err
		}
		day, took, err := system.matrix(ctx, q, &newest)
		if err != nil {
			return err
		}
		if err := b.compare(q, fresh, system, sealed[i].plus(day, 1)); err != nil {
			return fmt.Errorf("after more hits: %w", err)
		}
		baselines = append(baselines, took)
	}
	t.add(took, baselines[0], baselines[1])
	return nil
}

// compare fails where two systems answer differently, and shows the question.
func (b *bench) compare(q question, goalgraph answer, system sqlSystem, other answer) error {
	if goalgraph.equal(other) {
		return nil
	}
	for i := range min(len(goalgraph.Sessions), len(other.Sessions)) {
		if goalgraph.Sessions[i] != other.Sessions[i] {
			return fmt.Errorf("goalgraph counts %d sessions and %s %d: %s", goalgraph.Sessions[i], system.name(), other.Sessions[i], q.segments[i])
		}
		for j := range min(len(goalgraph.Conversions[i]), len(other.Conversions[i])) {
			if goalgraph.Conversions[i][j] != other.Conversions[i][j] {
				return fmt.Errorf("goalgraph counts %d conversions and %s %d: segment %s, goal %s",
					goalgraph.Conversions[i][j], system.name(), other.Conversions[i][j], q.segments[i], q.goal[j])
			}
		}
	}
	return fmt.Errorf("goalgraph answers %v and %s %v", goalgraph, system.name(), other)
}

// measureRate has clients ask for matrices that were asked before, and returns how many are answered a second.
func (b *bench) measureRate(ctx context.Context, matrices [][]byte) (float64, error) {
	const clients = 32
	duration := b.duration / 2
	var answered atomic.Int64
	for _, body := range matrices { // again, because hits came in since
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

// measureNewProcesses starts the server anew, three times for a matrix and three times for a single rare leaf.
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
