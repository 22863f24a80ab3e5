package engine_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// The variables of the tests of lost writes, which make soak-lost sets: how many rounds over each database, and the seed
// of a run that is repeated.
const (
	lostRoundsVariable = "GOALGRAPH_LOST_ROUNDS"
	lostSeedVariable   = "GOALGRAPH_LOST_SEED"
)

// lostRounds returns the number of rounds and the seed.
func lostRounds(t *testing.T, rounds int) (int, uint64) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	var err, err2 error
	if text := os.Getenv(lostRoundsVariable); text != "" {
		rounds, err = strconv.Atoi(text)
	}
	if text := os.Getenv(lostSeedVariable); text != "" {
		seed, err2 = strconv.ParseUint(text, 10, 64)
	}
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d", seed)
	return rounds, seed
}

// backup is all that a database holds.
type backup struct {
	file      string // of SQLite
	tables    []savedTable
	sequences map[string]*int64 // the last value; nil for none
}

type savedTable struct {
	name string
	rows []byte
}

// takeBackup reads all tables as they are at one moment.
func takeBackup(ctx context.Context, t *testing.T, address string) (b backup, err error) {
	if path, isSQLite := strings.CutPrefix(address, "sqlite:"); isSQLite {
		b.file = filepath.Join(t.TempDir(), "backup.db")
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(60000)")
		if err != nil {
			return b, err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, "VACUUM INTO $1", b.file)
		return b, err
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return b, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	b.sequences = map[string]*int64{}
	return b, pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		// Every writer begins with one of the first. Who locks them in this order meets no deadlock.
		first := []string{"sites", "computations", "leases", "partitions"}
		slices.SortFunc(names, func(a, b string) int {
			rank := func(name string) int {
				if i := slices.Index(first, name); i >= 0 {
					return i
				}
				return len(first)
			}
			return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
		})
		for _, name := range names {
			var text bytes.Buffer
			if _, err := conn.PgConn().CopyTo(ctx, &text, "COPY "+name+" TO STDOUT"); err != nil {
				return err
			}
			b.tables = append(b.tables, savedTable{name, text.Bytes()})
		}
		rows, err = tx.Query(ctx, "SELECT sequencename::text, last_value FROM pg_sequences WHERE schemaname = 'public'")
		if err != nil {
			return err
		}
		var name string
		var last *int64
		_, err = pgx.ForEachRow(rows, []any{&name, &last}, func() error {
			b.sequences[name] = last
			return nil
		})
		return err
	})
}

// restore puts a backup in place of all that a database holds, in one transaction: connections to it go on.
func (b *backup) restore(ctx context.Context, address string) error {
	if path, isSQLite := strings.CutPrefix(address, "sqlite:"); isSQLite {
		return b.restoreSQLite(ctx, path)
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return b.restorePostgreSQL(ctx, conn.PgConn(), tx) })
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "40P01" {
			continue
		}
		return err
	}
}

func (b *backup) restorePostgreSQL(ctx context.Context, conn *pgconn.PgConn, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
		return err
	}
	for _, table := range b.tables { // readers go on
		if _, err := tx.Exec(ctx, "LOCK TABLE "+table.name+" IN EXCLUSIVE MODE"); err != nil {
			return err
		}
	}
	for _, table := range b.tables {
		if _, err := tx.Exec(ctx, "DELETE FROM "+table.name); err != nil {
			return err
		}
		if _, err := conn.CopyFrom(ctx, bytes.NewReader(table.rows), "COPY "+table.name+" FROM STDIN"); err != nil {
			return err
		}
	}
	for name, last := range b.sequences {
		if _, err := tx.Exec(ctx, "SELECT setval($1::text::regclass, coalesce($2::bigint, 1), $2::bigint IS NOT NULL)", "public."+name, last); err != nil {
			return err
		}
	}
	return nil
}

