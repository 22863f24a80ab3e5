package engine_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/experiment"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

const (
	// benchVisitorsVariable says how many visitors BenchmarkResults has.
	benchVisitorsVariable = "GOALGRAPH_BENCH_VISITORS"
	benchDays             = 30
	// batches is how many are written behind each other.
	batches = 6
)

// fillExperiment fills a site with visitors of an experiment, as messages would leave
// them: each has a session with an assignment amid it, on one of 30 days, and every
// third has a second one some days later. %[1]d are the visitors, %[2]d the days, %[3]d
// is the first day and %[4]d the site.
var fillExperiment = []string{
	// a and e are made-up numbers of a visitor's session.
	`CREATE TABLE drawn AS SELECT *, (row_number() OVER (PARTITION BY day ORDER BY second, visitor_id) - 1)::integer AS ordinal,
		hashint8(2 * visitor_id + second::integer) & 65535 AS a, hashint8(2 * visitor_id + second::integer + 1000000007) & 65535 AS e FROM (
			SELECT v AS visitor_id, FALSE AS second, v %% %[2]d AS day, (%[3]d + v %% %[2]d) * 86400000::bigint + (hashint8(v + 7) & 65535) * 1000 AS at FROM generate_series(1, %[1]d::bigint) v
			UNION ALL SELECT v, TRUE, (v + 1 + v %% 5) %% %[2]d, (%[3]d + (v + 1 + v %% 5) %% %[2]d) * 86400000::bigint + (hashint8(v + 8) & 65535) * 1000 FROM generate_series(1, %[1]d::bigint, 3) v) AS s`,
	`INSERT INTO visitors (id, site_id, visitor, first_at) SELECT v, %[4]d, 'visitor ' || v, 0 FROM generate_series(1, %[1]d::bigint) v`,
	`SELECT setval(pg_get_serial_sequence('visitors', 'id'), %[1]d)`,
	`INSERT INTO partitions (site_id, day, sessions, revision, write_id, written_at) SELECT %[4]d, %[3]d + day, count(*), 1, 1, 1 FROM drawn GROUP BY day`,
	`INSERT INTO messages VALUES (%[4]d, 1, 0, 0)`,
	`CREATE TABLE drawn_hits AS SELECT b.id AS partition_id, d.ordinal, d.at + h.after AS at, h.n, h.kind, h.name, CASE WHEN h.n = 6 THEN (e %% 10000) * 10000::bigint END AS value, visitor_id, second
		FROM drawn d JOIN partitions b ON b.site_id = %[4]d AND b.day = %[3]d + d.day
		JOIN (VALUES (1, 0, 1, '/'), (2, 5000, 2, 'Experiment Viewed'), (3, 1000, 2, 'sign up'), (4, 60000, 1, '/pricing'), (5, 90000, 2, 'sign up'), (6, 120000, 2, 'purchase')) AS h (n, after, kind, name)
		ON h.n = 1 OR h.n = 2 AND NOT second OR h.n = 3 AND e %% 17 = 0 OR h.n = 4 AND a %% 3 = 0 OR h.n = 5 AND a %% 7 = 0 OR h.n = 6 AND e %% 11 = 0`,
	`INSERT INTO hits (site_id, partition_id, ordinal, at, id_high, id_low, kind, name, value, tags, properties, origin) SELECT %[4]d, partition_id, ordinal, at, hashint8(visitor_id * 10 + n), visitor_id, kind, name, value, '', '', '' FROM drawn_hits`,
	`INSERT INTO sessions (site_id, partition_id, ordinal, revision, write_id, visitor_id, session_key, first_visit, started_at, ended_at, page_views, ip, country, referrer, entry_page, exit_page, browser, os,
		device, language, utm_source, utm_medium, utm_campaign, utm_term, utm_content, pages, tags, events, properties, region, city, hostname)
		SELECT %[4]d, partition_id, ordinal, 1, 1, min(visitor_id), '', NOT bool_or(second), min(at), max(at), count(*) FILTER (WHERE kind = 1), '',
		(ARRAY['RO', 'US', 'DE', 'FR'])[1 + min(visitor_id) %% 4], '', '/', CASE WHEN bool_or(n = 4) THEN '/pricing' ELSE '/' END, 'Firefox', 'Linux', 'DESKTOP', 'en', '', '', '', '', '',
		CASE WHEN bool_or(n = 4) THEN '["/","/pricing"]' ELSE '["/"]' END, '',
		COALESCE('[' || string_agg(CASE WHEN n = 6 THEN '{"name":"purchase","count":1,"values":1,"sum":' || value / 10000 / 100.0 || '}' ELSE '{"name":"' || name || '","count":1}' END, ',')
			FILTER (WHERE n IN (2, 3, 6) OR n = 5) || ']', ''), '', '', '', '' FROM drawn_hits GROUP BY partition_id, ordinal`,
	`INSERT INTO assignments SELECT %[4]d, 'headline', partition_id, ordinal, at, hashint8(visitor_id * 10 + n), visitor_id, visitor_id, (ARRAY['a', 'b'])[1 + (hashint8(visitor_id + 13) & 1)]
		FROM drawn_hits WHERE n = 2`,
	`DROP TABLE drawn, drawn_hits`,
	`VACUUM ANALYZE`,
}

