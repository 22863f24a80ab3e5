package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// traffic returns n messages in the order in which a site's log has them: three
// days of visitors who come once or a few times and look at some pages each
// time; one message in six is an event, one in twenty carries tags or properties.
func traffic(r *rand.Rand, n int) []model.Message {
	pages := make([]string, 300)
	for i := range pages {
		pages[i] = fmt.Sprintf("/catalogue/category-%d/article-%d", i%20, i)
	}
	var messages []model.Message
	for visitor := 0; len(messages) < n; visitor++ {
		key := fmt.Sprintf("visitor-%08x", r.Uint32())
		origin := model.Origin{
			IP: fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256)), Country: []string{"RO", "US", "DE", "FR", ""}[r.IntN(5)],
			Browser: []string{"Chrome", "Firefox", "Safari"}[r.IntN(3)], OS: []string{"Windows", "Android", "iOS"}[r.IntN(3)],
			Device: []model.Device{model.Desktop, model.Mobile}[r.IntN(2)], Language: "en-us",
		}
		for range 1 + r.IntN(3)*r.IntN(3) {
			at := model.Millis(20_000*aDay + r.IntN(3*aDay))
			origin.Referrer, origin.EntryPage = []string{"", "www.google.com", "t.co"}[r.IntN(3)], pages[r.IntN(len(pages))]
			for hits := 1 + r.IntN(4)*r.IntN(6); hits > 0; hits-- {
				hit := model.Hit{ID: model.MessageIDOf(fmt.Sprint(len(messages))), At: at, Kind: model.PageView, Name: pages[r.IntN(len(pages))], Origin: origin, Knows: model.KnowsAll}
				if r.IntN(6) == 0 {
					hit.Kind, hit.Name = model.Event, []string{"scroll", "add to cart", "purchase"}[r.IntN(3)]
					hit.Value, hit.HasValue = model.Decimal(r.IntN(10_000))*model.One/100, hit.Name == "purchase"
				}
				if r.IntN(20) == 0 {
					hit.Tags, hit.Properties = []string{"AB_test1_default"}, map[string]string{"plan": "pro"}
				}
				messages = append(messages, model.Message{AnonymousID: key, Hit: hit})
				at += model.Millis(1000 + r.IntN(120_000))
			}
		}
	}
	slices.SortFunc(messages, func(a, b model.Message) int { return int(a.Hit.At - b.Hit.At) })
	return messages[:n]
}

const (
	benchMessages = 100_000
	benchBatch    = 5_000
)

// BenchmarkWrite writes a site's traffic in batches. bare/s is how many of the
// resulting hits a second the database takes through COPY, or prepared INSERT on
// SQLite, in transactions of as many rows; ×bare is how much longer Write takes.
func BenchmarkWrite(b *testing.B) {
	messages := traffic(rand.New(rand.NewPCG(1, 2)), benchMessages)
	storetest.Databases(b, func(b *testing.B, url string) {
		st := mustOpen(b, url)
		ctx := context.Background()
		var took, bare time.Duration
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			site := mustCreateSite(b, st, fmt.Sprintf("s%d.example", n))
			b.StartTimer()
			begin := time.Now()
			for batch := range slices.Chunk(messages, benchBatch) {
				if _, err := st.Write(ctx, site.ID, batch); err != nil {
					b.Fatal(err)
				}
			}
			took += time.Since(begin)
			b.StopTimer()
			bare += loadBare(b, st, site.ID)
			b.StartTimer()
		}
		total := float64(b.N * benchMessages)
		b.ReportMetric(total/took.Seconds(), "messages/s")
		b.ReportMetric(total/bare.Seconds(), "bare/s")
		b.ReportMetric(took.Seconds()/bare.Seconds(), "×bare")
	})
}

// loadBare loads the site's hits into an empty table of the same columns and key.
func loadBare(b *testing.B, st *store.Store, site int64) time.Duration {
	columns := []string{"site_id", "partition_id", "ordinal", "at", "id_high", "id_low", "kind", "name", "value", "tags", "properties", "origin"}
	ctx := context.Background()
	for _, statement := range []string{
		"DROP TABLE IF EXISTS bare",
		`CREATE TABLE bare (site_id BIGINT NOT NULL, partition_id BIGINT NOT NULL, ordinal INTEGER NOT NULL, at BIGINT NOT NULL, id_high BIGINT NOT NULL, id_low BIGINT NOT NULL, kind INTEGER NOT NULL,
			name TEXT NOT NULL, value BIGINT, tags TEXT NOT NULL, properties TEXT NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (site_id, partition_id, ordinal, at, id_high, id_low))`,
	} {
		if _, err := st.DB().ExecContext(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
	found, err := st.DB().QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM hits WHERE site_id = ? ORDER BY at", site)
	if err != nil {
		b.Fatal(err)
	}
	defer found.Close()
	var rows [][]any
	for found.Next() {
		row, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := found.Scan(to...); err != nil {
			b.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := found.Err(); err != nil || len(rows) != benchMessages {
		b.Fatalf("%d hits, want %d; %v", len(rows), benchMessages, err)
	}
	conn, err := st.DB().DB.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	begin := time.Now()
	for batch := range slices.Chunk(rows, benchBatch) {
		load := insertBare
		if isPostgreSQL(st) {
			load = func(ctx context.Context, conn *sql.Conn, rows [][]any) error {
				return conn.Raw(func(driver any) error {
					_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"bare"}, columns, pgx.CopyFromRows(rows))
					return err
				})
			}
		}
		if err := load(ctx, conn, batch); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

func insertBare(ctx context.Context, conn *sql.Conn, rows [][]any) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(ctx, "INSERT INTO bare VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// BenchmarkRelink writes the one link by which 100,000 hits of a user become a device's.
func BenchmarkRelink(b *testing.B) {
	const hits = 100_000
	storetest.Databases(b, func(b *testing.B, url string) {
		st := mustOpen(b, url)
		var took time.Duration
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			site := mustCreateSite(b, st, fmt.Sprintf("r%d.example", n))
			var messages []model.Message
			for i := range hits {
				messages = append(messages, model.Message{UserID: "ann", Hit: model.Hit{
					ID: model.MessageIDOf(fmt.Sprint(i)), At: model.Millis(20_000*aDay + i*60_000), Kind: model.Event, Name: "paid",
				}})
			}
			for batch := range slices.Chunk(messages, benchBatch) {
				if _, err := st.Write(b.Context(), site.ID, batch); err != nil {
					b.Fatal(err)
				}
			}
			link := model.Message{AnonymousID: "device", UserID: "ann", Hit: model.Hit{ID: model.MessageIDOf("link"), At: 20_000 * aDay, Kind: model.PageView, Name: "/"}}
			b.StartTimer()
			begin := time.Now()
			if _, err := st.Write(b.Context(), site.ID, []model.Message{link}); err != nil {
				b.Fatal(err)
			}
			took += time.Since(begin)
		}
		b.ReportMetric(took.Seconds()/float64(b.N), "s/link")
		b.ReportMetric(0, "ns/op")
	})
}
