package engine_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/count/naive"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

// replicaLag is how far the standby of these tests lags behind.
const replicaLag = 5 * time.Second

// mustReplicate starts a PostgreSQL and a standby that lags behind it.
func mustReplicate(t *testing.T) (primary, standby *servers.Server) {
	t.Helper()
	// Not below the folder of the test, which other users may not enter.
	folder, err := os.MkdirTemp("/tmp", "goalgraph-replica-")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	begin := func(name string, settings ...string) *servers.Server {
		server, err := servers.KeptPostgreSQL(filepath.Join(folder, name), settings...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Stop() })
		return server
	}
	// The standby begins with a copy of what the primary is while it does not run.
	if err := begin("primary").Stop(); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(folder, "standby")
	for _, command := range [][]string{
		{"cp", "-a", filepath.Join(folder, "primary"), copied},
		{"cp", "-a", filepath.Join(copied, "PG_VERSION"), filepath.Join(copied, "standby.signal")},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	primary = begin("primary", "wal_keep_size=256MB")
	u, err := url.Parse(primary.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	standby = begin("standby", fmt.Sprintf("primary_conninfo=host=127.0.0.1 port=%s user=goalgraph password=%s", u.Port(), password),
		fmt.Sprintf("recovery_min_apply_delay=%dms", replicaLag.Milliseconds()), "wal_receiver_status_interval=1s")
	return primary, standby
}

// mustFollow waits until the standby has all that the primary has now.
func mustFollow(t *testing.T, primary, standby *sql.DB) {
	t.Helper()
	var at string
	if err := primary.QueryRowContext(t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&at); err != nil {
		t.Fatal(err)
	}
	for deadline, follows := time.Now().Add(time.Minute), false; !follows; {
		if err := standby.QueryRowContext(t.Context(), "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", at).Scan(&follows); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the standby does not follow")
		}
	}
}

// Columns are loaded from a replica that lags. No count is wrong for it, nothing is taken for damage, and what the replica
// has not yet is read from the database. A replica that ends is no harm.
func TestReplica(t *testing.T) {
	t.Parallel()
	primary, standby := mustReplicate(t)
	writing := mustStore(t, primary.URL)
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	if err := writing.CreateSite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	const days = 40
	r, number := rand.New(rand.NewPCG(5, 5)), 0
	write := func(day, visits int) {
		var messages []model.Message
		for range visits {
			number++
			for _, hit := range filtertest.RandomVisit(r) {
				hit.Visitor = fmt.Sprint("visitor ", number)
				hit.At += model.Millis(day) * 24 * 60 * 60 * 1000
				messages = append(messages, model.Message{AnonymousID: hit.Visitor, Hit: hit})
			}
		}
		if _, err := writing.Write(t.Context(), site.ID, messages); err != nil {
			t.Fatal(err)
		}
	}
	for day := range days {
		write(day, 40)
	}
	sealing := mustEngine(t, writing, engine.Options{})
	seal := func() {
		if _, err := sealing.SealBehind(t.Context(), site.ID, model.Open); err != nil {
			t.Fatal(err)
		}
	}
	seal()
	primaryDB, standbyDB := mustOpenSQL(t, primary.URL), mustOpenSQL(t, standby.URL)
	mustFollow(t, primaryDB, standbyDB)

	questions := []filter.Expr{filter.Bool(true)}
	for len(questions) < 6 {
		if where := filter.Simplify(filtertest.RandomExpr(r)); len(filter.Computations(where)) == 0 && len(filter.Experiments(where)) == 0 {
			questions = append(questions, where)
		}
	}
	// ask has a new process count, and returns which part of the bytes of columns came from the replica.
	ask := func(when string) float64 {
		t.Helper()
		st, err := store.Open(t.Context(), primary.URL, store.Options{Replica: standby.URL})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		subject := mustEngine(t, st, engine.Options{})
		for _, where := range questions {
			want := answerOf(t, naive.New(writing, nil, nil), site.ID, where.String())
			if got := answerOf(t, count.Engine(subject), site.ID, where.String()); got != want {
				t.Errorf("%s: %+v, want %+v", when, got, want)
			}
		}
		loaded := st.Loaded()
		return float64(loaded.Replica) / float64(loaded.Replica+loaded.Database)
	}
	if share := ask("when the replica has all"); share != 1 {
		t.Errorf("%.3f of the bytes came from the replica that has all", share)
	}
	for round := range 3 {
		write(days-1, 20)
		write(round, 3)
		ask("after writes")
		seal()
		share := ask("when the replica lags")
		t.Logf("%.3f of the bytes came from the replica that lags", share)
		if share < 0.85 || share == 1 {
			t.Errorf("%.3f of the bytes came from the replica that lags behind two partitions of %d", share, days)
		}
	}
	var forgotten int
	if err := primaryDB.QueryRowContext(t.Context(), "SELECT count(*) FROM partitions WHERE columns_revision < revision").Scan(&forgotten); err != nil || forgotten > 0 {
		t.Errorf("the columns of %d partitions were forgotten; %v", forgotten, err)
	}
	if err := standby.Stop(); err != nil {
		t.Fatal(err)
	}
	if share := ask("without the replica"); share != 0 {
		t.Errorf("%.3f of the bytes came from a replica that has ended", share)
	}
}