func (b *backup) restoreSQLite(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(60000)")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = conn.ExecContext(ctx, query, args...)
		}
	}
	exec("ATTACH $1 AS saved", b.file)
	exec("BEGIN IMMEDIATE")
	if err != nil {
		return err
	}
	rows, err := conn.QueryContext(ctx, "SELECT name FROM saved.sqlite_master WHERE type = 'table'")
	if err != nil {
		return err
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		names = append(names, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	slices.SortFunc(names, func(a, b string) int { // that of the sequences last: inserting moves them
		return cmp.Or(cmp.Compare(strings.Count(a, "sqlite_"), strings.Count(b, "sqlite_")), cmp.Compare(a, b))
	})
	for _, name := range names {
		exec("DELETE FROM main." + name)
		exec("INSERT INTO main." + name + " SELECT * FROM saved." + name)
	}
	exec("COMMIT")
	return err
}

// losing is a database that loses writes, with engines that go on over it.
type losing struct {
	*testing.T
	address string
	store   *store.Store
	scan    *naive.Engine
	kept    []*engine.Engine
	redis   *redis.Client
	sites   []int64
	counts  []count.Question
	// results are asked in turns.
	results [][]experiment.Question
	// figures may be shared by several.
	*lostFigures
}

type lostFigures struct {
	compared, wrong, unanswered, matched, refused, losses, turn atomic.Int64
}

// newLosing returns an empty database with two sites and with engines. With a backup it is a clone of another one.
func newLosing(t *testing.T, r *rand.Rand, address string, client *redis.Client, clone *losing) *losing {
	l := &losing{T: t, address: address, redis: client, store: mustStore(t, address), lostFigures: &lostFigures{}}
	if clone == nil {
		db := mustOpenSQL(t, address)
		for i := range 2 {
			site := &model.Site{Name: "Shop", Domains: []string{fmt.Sprintf("s%d.example", i)}, Timezone: "UTC"}
			if err := l.store.CreateSite(t.Context(), site); err != nil {
				t.Fatal(err)
			}
			l.sites = append(l.sites, site.ID)
			for _, key := range experimentKeys {
				mustExec(t, db, `INSERT INTO experiments (site_id, key, name, description, status, variants, audience, attribution, winner, started_at, stopped_at, search_text, created_at, updated_at)
					VALUES ($1, $2, '', '', 'RUNNING', '[]', '', '', '', 1, 0, '', 1, 1)`, site.ID, key)
			}
			l.ask(r, site.ID)
		}
		if _, err := l.store.Instance(t.Context()); err != nil {
			t.Fatal(err)
		}
	} else {
		l.sites, l.counts, l.results, l.lostFigures = clone.sites, clone.counts, clone.results, clone.lostFigures
		b, err := takeBackup(t.Context(), t, clone.address)
		if err == nil {
			err = b.restore(t.Context(), address)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	l.scan = naive.New(l.store, order{}, liveDefinitions)
	l.kept = []*engine.Engine{l.engine(l.store, 0, true), l.engine(l.store, 50_000, false)}
	return l
}

// ask adds questions that are asked again and again: what is kept of them is what can be wrong.
func (l *losing) ask(r *rand.Rand, site int64) {
	w := world{site: site}
	for i := range 12 {
		q := w.question(r)
		switch {
		case i < 3:
			q.In, q.Where = always, filter.Bool(true)
			q.Visitors, q.Steps = i == 1, nil
		case i < 6:
			q.Where, q.In.To = filter.Simplify(computed(r)), model.Open
		case i < 8:
			q.Where, q.In = filter.Simplify(filtertest.RandomExprOf(r, leafOf)), always
		case i < 10:
			q.In = always
		}
		l.counts = append(l.counts, q)
	}
	for range 2 {
		l.results = append(l.results, experimentQuestions(r, site, liveDefinitions))
	}
	q := experimentQuestions(r, site, liveDefinitions)[0]
	q.In, q.Where, q.Later, q.Definition.Run, q.Definition.Audience = always, filter.Bool(true), true, always, filter.Bool(true)
	q.Metrics = []experiment.Metric{{Where: filter.Simplify(filtertest.RandomLeaf(r)), Value: "purchase"}}
	l.results = append(l.results, []experiment.Question{q})
}

// engine returns a new engine, as of a process that starts.
func (l *losing) engine(st *store.Store, bytes uint64, withMemory bool) *engine.Engine {
	instance, err := st.Instance(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	var caches []count.Cache
	if withMemory {
		memory, err := count.NewMemory(1 << 20)
		if err != nil {
			l.Fatal(err)
		}
		caches = append(caches, memory)
	}
	if l.redis != nil {
		caches = append(caches, count.NewRedis(l.redis, instance))
	}
	subject, err := engine.New(st, engine.Options{
		ColumnBytes: bytes, ComputedBytes: bytes / 20, ExperimentBytes: bytes, Caches: caches, Computer: order{}, Definitions: liveDefinitions,
	})
	if err != nil {
		l.Fatal(err)
	}
	return subject
}

// write writes visits to one of the sites.
func (l *losing) write(ctx context.Context, r *rand.Rand) error {
	_, err := l.store.Write(ctx, l.sites[r.IntN(len(l.sites))], visits(r))
	return err
}

func (l *losing) mustWrite(r *rand.Rand, n int) {
	l.Helper()
	for range n {
		if err := l.write(l.Context(), r); err != nil {
			l.Fatal(err)
		}
	}
}

func (l *losing) mustRestore(b *backup) {
	l.Helper()
	if err := b.restore(l.Context(), l.address); err != nil {
		l.Fatal(err)
	}
	l.losses.Add(1)
}

func (l *losing) mustBackup() *backup {
	l.Helper()
	b, err := takeBackup(l.Context(), l.T, l.address)
	if err != nil {
		l.Fatal(err)
	}
	return &b
}

func (l *losing) mustSeal(subject *engine.Engine) {
	l.Helper()
	if _, err := subject.SealBehind(l.Context(), count.AllSites, model.Open); err != nil {
		l.Fatal(err)
	}
}

// hold holds one answer against the one by one.
func (l *losing) hold(what string, question, got, want any, err error) {
	if model.CodeOf(err) == model.Unavailable && err != nil {
		l.unanswered.Add(1) // the machine is slow
		return
	}
	l.compared.Add(1)
	if !reflect.DeepEqual(got, want) {
		if l.wrong.Add(1) <= 5 {
			l.Errorf("%s: %+v\nis   %+v\nwant %+v", what, question, got, want)
		} else {
			l.Fail()
		}
	}
}

// check asks those engines that go on, and new ones, everything: all say what counting one by one says.
func (l *losing) check(what string) {
	l.Helper()
	ctx := l.Context()
	wantCounts, err := l.scan.Count(ctx, l.counts)
	if err != nil {
		l.Fatal(err)
	}
	// Some of the questions about experiments, in turns: they take long to answer one by one.
	turn := int(l.turn.Add(1)) % len(l.results)
	results := append(slices.Clip(l.results[turn:]), l.results[:turn]...)[:2]
	wantResults := make([][]experiment.Answer, len(results))
	for i, questions := range results {
		if wantResults[i], err = l.scan.Results(ctx, questions); err != nil {
			l.Fatal(err)
		}
	}
	list := func(site int64) count.SessionQuery {
		return count.SessionQuery{Site: site, In: always, Where: filter.Bool(true), Limit: 20}
	}
	fresh := l.engine(l.store, 0, true)
	defer fresh.Close()
	for i, subject := range append(slices.Clip(l.kept), fresh) {
		name := fmt.Sprintf("%s, engine %d of %d", what, i+1, len(l.kept)+1)
		got, err := subject.Count(ctx, l.counts)
		if err != nil {
			l.Errorf("%s: %v", name, err)
			l.wrong.Add(1)
			continue
		}
		for i := range got {
			l.matched.Add(int64(min(1, got[i].Sessions)))
			l.hold(name, l.counts[i], got[i], wantCounts[i], got[i].Err)
		}
		for i, questions := range results {
			got, err := subject.Results(ctx, questions)
			if err != nil {
				l.Errorf("%s: %v", name, err)
				l.wrong.Add(1)
				continue
			}
			for n := range got {
				l.hold(name, questions[n], got[n], wantResults[i][n], got[n].Err)
			}
		}
		for _, site := range l.sites {
			got, err := subject.Sessions(ctx, list(site))
			want, err2 := l.scan.Sessions(ctx, list(site))
			if err := errors.Join(err, err2); err != nil {
				l.Errorf("%s: %v", name, err)
				continue
			}
			l.hold(name, list(site), got, want, nil)
		}
	}
}

func (l *losing) report(rounds int) {
	l.Logf("%d rounds, %d losses, %d comparisons, %d of some sessions, %d wrong; %d not answered in time, %d refused",
		rounds, l.losses.Load(), l.compared.Load(), l.matched.Load(), l.wrong.Load(), l.unanswered.Load(), l.refused.Load())
	if l.compared.Load() == 0 || l.matched.Load() == 0 {
		l.Error("nothing was compared: this says little")
	}
}

// Whatever a database loses by a restore, and whatever is written after it, counts are those of what it holds. A clone of
// it goes on with other writes, and shares its Redis.
func TestLostWrites(t *testing.T) {
	t.Parallel()
	rounds, seed := lostRounds(t, 2)
	storetest.Databases(t, func(t *testing.T, address string) {
		r := rand.New(rand.NewPCG(seed, 91))
		client := mustRedisClient(t)
		l := newLosing(t, r, address, client, nil)
		empty := l.mustBackup()
		l.mustWrite(r, 25)
		other := storetest.SQLite(t)
		if !strings.HasPrefix(address, "sqlite:") {
			other = storetest.PostgreSQL(t)
		}
		clone := newLosing(t, r, other, client, l)
		both := []*losing{l, clone}
		kept := map[*losing]*backup{l: l.mustBackup(), clone: clone.mustBackup()}
		round := 0
		for ; round < rounds && l.wrong.Load() < 5 && !t.Failed(); round++ {
			for i, one := range both {
				what := fmt.Sprintf("seed %d, round %d, database %d", seed, round, i)
				if r.IntN(2) == 0 {
					kept[one] = one.mustBackup()
				}
				lost := r.IntN(4)
				one.mustWrite(r, lost)
				if r.IntN(2) == 0 {
					one.mustSeal(one.kept[r.IntN(2)])
				}
				if r.IntN(3) > 0 {
					one.check(what + " before the loss")
				}
				switch r.IntN(12) {
				case 0: // everything from the beginning: the ids of partitions and visitors are given again
					one.mustRestore(empty)
					one.mustWrite(r, 15)
					kept[one] = one.mustBackup()
				case 1, 2: // what the other one holds
					one.mustRestore(both[1-i].mustBackup())
					kept[one] = one.mustBackup()
				default:
					one.mustRestore(kept[one])
				}
				switch r.IntN(4) {
				case 0:
					one.check(what + " after the loss")
				case 1:
					one.mustSeal(one.kept[r.IntN(2)])
				}
				one.mustWrite(r, []int{lost, 0, 1, r.IntN(6)}[r.IntN(4)])
				if r.IntN(2) == 0 {
					one.mustSeal(one.kept[r.IntN(2)])
				}
			}
			for i, one := range both {
				one.check(fmt.Sprintf("seed %d, round %d, database %d at the end", seed, round, i))
			}
			if round%50 == 49 {
				l.report(round + 1)
			}
		}
		l.report(round)
	})
}

// Everything at once: writes, questions, storing of columns, and restores at random moments. When all have ended, counts
// are those of what the database holds.
func TestLostWritesAtOnce(t *testing.T) {
	t.Parallel()
	rounds, seed := lostRounds(t, 2)
	storetest.Databases(t, func(t *testing.T, address string) {
		r := rand.New(rand.NewPCG(seed, 92))
		l := newLosing(t, r, address, mustRedisClient(t), nil)
		for _, subject := range l.kept {
			keep(t, subject)
		}
		empty := l.mustBackup()
		l.mustWrite(r, 25)
		round := 0
		for ; round < rounds && l.wrong.Load() < 5 && !t.Failed(); round++ {
			l.atOnce(r)
			l.check(fmt.Sprintf("seed %d, round %d", seed, round))
			if round%40 == 39 { // a site that only grows takes long to count one by one
				l.report(round + 1)
				l.mustRestore(empty)
				l.mustWrite(r, 25)
			}
		}
		l.report(round)
	})
}

// atOnce lets everything happen at once for a while.
func (l *losing) atOnce(r *rand.Rand) {
	ctx := l.Context()
	var running sync.WaitGroup
	run := func(times int, do func(r *rand.Rand) error) {
		r := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
		running.Go(func() {
			for range times {
				if err := do(r); err != nil {
					if model.CodeOf(err) != model.Unavailable {
						l.Errorf("%v", err)
					}
					l.refused.Add(1)
				}
			}
		})
	}
	run(2+r.IntN(6), func(r *rand.Rand) error { return l.write(ctx, r) })
	for _, subject := range l.kept {
		run(2+r.IntN(4), func(r *rand.Rand) error {
			_, err := subject.Count(ctx, l.counts)
			return err
		})
		run(2+r.IntN(4), func(r *rand.Rand) error {
			_, err := subject.Results(ctx, l.results[r.IntN(len(l.results))])
			return err
		})
		run(1+r.IntN(2), func(*rand.Rand) error {
			_, err := subject.SealBehind(ctx, count.AllSites, model.Open)
			return err
		})
	}
	run(1+r.IntN(2), func(r *rand.Rand) error {
		b, err := takeBackup(ctx, l.T, l.address)
		for range r.IntN(4) {
			err = cmp.Or(err, l.write(ctx, r))
		}
		if err == nil {
			err = b.restore(ctx, l.address)
			l.losses.Add(1)
		}
		return err
	})
	running.Wait()
}
