//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"testing"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

func checkSample(t *testing.T, database string) {
	t.Helper()
	db := openSQL(t, database)
	for query, want := range map[string]int{
		"SELECT count(*) FROM sites":                                              1,
		"SELECT count(*) FROM sites WHERE name = 'semicomplete.com (sample)'":     1,
		"SELECT count(*) FROM sessions WHERE visitor_id <> 0":                     sampleSessions,
		"SELECT count(*) FROM hits":                                               samplePageViews,
		"SELECT count(*) FROM visitors":                                           sampleVisitors,
		"SELECT count(*) FROM segments":                                           4,
		"SELECT count(DISTINCT name) FROM segments":                               4,
		"SELECT count(*) FROM goals":                                              3,
		"SELECT count(*) FROM segments WHERE name = 'All' AND active":             1,
		"SELECT count(*) FROM site_domains WHERE domain = 'www.semicomplete.com'": 1,
	} {
		if got := number(t, db, query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

func TestSampleIsLoadedOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		mustServe(t, "--sample", "--database", database).mustStop(t)
		checkSample(t, database)
		mustServe(t, "--sample", "--database", database).mustStop(t)
		checkSample(t, database)
		// What somebody deletes stays deleted.
		db := openSQL(t, database)
		if _, err := db.Exec("DELETE FROM segments WHERE name <> 'All'"); err != nil {
			t.Fatal(err)
		}
		mustServe(t, "--sample", "--database", database).mustStop(t)
		if n := number(t, db, "SELECT count(*) FROM segments"); n != 1 {
			t.Errorf("%d segments", n)
		}
	})
}

func TestSampleStaysOutOfOtherDatabases(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	mustImport(t, database, "--site", "shop.example", mustWriteFile(t, "one.log", firstLine(t)))
	before := contents(t, database)
	mustServe(t, "--sample", "--database", database).mustStop(t)
	equalContents(t, contents(t, database), before)
}

func TestSampleIsCompletedAfterAKill(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		program(t, "migrate", "up", "--database", database).mustRun(t, done)
		db := openSQL(t, database)
		for _, point := range []string{
			"SELECT count(*) FROM sites",
			"SELECT count(*) FROM messages WHERE id_low <> 0",
			"SELECT count(*) - 1 FROM segments",
			"SELECT count(*) FROM goals",
		} {
			p := program(t, "serve", "--sample", "--auth", "none", "--listen", "127.0.0.1:0", "--database", database).mustStart(t)
			await(t, point, func() bool { return number(t, db, point) > 0 })
			if err := p.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			p.result(t)
		}
		mustServe(t, "--sample", "--database", database).mustStop(t)
		checkSample(t, database)
	})
}
