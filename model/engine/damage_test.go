package engine_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// mustOpenSQL opens a database beside the store that has it open. Its statements
// have $1 for values.
func mustOpenSQL(t *testing.T, address string) *sql.DB {
	t.Helper()
	driver := "pgx"
	if path, isSQLite := strings.CutPrefix(address, "sqlite:"); isSQLite {
		driver, address = "sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(60000)"
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// stored is a row of the stored columns.
type stored struct {
	partition, revision int64
	dimension           string
	data                []byte
}

func storedColumns(t *testing.T, db *sql.DB) (all []stored) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT partition_id, revision, dimension, data FROM columns ORDER BY partition_id, dimension")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s stored
		if err := rows.Scan(&s.partition, &s.revision, &s.dimension, &s.data); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func mustExec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// log takes log lines of engines that run at once.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Stored columns may be damaged in whatever way: counts are right, a line of the
// log says so, and they are stored anew.
func TestDamagedColumns(t *testing.T) {
	t.Parallel()
	change := func(how func(r *rand.Rand, data []byte) []byte) func(*testing.T, *rand.Rand, *sql.DB, []stored) {
		return func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			for _, s := range all {
				if s.dimension == string(column.Counting) || r.IntN(2) == 0 {
					mustExec(t, db, "UPDATE columns SET data = $1 WHERE partition_id = $2 AND dimension = $3", how(r, s.data), s.partition, s.dimension)
				}
			}
		}
	}
	for _, test := range []struct {
		name   string
		silent bool // it is no damage, or one that cannot be told from none
		damage func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored)
	}{
		{"bits are turned", false, change(func(r *rand.Rand, data []byte) []byte {
			data[r.IntN(len(data))] ^= 1 << r.IntN(8)
			return data
		})},
		{"the end is cut off", false, change(func(r *rand.Rand, data []byte) []byte { return data[:r.IntN(len(data))] })},
		{"garbage", false, change(func(r *rand.Rand, data []byte) []byte {
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			return data
		})},
		{"something follows", false, change(func(r *rand.Rand, data []byte) []byte { return append(data, 0) })},
		{"nothing is left", false, change(func(*rand.Rand, []byte) []byte { return []byte{} })},
		{"columns of another partition", false, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			next := map[string]stored{}
			for _, s := range append(all, all...) {
				if other, found := next[s.dimension]; found {
					mustExec(t, db, "UPDATE columns SET data = $1 WHERE partition_id = $2 AND dimension = $3", other.data, s.partition, s.dimension)
				}
				next[s.dimension] = s
			}
		}},
		{"columns of another dimension", false, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			for _, s := range all {
				for _, other := range all {
					if s.partition == other.partition && (s.dimension == "country" && other.dimension == "browser" || s.dimension == "browser" && other.dimension == "country") {
						mustExec(t, db, "UPDATE columns SET data = $1 WHERE partition_id = $2 AND dimension = $3", other.data, s.partition, s.dimension)
					}
				}
			}
		}},
		{"an older column", false, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			mustExec(t, db, "UPDATE columns SET revision = revision + 3")
			mustExec(t, db, "UPDATE partitions SET columns_revision = columns_revision + 3, revision = revision + 3")
			mustExec(t, db, "UPDATE sessions SET revision = revision + 3")
		}},
		{"some are gone", false, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			mustExec(t, db, "DELETE FROM columns WHERE dimension IN ('country', 'pages', 'counting')")
		}},
		{"all are gone", false, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) { mustExec(t, db, "DELETE FROM columns") }},
		{"a row is of another revision", false, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			mustExec(t, db, "UPDATE columns SET revision = revision + 1 WHERE dimension IN ('country', 'pages', 'counting')")
		}},
		{"the partition says another revision", true, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			mustExec(t, db, "UPDATE partitions SET columns_revision = columns_revision + 1")
		}},
		{"the partition says an older revision", true, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			// 0 would say that nothing is stored.
			mustExec(t, db, "UPDATE partitions SET columns_revision = CASE WHEN columns_revision > 1 THEN columns_revision - 1 ELSE 2 END")
		}},
		{"another format", true, func(t *testing.T, r *rand.Rand, db *sql.DB, all []stored) {
			mustExec(t, db, "UPDATE partitions SET columns_format = 99")
			mustExec(t, db, "UPDATE columns SET data = $1", []byte("something new"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			storetest.Databases(t, func(t *testing.T, address string) {
				r := rand.New(rand.NewPCG(21, 21))
				w := newWorld(t, address, r, 150)
				db := mustOpenSQL(t, address)
				var lines log
				logger := slog.New(slog.NewTextHandler(&lines, nil))
				subject := func() *engine.Engine { return mustEngine(t, w.store, engine.Options{Log: logger}) }
				storeAll := func() {
					if _, err := subject().SealBehind(t.Context(), count.AllSites, model.Open); err != nil {
						t.Fatal(err)
					}
				}
				storeAll()
				before := storedColumns(t, db)
				test.damage(t, r, db, storedColumns(t, db))
				damaged := subject()
				for range repeats(2, 6) {
					questions := make([]count.Question, 8)
					for i := range questions {
						questions[i] = w.question(r)
					}
					w.check(t, damaged, questions)
				}
				w.checkAll(t, damaged)
				if said := strings.Contains(lines.text.String(), "damaged"); said == test.silent {
					t.Errorf("the log says %q", lines.text.String())
				}
				storeAll()
				lines.text.Reset()
				w.checkAll(t, subject())
				if lines.text.Len() > 0 {
					t.Errorf("still damaged: %s", lines.text.String())
				}
				if behind, err := w.store.CountBehind(t.Context(), column.Format); err != nil || behind.Partitions != 0 {
					t.Errorf("%+v are behind; %v", behind, err)
				}
				if after := storedColumns(t, db); len(after) != len(before) {
					t.Errorf("%d columns are stored, %d were", len(after), len(before))
				}
			})
		})
	}
}

