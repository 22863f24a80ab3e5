package store_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files of the schema")

// The variables that make a copy of the test binary do one thing and end.
const (
	migrateVariable = "GOALGRAPH_STORE_TEST_MIGRATE"
	writeVariable   = "GOALGRAPH_STORE_TEST_WRITE"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(migrateVariable); url != "" {
		process(url, func(st *store.Store) (any, error) { return st.Migrate(context.Background()) })
	}
	if url := os.Getenv(writeVariable); url != "" {
		process(url, func(st *store.Store) (any, error) {
			return nil, st.CreateSite(context.Background(), &model.Site{Name: "from another process", Timezone: "UTC"})
		})
	}
	os.Exit(m.Run())
}

// process is the life of a copy of the test binary.
func process(url string, do func(*store.Store) (any, error)) {
	st, err := store.Open(context.Background(), url, store.Options{})
	if err == nil {
		var answer any
		if answer, err = do(st); err == nil {
			fmt.Print(answer)
			os.Exit(0)
		}
	}
	fmt.Printf("%s: %v", model.CodeOf(err), err)
	os.Exit(1)
}

func mustOpenUnmigrated(tb testing.TB, url string) *store.Store {
	tb.Helper()
	st, err := store.Open(context.Background(), url, store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { st.Close() })
	return st
}

func query(tb testing.TB, st *store.Store, sql string, args ...any) (lines []string) {
	tb.Helper()
	rows, err := st.DB().QueryContext(context.Background(), sql, args...)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		tb.Fatal(err)
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			tb.Fatal(err)
		}
		fields := make([]string, len(values))
		for i, value := range values {
			fields[i] = fmt.Sprint(*value.(*any))
		}
		lines = append(lines, strings.Join(fields, " | "))
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return lines
}

func isPostgreSQL(st *store.Store) bool { return st.DB().Dialect().Name().String() == "pg" }

// schema describes all tables, indexes and constraints of a database.
func schema(tb testing.TB, st *store.Store) string {
	if !isPostgreSQL(st) {
		return strings.Join(query(tb, st, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name"), ";\n\n") + ";\n"
	}
	var b strings.Builder
	for _, part := range []struct{ title, sql string }{
		{"columns", `SELECT table_name, column_name, data_type, CASE is_nullable WHEN 'NO' THEN 'NOT NULL' ELSE 'NULL' END, COALESCE(column_default, ''), is_identity
			FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`},
		{"constraints", `SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
			FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND contype <> 'n' ORDER BY 1, 2`},
		{"indexes", `SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY tablename, indexname`},
	} {
		fmt.Fprintf(&b, "-- %s\n%s\n\n", part.title, strings.Join(query(tb, st, part.sql), "\n"))
	}
	return b.String()
}

func TestMigrateUpDownUp(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, url string) {
		ctx := t.Context()
		st := mustOpenUnmigrated(t, url)
		up := func() int {
			t.Helper()
			applied, err := st.Migrate(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return applied
		}
		list, err := st.Migrations(ctx)
		if err != nil || len(list) == 0 || slices.ContainsFunc(list, func(m store.Applied) bool { return m.Applied }) {
			t.Fatalf("an empty database has the migrations %+v, %v", list, err)
		}
		if applied := up(); applied != len(list) {
			t.Errorf("%d migrations were applied, want %d", applied, len(list))
		}
		if applied := up(); applied != 0 {
			t.Errorf("%d migrations were applied again", applied)
		}
		list, err = st.Migrations(ctx)
		if err != nil || slices.ContainsFunc(list, func(m store.Applied) bool { return !m.Applied || m.Name == "" }) {
			t.Errorf("a migrated database has the migrations %+v, %v", list, err)
		}
		first := schema(t, st)
		golden := filepath.Join("..", "..", "migrations", "testdata", "schema."+filepath.Base(t.Name())+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(first), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if first != string(want) {
			t.Errorf("the schema is not that of %s; if it should be, run go test ./model/store -run UpDownUp -update. It is\n%s", golden, first)
		}

		mustCreateSite(t, st, "shop.example")
		for i := len(list); i > 0; i-- {
			undone, err := st.MigrateDown(ctx)
			if err != nil || undone == nil || undone.Version != i || undone.Applied {
				t.Fatalf("down from %d: %+v, %v", i, undone, err)
			}
		}
		if undone, err := st.MigrateDown(ctx); undone != nil || err != nil {
			t.Errorf("down from nothing: %+v, %v", undone, err)
		}
		if left := schema(t, st); strings.Contains(left, "sites") || strings.Contains(left, "sessions") {
			t.Errorf("after all the way down there is\n%s", left)
		}
		up()
		if again := schema(t, st); again != first {
			t.Errorf("up, down, up makes another schema:\n%s", again)
		}
	})
}

func TestMigrateInProcessesAtOnce(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, url string) {
		binary, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		const processes = 6
		answers := make([]string, processes)
		var running sync.WaitGroup
		for i := range processes {
			running.Go(func() {
				command := exec.CommandContext(t.Context(), binary)
				command.Env = append(os.Environ(), migrateVariable+"="+url)
				output, err := command.Output()
				if answers[i] = string(output); err != nil {
					t.Errorf("process %d: %v: %s", i, err, output)
				}
			})
		}
		running.Wait()
		list, err := mustOpenUnmigrated(t, url).Migrations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(answers)
		want := append(slices.Repeat([]string{"0"}, processes-1), fmt.Sprint(len(list)))
		if !reflect.DeepEqual(answers, want) {
			t.Errorf("the processes applied %q migrations, want %q", answers, want)
		}
	})
}

