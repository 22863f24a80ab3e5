package engine_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Several processes store each revision of a partition once, whoever finds it behind, while others write.
func TestSealOnce(t *testing.T) {
	t.Parallel()
	address := storetest.PostgreSQL(t)
	r := rand.New(rand.NewPCG(3, 1))
	w := newWorld(t, address, r, 100)
	db := mustOpenSQL(t, address)
	mustExec(t, db, "CREATE TABLE stored (partition_id BIGINT, revision BIGINT)")
	mustExec(t, db, "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO stored VALUES (NEW.id, NEW.columns_revision); RETURN NEW; END'")
	mustExec(t, db, "CREATE TRIGGER note AFTER UPDATE OF columns_revision ON partitions FOR EACH ROW EXECUTE FUNCTION note()")
	var sealed atomic.Int64
	seal := func(subject *engine.Engine) {
		n, err := subject.SealBehind(t.Context(), count.AllSites, model.Open)
		if err != nil {
			t.Error(err)
		}
		sealed.Add(int64(n))
	}
	var processes sync.WaitGroup
	done := make(chan struct{})
	var last *engine.Engine
	for range 3 {
		subject := mustEngine(t, mustStore(t, address), engine.Options{})
		last = subject
		processes.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					seal(subject)
				}
			}
		})
	}
	for range 40 {
		var messages []model.Message
		for range 3 {
			for _, hit := range filtertest.RandomVisit(r) {
				hit.At += model.Millis(r.IntN(4)) * 24 * 60 * 60 * 1000
				messages = append(messages, model.Message{AnonymousID: hit.Visitor, Hit: hit})
			}
		}
		if _, err := w.store.Write(t.Context(), w.site, messages); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	processes.Wait()
	seal(last)
	var all, distinct, behind int64
	if err := db.QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT (partition_id, revision)), (SELECT count(*) FROM partitions WHERE columns_revision < revision) FROM stored").
		Scan(&all, &distinct, &behind); err != nil {
		t.Fatal(err)
	}
	if all != distinct || all != sealed.Load() || behind != 0 || all < 10 {
		t.Errorf("%d revisions were stored %d times, by %d tries; %d partitions are behind", distinct, all, sealed.Load(), behind)
	}
}

// A lease is one holder's until it ends or is given back. One that was given up ends by itself.
func TestLease(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, address string) {
		st := mustStore(t, address)
		site := &model.Site{Name: "a", Timezone: "UTC"}
		if err := st.CreateSite(t.Context(), site); err != nil {
			t.Fatal(err)
		}
		take := func(holder string, length time.Duration, want bool) {
			t.Helper()
			if ok, err := st.Lease(t.Context(), site.ID, "seal", holder, length); ok != want || err != nil {
				t.Errorf("%s: %t, %v", holder, ok, err)
			}
		}
		take("one", time.Hour, true)
		take("two", time.Hour, false)
		take("one", time.Hour, true)
		if err := st.EndLease(t.Context(), site.ID, "seal", "two"); err != nil {
			t.Error(err)
		}
		take("two", time.Hour, false)
		if err := st.EndLease(t.Context(), site.ID, "seal", "one"); err != nil {
			t.Error(err)
		}
		take("two", -time.Second, true) // it has ended when it begins
		take("one", time.Hour, true)
	})
}