// resultsSQL is the straightforward way: of each visitor the first assignment, joined
// with what comes at or behind it. %s is what it is joined by: the session, or the
// visitor's sessions from then on.
const resultsSQL = `WITH standing AS (
		SELECT DISTINCT ON (visitor_id) visitor_id, variant, at, partition_id, ordinal FROM assignments
		WHERE site_id = $1 AND experiment = 'headline' AND visitor_id <> 0 AND variant IN ('a', 'b') AND at >= $2 AND at < $3 ORDER BY visitor_id, at, id_high, id_low
	), did AS (
		SELECT s.visitor_id, s.variant, COALESCE(bool_or(h.kind = 2 AND h.name = 'purchase'), FALSE) AS purchased, COALESCE(bool_or(h.kind = 2 AND h.name = 'sign up'), FALSE) AS signed_up,
			COALESCE(bool_or(h.kind = 1 AND h.name = '/pricing'), FALSE) AS priced, COALESCE(sum(h.value) FILTER (WHERE h.kind = 2 AND h.name = 'purchase'), 0) AS value
		FROM standing s LEFT JOIN %s GROUP BY s.visitor_id, s.variant
	)
	SELECT variant, count(*), count(*) FILTER (WHERE purchased), count(*) FILTER (WHERE signed_up), count(*) FILTER (WHERE priced), sum(value / 1000000), sum((value / 1000000) ^ 2) FROM did GROUP BY variant ORDER BY variant`

var joinsSQL = map[bool]string{
	false: `hits h ON h.partition_id = s.partition_id AND h.ordinal = s.ordinal AND h.at >= s.at AND h.at < $3`,
	true: `(sessions n JOIN hits h ON h.partition_id = n.partition_id AND h.ordinal = n.ordinal) ON n.visitor_id = s.visitor_id AND h.at < $3
		AND (n.partition_id = s.partition_id AND n.ordinal = s.ordinal AND h.at >= s.at OR n.started_at >= s.at AND n.started_at < $3)`,
}

// bySQL answers the benchmark's question.
func bySQL(ctx context.Context, db *sql.DB, q experiment.Question) (answer experiment.Answer, err error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf(resultsSQL, joinsSQL[q.Later]), q.Definition.Site, int64(q.Definition.Run.From), int64(q.Definition.Run.To))
	if err != nil {
		return answer, err
	}
	defer rows.Close()
	for rows.Next() {
		v := experiment.VariantAnswer{Metrics: make([]experiment.MetricAnswer, 3)}
		var variant, total string
		if err := rows.Scan(&variant, &v.Visitors, &v.Metrics[0].Conversions, &v.Metrics[1].Conversions, &v.Metrics[2].Conversions, &total, &v.Metrics[0].Moments.Squares); err != nil {
			return answer, err
		}
		if v.Metrics[0].Total, err = model.ParseSum(total); err != nil {
			return answer, err
		}
		answer.Variants = append(answer.Variants, v)
	}
	return answer, rows.Err()
}

