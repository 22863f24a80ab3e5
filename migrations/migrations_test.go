package migrations_test

import (
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/migrations"
)

func TestAll(t *testing.T) {
	sqlite, err := migrations.All(migrations.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	postgresql, err := migrations.All(migrations.PostgreSQL)
	if err != nil {
		t.Fatal(err)
	}
	if len(sqlite) == 0 || len(sqlite) != len(postgresql) {
		t.Fatalf("%d migrations for SQLite, %d for PostgreSQL", len(sqlite), len(postgresql))
	}
	for i, migration := range sqlite {
		other := postgresql[i]
		if migration.Version != i+1 || other.Version != i+1 || migration.Name == "" || migration.Name != other.Name {
			t.Errorf("migration %d is %d %q and %d %q", i+1, migration.Version, migration.Name, other.Version, other.Name)
		}
		for _, statements := range [][]string{migration.Up, migration.Down, other.Up, other.Citus, other.Down} {
			for _, statement := range statements {
				if strings.Contains(statement, "{{") || strings.Contains(statement, "--split") || strings.TrimSpace(statement) == "" {
					t.Errorf("migration %d has the statement %q", i+1, statement)
				}
			}
		}
		if len(migration.Up) != len(other.Up) || !reflect.DeepEqual(migration.Down, other.Down) {
			t.Errorf("migration %d differs between the databases by more than Dialect", i+1)
		}
	}
}

// Every file is half of a pair: a stray one would never run.
func TestFilesArePairs(t *testing.T) {
	names, err := fs.Glob(os.DirFS("."), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	half := regexp.MustCompile(`^(\d{3}_[a-z0-9_]+)\.(up|down|citus)\.sql$`)
	found := map[string]int{}
	for _, name := range names {
		match := half.FindStringSubmatch(name)
		if match == nil {
			t.Errorf("%s is not named like 001_name.up.sql", name)
			continue
		}
		if match[2] == "citus" { // it goes with a pair
			found[match[1]] += 0
			continue
		}
		found[match[1]]++
	}
	for name, halves := range found {
		if halves != 2 {
			t.Errorf("%s has only one of up and down", name)
		}
	}
	if all, err := migrations.All(migrations.SQLite); err != nil || len(all) != len(found) {
		t.Errorf("%d pairs of files make %d migrations: %v", len(found), len(all), err)
	}
}