func mustEngine(t testing.TB, st *store.Store, o engine.Options) *engine.Engine {
	t.Helper()
	subject, err := engine.New(st, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(subject.Close)
	return subject
}

// answering is what the engines answer.
type answering interface {
	count.Engine
	experiment.Engine
}

// check asks an engine, and holds the answers against those of one by one.
func (w *world) check(t *testing.T, subject answering, questions []count.Question) {
	t.Helper()
	answers, err := subject.Count(t.Context(), questions)
	if err != nil {
		t.Fatal(err)
	}
	want, err := naive.New(w.store, nil, nil).Count(t.Context(), questions)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !reflect.DeepEqual(answers[i], want[i]) {
			t.Errorf("%+v\nis %+v, want %+v", questions[i], answers[i], want[i])
		}
	}
}

// checkAll asks about every dimension.
func (w *world) checkAll(t *testing.T, subject answering) {
	t.Helper()
	r := rand.New(rand.NewPCG(22, 22))
	questions := make([]count.Question, 80)
	for i := range questions {
		questions[i] = w.question(r)
		questions[i].In = model.Range{From: -model.Open, To: model.Open}
	}
	w.check(t, subject, questions)
}

// Columns may be stored by several processes at once, while messages come in.
func TestStoreColumnsAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, address string) {
		r := rand.New(rand.NewPCG(23, 23))
		w := newWorld(t, address, r, 100)
		var lines log
		var running sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 4 {
			st, err := store.Open(t.Context(), address, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			subject := mustEngine(t, st, engine.Options{Log: slog.New(slog.NewTextHandler(&lines, nil))})
			running.Go(func() {
				for ctx.Err() == nil {
					if _, err := subject.SealBehind(ctx, count.AllSites, model.Open); err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range repeats(20, 40) {
			if _, err := w.store.Write(t.Context(), w.site, visits(r)); err != nil {
				t.Fatal(err)
			}
			w.check(t, mustEngine(t, w.store, engine.Options{}), []count.Question{{
				Site: w.site, In: model.Range{From: -model.Open, To: model.Open}, Where: w.question(r).Where, Visitors: true,
			}})
		}
		cancel()
		running.Wait()
		subject := mustEngine(t, w.store, engine.Options{})
		if _, err := subject.SealBehind(t.Context(), count.AllSites, model.Open); err != nil {
			t.Fatal(err)
		}
		w.checkAll(t, mustEngine(t, w.store, engine.Options{}))
		if lines.text.Len() > 0 {
			t.Errorf("no column was damaged, and the log says %s", lines.text.String())
		}
	})
}

// Whatever is asked, the columns in memory stay within their bound, about.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, address string) {
		r := rand.New(rand.NewPCG(24, 24))
		w := newWorld(t, address, r, 0)
		for range 20 {
			var batch []model.Message
			for range 40 {
				batch = append(batch, visits(r)...)
			}
			if _, err := w.store.Write(t.Context(), w.site, batch); err != nil {
				t.Fatal(err)
			}
		}
		all := mustEngine(t, w.store, engine.Options{})
		w.checkAll(t, all)
		need := all.Stats()
		if need.Partitions < 4 {
			t.Fatalf("%d partitions say little", need.Partitions)
		}
		for _, share := range []uint64{2, 3} {
			bound := need.ColumnBytes / share
			subject := mustEngine(t, w.store, engine.Options{ColumnBytes: bound})
			var most uint64
			for range repeats(3, 12) {
				questions := make([]count.Question, 4)
				for i := range questions {
					questions[i] = w.question(r)
				}
				w.check(t, subject, questions)
				most = max(most, subject.Stats().ColumnBytes)
			}
			w.checkAll(t, subject)
			most = max(most, subject.Stats().ColumnBytes)
			if most > 2*bound {
				t.Errorf("%d bytes of %d", most, bound)
			}
			t.Logf("bound %d: at most %d bytes, of %d that all partitions take", bound, most, need.ColumnBytes)
		}
	})
}