// BenchmarkResults asks for the results of an experiment with three metrics over 30
// days by SQL, by a new engine, again, and after batches into the newest day: the first
// one has the engine load all columns of that day. It reports milliseconds, and how many
// times SQL takes as long as the new engine.
func BenchmarkResults(b *testing.B) {
	visitors := 30_000
	if text := os.Getenv(benchVisitorsVariable); text != "" {
		var err error
		if visitors, err = strconv.Atoi(text); err != nil {
			b.Fatalf("%s: %v", benchVisitorsVariable, err)
		}
	}
	url := storetest.PostgreSQL(b)
	st := mustStore(b, url)
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := st.CreateSite(b.Context(), site); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range slices.Concat([]string{"SET work_mem = '512MB'", "SET max_parallel_workers_per_gather = 2"}, fillExperiment) {
		if strings.Contains(statement, "%") {
			statement = fmt.Sprintf(statement, visitors, benchDays, filtertest.Day, site.ID)
			statement, _, _ = strings.Cut(statement, "%!(EXTRA")
		}
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			b.Fatalf("%v in %s", err, statement)
		}
	}
	run := model.Range{From: filtertest.Day.Start(), To: (filtertest.Day + benchDays).Start()}
	in := func(field filter.Field, value string) filter.Expr {
		return filter.In{Field: field, Values: []string{value}}
	}
	q := experiment.Question{
		Definition: experiment.Definition{Site: site.ID, Key: "headline", Run: run, Variants: []string{"a", "b"}, Audience: filter.Bool(true)},
		In:         run, Where: filter.Bool(true),
		Metrics: []experiment.Metric{{Where: in(filter.Events, "purchase"), Value: "purchase"}, {Where: in(filter.Events, "sign up")}, {Where: in(filter.Pages, "/pricing")}},
	}
	ask := func(subject *engine.Engine, q experiment.Question) experiment.Answer {
		b.Helper()
		answers, err := subject.Results(b.Context(), []experiment.Question{q})
		if err != nil {
			b.Fatal(err)
		}
		return answers[0]
	}
	begin := time.Now()
	ask(mustEngine(b, st, engine.Options{}), q)
	b.Logf("%d visitors: exposed made and stored in %v", visitors, time.Since(begin).Round(time.Millisecond))
	if _, err := mustEngine(b, st, engine.Options{}).SealBehind(b.Context(), count.AllSites, model.Open); err != nil {
		b.Fatal(err)
	}
	messages := 0
	// write writes a batch into the newest day: visitors who are assigned and convert.
	write := func() {
		b.Helper()
		var batch []model.Message
		for range 100 {
			messages++
			for n, name := range []string{"Experiment Viewed", "purchase", "sign up"} {
				hit := model.Hit{
					ID: model.MessageIDOf(fmt.Sprint(messages, name)), Visitor: fmt.Sprint("new ", messages), Kind: model.Event, Name: name,
					At: run.To - model.Millis(3_600_000+messages*7%3_000_000-n), Value: model.Decimal(messages%97) * model.One, HasValue: n == 1,
				}
				if n == 0 {
					hit.Experiment, hit.Variant = "headline", q.Definition.Variants[messages%2]
				}
				batch = append(batch, model.Message{AnonymousID: hit.Visitor, Hit: hit})
			}
		}
		if _, err := st.Write(b.Context(), site.ID, batch); err != nil {
			b.Fatal(err)
		}
	}
	for _, later := range []bool{false, true} {
		b.Run(map[bool]string{false: "session", true: "experiment"}[later], func(b *testing.B) {
			q.Later = later
			var took [5][]time.Duration // SQL, cold, warm, after the first batch, after others
			timed := func(what int, do func()) {
				begin := time.Now()
				do()
				took[what] = append(took[what], time.Since(begin))
			}
			for b.Loop() {
				var want, got experiment.Answer
				var err error
				timed(0, func() { want, err = bySQL(b.Context(), db, q) })
				if err != nil {
					b.Fatal(err)
				}
				var subject *engine.Engine
				timed(1, func() { subject = mustEngine(b, st, engine.Options{}); got = ask(subject, q) })
				mustAgree(b, got, want)
				timed(2, func() { got = ask(subject, q) })
				mustAgree(b, got, want)
				for n := range batches {
					write()
					timed(min(3+n, 4), func() { got = ask(subject, q) })
					if 0 < n && n < batches-1 {
						continue
					}
					if want, err = bySQL(b.Context(), db, q); err != nil {
						b.Fatal(err)
					}
					mustAgree(b, got, want)
				}
			}
			medians := [5]float64{}
			for i, name := range []string{"sql", "cold", "warm", "first-batch", "batch"} {
				slices.Sort(took[i])
				medians[i] = float64(took[i][len(took[i])/2].Microseconds()) / 1000
				b.ReportMetric(medians[i], name+"-ms")
			}
			b.ReportMetric(medians[0]/medians[1], "x-sql")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// mustAgree holds an answer against that of SQL, which adds up plain squares.
func mustAgree(b *testing.B, got, want experiment.Answer) {
	b.Helper()
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*max(1, math.Abs(x), math.Abs(y)) }
	for i, w := range want.Variants {
		g := got.Variants[i]
		same := g.Visitors == w.Visitors && g.Visitors > 0
		for m := range w.Metrics {
			same = same && g.Metrics[m].Conversions == w.Metrics[m].Conversions && g.Metrics[m].Conversions > 0
		}
		if !same || g.Metrics[0].Total != w.Metrics[0].Total || !near(squares(g.Metrics[0].Moments), squares(w.Metrics[0].Moments)) {
			b.Fatalf("is %+v, by SQL %+v", got, want)
		}
	}
	if cmp.Or(len(want.Variants), -1) != len(got.Variants) {
		b.Fatalf("%d variants, by SQL %d", len(got.Variants), len(want.Variants))
	}
}