// canceling cancels a context when the statement of a number begins.
type canceling struct {
	left   int
	cancel context.CancelFunc
}

func (c *canceling) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return ctx
}

func (c *canceling) AfterQuery(context.Context, *bun.QueryEvent) {}

// cancelAtEachStatement runs do with a context that is canceled when its first
// statement begins, then its second one, and so on until do is through, and
// checks each time that the database is as it was.
func cancelAtEachStatement(t *testing.T, url string, state func(st *store.Store) string, do func(ctx context.Context, st *store.Store) error) {
	t.Helper()
	st := mustOpenUnmigrated(t, url)
	before := state(st)
	for n := 1; ; n++ {
		ctx, cancel := context.WithCancel(context.Background())
		hook := &canceling{left: n, cancel: cancel}
		err := do(ctx, st.WithHook(hook))
		cancel()
		if err == nil {
			if hook.left > 0 && n < 4 {
				t.Errorf("only %d statements were canceled", n-1)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("canceled at statement %d: error %v", n, err)
		}
		if after := state(st); after != before {
			t.Fatalf("canceled at statement %d, it left\n%s\nwant\n%s", n, after, before)
		}
		if n > 200 {
			t.Fatal("it never succeeds")
		}
	}
}

func TestMigrateCanceled(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, url string) {
		cancelAtEachStatement(t, url, func(st *store.Store) string { return schema(t, st) }, func(ctx context.Context, st *store.Store) error {
			_, err := st.Migrate(ctx)
			return err
		})
	})
}

func TestMigrateNewerDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		if _, err := st.DB().Exec("INSERT INTO schema_migrations (version, name, applied_at) VALUES (999, 'future', 0)"); err != nil {
			t.Fatal(err)
		}
		before := schema(t, st)
		_, up := st.Migrate(t.Context())
		_, down := st.MigrateDown(t.Context())
		_, status := st.Migrations(t.Context())
		for _, err := range []error{up, down, status} {
			if model.CodeOf(err) != model.FailedPrecondition || !strings.Contains(err.Error(), "version 999") || !strings.Contains(err.Error(), "newer goalgraph") {
				t.Errorf("error %v, want FAILED_PRECONDITION", err)
			}
		}
		if after := schema(t, st); after != before {
			t.Errorf("the schema was changed to\n%s", after)
		}
	})
}
