package engine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

var update = flag.Bool("update", false, "store databases of the newest schema in testdata")

// storedAnswer is what a stored database counts.
type storedAnswer struct {
	Where              string
	Sessions, Visitors int
	Value              model.Sum
}

const (
	storedAnswers = "answers.json"
	storedDomain  = "shop.example"
)

// Databases that older versions of the program have left are opened and upgraded: what they hold is counted as before, no
// stored column counts as damaged, and more can be written. A version that is released has a folder of testdata, which
// stays as it is; -update makes that of the newest schema, and needs pg_dump in PATH.
func TestStoredDatabases(t *testing.T) {
	t.Parallel()
	if *update {
		storeDatabases(t)
	}
	folders, err := filepath.Glob("testdata/schema-*")
	if err != nil || len(folders) == 0 {
		t.Fatal("no databases are stored", err)
	}
	for _, folder := range folders {
		storetest.Databases(t, func(t *testing.T, address string) {
			restoreDatabase(t, folder, address)
			var answers []storedAnswer
			text, err := os.ReadFile(filepath.Join(folder, storedAnswers))
			if err == nil {
				err = json.Unmarshal(text, &answers)
			}
			if err != nil || len(answers) == 0 {
				t.Fatal(folder, err)
			}
			st := mustStore(t, address)
			site, err := st.SiteByDomain(t.Context(), storedDomain)
			if err != nil {
				t.Fatal(err)
			}
			output := &log{}
			subject := mustEngine(t, st, engine.Options{Log: slog.New(slog.NewTextHandler(output, nil))})
			for _, want := range answers {
				for _, one := range []count.Engine{subject, naive.New(st, nil, nil)} {
					if got := answerOf(t, one, site.ID, want.Where); got != want {
						t.Errorf("%s: %T counts %+v, want %+v", folder, one, got, want)
					}
				}
			}
			if output.text.Len() > 0 {
				t.Errorf("the stored columns of %s: %s", folder, output.text.String())
			}
			hit := model.Hit{ID: model.MessageIDOf("new"), Visitor: "new", At: mustInstant(t, "1 12:00"), Kind: model.PageView, Name: "/"}
			if _, err := st.Write(t.Context(), site.ID, []model.Message{{AnonymousID: "new", Hit: hit}}); err != nil {
				t.Fatal(err)
			}
			if got := answerOf(t, subject, site.ID, answers[0].Where); got.Sessions != answers[0].Sessions+1 {
				t.Errorf("%s: %d sessions after one more of %d", folder, got.Sessions, answers[0].Sessions)
			}
		})
	}
}

func answerOf(t *testing.T, subject count.Engine, site int64, where string) storedAnswer {
	t.Helper()
	answers, err := subject.Count(t.Context(), []count.Question{{Site: site, In: always, Where: mustPredicate(t, where), Visitors: true, Value: "purchase"}})
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	return storedAnswer{where, answers[0].Sessions, answers[0].Visitors, answers[0].Value}
}

// storeDatabases stores a database of each kind, with columns, and what it counts.
func storeDatabases(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, address string) {
		r := rand.New(rand.NewPCG(1, 1))
		w := newWorld(t, address, r, 300)
		if _, err := mustEngine(t, w.store, engine.Options{}).SealBehind(t.Context(), count.AllSites, model.Open); err != nil {
			t.Fatal(err)
		}
		migrations, err := w.store.Migrations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join("testdata", fmt.Sprintf("schema-%03d", len(migrations)))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		var answers []storedAnswer
		for _, where := range storedQuestions(r) {
			answers = append(answers, answerOf(t, naive.New(w.store, nil, nil), w.site, where.String()))
		}
		text, err := json.MarshalIndent(answers, "", "\t")
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, storedAnswers), append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		var data []byte
		name := "postgresql.sql.gz"
		if strings.HasPrefix(address, "sqlite:") {
			name = "sqlite.db.gz"
			copied := filepath.Join(t.TempDir(), "copy.db")
			mustExec(t, mustOpenSQL(t, address), "VACUUM INTO $1", copied)
			data, err = os.ReadFile(copied)
		} else {
			data, err = exec.Command("pg_dump", "--inserts", "--no-owner", "--no-privileges", address).Output()
		}
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		writer, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if _, err := writer.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	})
}

// storedQuestions are all sessions, and some that random predicates match.
func storedQuestions(r *rand.Rand) []filter.Expr {
	wheres := []filter.Expr{filter.Bool(true)}
	for len(wheres) < 40 {
		where := filter.Simplify(filtertest.RandomExpr(r))
		if len(filter.Computations(where)) == 0 && len(filter.Experiments(where)) == 0 {
			wheres = append(wheres, where)
		}
	}
	return wheres
}

// restoreDatabase makes a new database one that is stored.
func restoreDatabase(t *testing.T, folder, address string) {
	t.Helper()
	read := func(name string) []byte {
		file, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		unpacked, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if path, isSQLite := strings.CutPrefix(address, "sqlite:"); isSQLite {
		if err := os.WriteFile(path, read("sqlite.db.gz"), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	var script strings.Builder
	for line := range strings.Lines(string(read("postgresql.sql.gz"))) {
		// Commands of psql, and a setting that would outlast the script.
		if !strings.HasPrefix(line, `\`) && !strings.Contains(line, "set_config('search_path'") {
			script.WriteString(line)
		}
	}
	conn, err := pgconn.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), script.String()).ReadAll(); err != nil {
		t.Fatal(err)
	}
}
