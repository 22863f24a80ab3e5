package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Values that were doubles become the decimals that they were read from, and back.
func TestMigrateValues(t *testing.T) {
	tests := []struct {
		double string
		micros int64
	}{
		{"49.99", 49_990_000}, {"-49.99", -49_990_000}, {"0", 0}, {"30.299999999999997", 30_300_000}, {"0.1", 100_000}, {"0.000001", 1}, {"1e-7", 0},
		{"0.3333333333333333", 333_333}, {"1234567890123.45", 1_234_567_890_123_450_000}, {"8999999999999.99", 8_999_999_999_999_990_000},
		{"123456789.123457", 123_456_789_123_457}, {"1.005", 1_005_000}, {"-0.6", -600_000}, {"0.999999", 999_999}, {"1e15", 8_999_999_999_999_999_999}, {"-9e12", -8_999_999_999_999_999_999},
	}
	storetest.Databases(t, func(t *testing.T, url string) {
		st := mustOpenUnmigrated(t, url)
		exec := func(statement string, args ...any) {
			t.Helper()
			if _, err := st.DB().ExecContext(t.Context(), statement, args...); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := st.Migrations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range len(list) - 1 { // down to the first
			if _, err := st.MigrateDown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		const insert = `INSERT INTO hits (site_id, partition_id, ordinal, at, id_high, id_low, kind, name, value, tags, properties, origin) VALUES (1, 1, 0, ?, 0, 0, 2, 'buy', %s, '', '', '')`
		for at, test := range tests {
			exec(fmt.Sprintf(insert, test.double), at)
		}
		exec(fmt.Sprintf(insert, "NULL"), len(tests))
		if _, err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := query(t, st, "SELECT value FROM hits ORDER BY at")
		for at, test := range tests {
			if got[at] != fmt.Sprint(test.micros) {
				t.Errorf("%s became %s micro-units, want %d", test.double, got[at], test.micros)
			}
		}
		if got[len(tests)] != "<nil>" {
			t.Errorf("no value became %s", got[len(tests)])
		}
		for range len(list) - 1 {
			if _, err := st.MigrateDown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if back := query(t, st, "SELECT value FROM hits WHERE at < 2 ORDER BY at"); strings.Join(back, " ") != "49.99 -49.99" {
			t.Errorf("back again, the values are %q", back)
		}
	})
}

// Sums are stored exactly, those of more than 64 bits too, and read from rows that hold floats.
func TestSumsAreStoredExactly(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		var batch []model.Message
		for i, text := range []string{"10.10", "20.20", "8999999999999.999999", "8999999999999.999999", "8999999999999.999999"} {
			value, err := model.ParseDecimal(text)
			if err != nil {
				t.Fatal(err)
			}
			hit := model.Hit{ID: model.MessageIDOf(fmt.Sprint(i)), Visitor: "ann", At: model.Millis(aDay + i), Kind: model.Event, Name: []string{"buy", "bid"}[min(1, i/2)], Value: value, HasValue: true}
			batch = append(batch, model.Message{AnonymousID: "ann", Hit: hit})
		}
		if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
			t.Fatal(err)
		}
		check := func() {
			t.Helper()
			session := modeltest.Stored(t, st, site.ID)[0]
			for name, want := range map[string]string{"buy": "30.3", "bid": "26999999999999.999997"} {
				if event, _ := session.Event(name); event.Sum.String() != want {
					t.Errorf("the sum of %s is %s, want %s", name, event.Sum, want)
				}
			}
		}
		check()
		if _, err := st.DB().ExecContext(t.Context(), `UPDATE sessions SET events = REPLACE(events, '30.3', '30.299999999999997')`); err != nil {
			t.Fatal(err)
		}
		check()
	})
}
