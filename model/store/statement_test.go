package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/migrations"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// visitTables are the tables that a cluster spreads by site.
var visitTables = func() (tables []string) {
	all, err := migrations.All(migrations.PostgreSQL)
	if err != nil {
		panic(err)
	}
	for _, migration := range all {
		for _, statement := range migration.Citus {
			if match := regexp.MustCompile(`create_distributed_table\('(\w+)', 'site_id'`).FindStringSubmatch(statement); match != nil {
				tables = append(tables, match[1])
			}
		}
	}
	return tables
}()

// siteGuard fails a test if a statement of the store touches a table of visits and does not name its site.
type siteGuard struct{ tb testing.TB }

func (siteGuard) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (g siteGuard) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	if table := siteless(event.Query); table != "" && isOfStore() {
		g.tb.Errorf("the statement touches %s and does not name its site: %s", table, event.Query)
	}
}

var (
	tableReference = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|INTO|UPDATE)\s+"?(\w+)"?`)
	siteCondition  = regexp.MustCompile(`(?i)\bsite_id"?\s*(?:=|IN\b)`)
	insertedSite   = regexp.MustCompile(`(?i)INSERT INTO "?\w+"?(?:\s+AS\s+"?\w+"?)?\s*\([^)]*\bsite_id\b`)
)

// siteless returns a table of visits that a statement touches without a condition on its site, if there is one. Each
// reference to such a table needs a condition, or the column in what is inserted.
func siteless(statement string) string {
	references, last := 0, ""
	for _, match := range tableReference.FindAllStringSubmatch(statement, -1) {
		if slices.Contains(visitTables, match[1]) {
			references, last = references+1, match[1]
		}
	}
	named := len(siteCondition.FindAllString(statement, -1))
	if insertedSite.MatchString(statement) {
		named++
	}
	if named >= references {
		return ""
	}
	return last
}

// isOfStore tells whether the statement that is run now is the store's, not a test's own.
func isOfStore() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	for {
		frame, more := frames.Next()
		if strings.Contains(frame.Function, "/model/store.") || strings.Contains(frame.Function, "/model/store_test.") {
			return !strings.HasSuffix(frame.File, "_test.go")
		}
		if !more {
			return false
		}
	}
}

func TestSiteless(t *testing.T) {
	for statement, want := range map[string]string{
		`SELECT * FROM "sites" WHERE id = 1`:                                                            "",
		`SELECT * FROM "sessions" WHERE "site_id" = 1 AND partition_id = 2`:                             "",
		`SELECT * FROM "sessions" WHERE partition_id = 2`:                                               "sessions",
		`SELECT * FROM sessions JOIN visitors ON visitors.id = visitor_id WHERE sessions.site_id = 1`:   "visitors",
		`INSERT INTO "partitions" AS "partitions" ("id", "site_id") VALUES (1, 2)`:                      "",
		`INSERT INTO messages (site_id, id_high) SELECT 1, high FROM unnest(ARRAY[1]) AS ids (high)`:    "",
		`UPDATE hits SET partition_id = 3 WHERE ordinal = 2`:                                            "hits",
		`DELETE FROM messages WHERE site_id = 1 AND id_high IN (SELECT id_high FROM messages LIMIT 10)`: "messages",
	} {
		if got := siteless(statement); got != want {
			t.Errorf("%s: %q, want %q", statement, got, want)
		}
	}
	for _, statement := range store.BoundStatements() {
		if table := siteless(statement); table != "" {
			t.Errorf("the statement touches %s and does not name its site: %s", table, statement)
		}
	}
	if len(visitTables) < 10 {
		t.Errorf("only %q are spread by site", visitTables)
	}
}

// statementCounter counts the store's statements.
type statementCounter struct{ n atomic.Int32 }

func (*statementCounter) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	return ctx
}

func (c *statementCounter) AfterQuery(context.Context, *bun.QueryEvent) { c.n.Add(1) }

// A batch takes as many statements for a year of days as for one, whatever it changes: new sessions, sessions that go on,
// are joined, and are their visitors' first ones no longer.
func TestStatementsOfAWrite(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		counts := map[int][]int32{}
		for _, days := range []int{1, 365} {
			site := mustCreateSite(t, st, fmt.Sprintf("days-%d.example", days))
			r := rand.New(rand.NewPCG(1, uint64(days)))
			for round := range 6 {
				var batch []model.Message
				for n := range 400 {
					visitor := fmt.Sprint("visitor ", n)
					day := model.Day(20_000 + n%days - 400*round) // ever earlier: those before are no first ones
					if round%2 == 1 {
						day += 400 // and gaps are closed
					}
					at := day.Start() + model.Millis(1000*60*20*(r.IntN(2)+1)+n)
					id := model.MessageIDOf(visitor, fmt.Sprint(days, round))
					batch = append(batch, model.Message{AnonymousID: visitor, Hit: model.Hit{ID: id, Visitor: visitor, At: at, Kind: model.PageView, Name: "/"}})
				}
				counter := &statementCounter{}
				if _, err := st.WithHook(counter).Write(t.Context(), site.ID, batch); err != nil {
					t.Fatal(err)
				}
				counts[days] = append(counts[days], counter.n.Load())
			}
		}
		for round := range counts[1] {
			if one, many := counts[1][round], counts[365][round]; many > one {
				t.Errorf("round %d: %d statements for a day, %d for many", round, one, many)
			}
		}
		t.Logf("statements by round: %v for a day, %v for a year", counts[1], counts[365])
	})
}
