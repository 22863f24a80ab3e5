package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Whoever is erased, and whatever comes afterwards, the sessions are those of the messages that are left.
func TestEraseVisitor(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		erasures := 0
		for seed := range uint64(12) {
			r := newRand(seed)
			site := mustCreateSite(t, st, fmt.Sprintf("s%d.example", seed))
			messages := modeltest.Population(r, 20_000*aDay, 30+r.IntN(120))
			var left []model.Message
			for rest := messages; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(60))
				mustWriteAll(t, st, site.ID, rest[:n]...)
				left, rest = append(left, rest[:n]...), rest[n:]
				name := []string{"d1", "d2", "d3", "d4", "u1", "u2", "u3", "nobody"}[r.IntN(8)]
				before := len(modeltest.Sessions(left))
				left = modeltest.Without(left, name)
				erased, err := st.EraseVisitor(t.Context(), site.ID, name)
				if err != nil || erased != before-len(modeltest.Sessions(left)) {
					t.Fatalf("seed %d: %d sessions of %s, of %d, are erased, and %d are left: %v", seed, erased, name, before, len(modeltest.Sessions(left)), err)
				}
				if erased > 0 {
					erasures++
				}
				modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(left))
				mustHaveHits(t, st, site.ID, left)
			}
		}
		if erasures < 10 {
			t.Errorf("only %d erasures erased something", erasures)
		}
	})
}

// Nothing that is left tells of who was erased, in whichever table.
func TestErasureLeavesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "a.example").ID
		e := mustCreateAssigned(t, st, site, "x", func(*model.Experiment) {})
		const secret = "zoe"
		message := func(name, device, user string, kind model.HitKind) model.Message {
			return model.Message{AnonymousID: device, UserID: user, Hit: model.Hit{
				ID: model.MessageIDOf(name, device, user), At: aDay, Kind: kind, Name: name, Tags: []string{name}, Properties: map[string]string{"plan": name},
				Origin: model.Origin{Referrer: name, EntryPage: name}, Knows: model.KnowsAll,
			}}
		}
		own := message("/"+secret, secret+"'s phone", "", model.PageView)
		exposed := exposure(e, model.ExposureID(site, e.ID, 1000, secret+"'s phone"), "", secret, aDay)
		mustWriteAll(t, st, site, own, message(secret+"'s event", secret+"'s laptop", secret, model.Event), message(secret+"'s event", secret+"'s phone", secret, model.Event), exposed,
			message("/", "ben", "", model.PageView), message("buy", "ben", "ben's", model.Event))
		if err := st.KeepAssignments(ctx, site, []store.KeptAssignment{
			{Visitor: secret + "'s phone", Experiment: e.ID, Run: 1000, Variant: "a"}, {Visitor: secret, Experiment: e.ID, Run: 1000, Variant: "a"}, {Visitor: "ben", Experiment: e.ID, Run: 1000, Variant: "a"},
		}); err != nil {
			t.Fatal(err)
		}
		partitions, err := st.Partitions(ctx, site, model.Range{From: 0, To: model.Open})
		if err != nil || len(partitions) != 1 {
			t.Fatal(partitions, err)
		}
		save := func() {
			t.Helper()
			if err := st.SaveColumns(ctx, site, partitions[0].ID, partitions[0].Revision, 1, map[string][]byte{"page": []byte(secret)}); err != nil {
				t.Fatal(err)
			}
			if err := st.SaveExperimentColumns(ctx, site, partitions[0].ID, "x", partitions[0].Revision, map[string][]byte{store.AssignmentsDimension: []byte(secret)}); err != nil {
				t.Fatal(err)
			}
		}
		save()
		contents := func() (all string) {
			for _, table := range query(t, st, tablesQuery(st)) {
				for _, line := range query(t, st, "SELECT * FROM "+table) {
					all += table + ": " + line + "\n"
				}
			}
			return all
		}
		if found := strings.Count(contents(), secret); found < 10 {
			t.Fatalf("only %d places tell of %s before", found, secret)
		}
		erased, err := st.EraseVisitor(ctx, site, secret)
		if err != nil || erased != 2 {
			t.Errorf("%d sessions are erased, want one of each device: %v", erased, err)
		}
		save() // by a process that made them before
		for line := range strings.Lines(contents()) {
			if strings.Contains(line, secret) || strings.Contains(line, fmt.Sprint([]byte(secret))) {
				t.Errorf("left: %s", line)
			}
		}
		changes, err := st.Changes(ctx, store.AuditQuery{Site: &site}, store.Page{Descending: true, Limit: 1})
		if err != nil || len(changes) != 1 || changes[0].Action != model.Erased || changes[0].After != `{"erasedSessions":2}` {
			t.Errorf("the audit log has %+v: %v", changes, err)
		}
		if got, err := st.Assignee(ctx, site, "ben", aDay); err != nil || len(got.Kept) != 1 {
			t.Errorf("ben has %+v: %v", got, err)
		}
		// What is sent again does not come back, but who is given a variant again has seen it again.
		written, err := st.Write(ctx, site, []model.Message{own, exposed})
		if err != nil || written.Duplicates != 1 {
			t.Errorf("%+v: %v", written, err)
		}
		for range 2 {
			if erased, err := st.EraseVisitor(ctx, site, "nobody"); erased != 0 || err != nil {
				t.Errorf("%d sessions of nobody: %v", erased, err)
			}
		}
		_, err = st.EraseVisitor(ctx, 999, "ben")
		mustBe(t, err, model.NotFound, "")
		if erased, err := st.EraseVisitor(ctx, site, "a\x00b\xff"); erased != 0 || err != nil {
			t.Errorf("%d sessions of what is no text: %v", erased, err)
		}
	})
}

// tablesQuery lists the tables.
func tablesQuery(st *store.Store) string {
	if isPostgreSQL(st) {
		return "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
	}
	return "SELECT name FROM sqlite_master WHERE type = 'table'"
}

// endAfter ends a context after some transactions that erase.
type endAfter struct {
	end          func()
	transactions int
}

func (*endAfter) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (e *endAfter) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	if strings.HasPrefix(event.Query, "UPDATE partitions") {
		if e.transactions--; e.transactions < 0 {
			e.end()
		}
	}
}

// An erasure that ends half-way goes on later, with what has come since.
func TestErasureIsResumed(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "a.example").ID
		var messages []model.Message
		for i := range 3 * store.MaxErased {
			messages = append(messages, pageOf(fmt.Sprint(i), aDay+model.Millis(i), fmt.Sprint("k", i)))
		}
		other := model.Message{AnonymousID: "other", Hit: model.Hit{ID: model.MessageIDOf("o"), At: aDay, Kind: model.Event, Name: "buy"}}
		mustWriteAll(t, st, site, append(messages, other)...)
		ctx, end := context.WithCancel(t.Context())
		erased, err := st.WithHook(&endAfter{end, 1}).EraseVisitor(ctx, site, "constant")
		if err == nil || erased != store.MaxErased {
			t.Fatalf("%d sessions are erased: %v", erased, err)
		}
		mustWriteAll(t, st, site, pageOf("late", aDay+5000, ""))
		now := model.MillisOf(time.Now())
		if n, err := st.ResumeErasures(t.Context(), now-1_000_000); n != 0 || err != nil {
			t.Errorf("%d are resumed that may be under way: %v", n, err)
		}
		if n, err := st.ResumeErasures(t.Context(), now+1_000_000); n != 1 || err != nil {
			t.Errorf("%d are resumed: %v", n, err)
		}
		modeltest.EqualSessions(t, modeltest.Stored(t, st, site), modeltest.Sessions([]model.Message{other}))
		mustHaveHits(t, st, site, []model.Message{other})
		if n, err := st.ResumeErasures(t.Context(), now+1_000_000); n != 0 || err != nil {
			t.Errorf("%d are resumed again: %v", n, err)
		}
	})
}

// Those who write meanwhile lose nothing of others, and no half of what is erased stays.
func TestEraseWhileItIsWritten(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "a.example").ID
		messages := modeltest.Population(newRand(7), 20_000*aDay, 400)
		var running sync.WaitGroup
		for n := range 4 {
			running.Go(func() {
				for i := n; i < len(messages); i += 4 {
					if _, err := st.Write(context.Background(), site, messages[i:i+1]); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 6 {
			if _, err := st.EraseVisitor(t.Context(), site, "d1"); err != nil {
				t.Error(err)
			}
		}
		running.Wait()
		if _, err := st.EraseVisitor(t.Context(), site, "d1"); err != nil {
			t.Error(err)
		}
		// Of d1 every message is gone, and of the others none, but for those of users whom d1 was the last device of.
		want := modeltest.Sessions(modeltest.Without(messages, "d1"))
		isUsers := func(s *model.Session) bool { return strings.HasPrefix(s.VisitorKey, "u") }
		got := modeltest.Stored(t, st, site)
		for i := range got {
			if got[i].VisitorKey == "d1" {
				t.Errorf("left: %+v", got[i])
			}
		}
		if len(got) == 0 || isUsers(&got[0]) && isUsers(&want[0]) {
			t.Errorf("%d sessions are left", len(got))
		}
	})
}

// Sessions go when they ended longer ago than the site keeps them, and what happened before does not come back.
func TestRetention(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, url string) {
		const from = 20_000 * aDay
		now := model.Millis(from + 10*aDay)
		st, err := store.Open(t.Context(), url, store.Options{Now: func() time.Time { return now.Time() }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		if _, err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		st = st.WithHook(siteGuard{t})
		ctx := t.Context()
		for seed := range uint64(6) {
			now = from + 10*aDay
			site := mustCreateSite(t, st, fmt.Sprintf("s%d.example", seed)).ID
			messages := modeltest.Population(newRand(seed), from, 300)
			mustWriteAll(t, st, site, messages...)
			all := modeltest.Sessions(messages)
			if n, err := st.EraseExpired(ctx, site); n != 0 || err != nil {
				t.Errorf("%d sessions are erased that are kept for good: %v", n, err)
			}
			days := 9
			if _, err := st.UpdateSite(ctx, site, func(s *model.Site) error { s.RetentionDays = &days; return nil }); err != nil {
				t.Fatal(err)
			}
			// As time passes, more of them are too old.
			for len(all) > 0 {
				since := now - model.Millis(days)*aDay
				var want []model.Session
				for _, session := range all {
					if session.End >= since {
						want = append(want, session)
					}
				}
				n, err := st.EraseExpired(ctx, site)
				if err != nil || n != len(all)-len(want) {
					t.Errorf("seed %d: %d sessions are erased, want %d: %v", seed, n, len(all)-len(want), err)
				}
				modeltest.EqualSessions(t, modeltest.Stored(t, st, site), want)
				if all = want; len(all) == 0 {
					break
				}
				old := model.Message{AnonymousID: "d1", Hit: model.Hit{ID: model.MessageIDOf("old"), At: since - 1, Kind: model.PageView, Name: "/"}}
				if written, err := st.Write(ctx, site, []model.Message{old}); err != nil || written.Expired != 1 || written.Duplicates != 0 {
					t.Errorf("what is too old: %+v, %v", written, err)
				}
				now += aDay * 3 / 4
			}
			// Two more days, and the days themselves are gone.
			now += 2*aDay + 1
			if _, err := st.EraseExpired(ctx, site); err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{"partitions", "sessions", "hits", "assignments", "events", "visitors"} {
				if left := query(t, st, fmt.Sprintf("SELECT * FROM %s WHERE site_id = %d", table, site)); len(left) > 0 {
					t.Errorf("seed %d: %d %s are left: %s", seed, len(left), table, left[0])
				}
			}
		}
	})
}

// What visitors were given is kept for the last run of experiments that are neither deleted nor archived.
func TestPruneAssignments(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "a.example").ID
		running := mustCreateAssigned(t, st, site, "running", func(*model.Experiment) {})
		deleted := mustCreateAssigned(t, st, site, "deleted", func(*model.Experiment) {})
		archived := mustCreateAssigned(t, st, site, "archived", func(*model.Experiment) {})
		if _, err := startRun(t, st, running.ID); err != nil {
			t.Fatal(err)
		}
		var kept []store.KeptAssignment
		for i := range 5 {
			for _, of := range []store.KeptAssignment{{Experiment: running.ID, Run: 1000}, {Experiment: running.ID, Run: 7}, {Experiment: deleted.ID}, {Experiment: archived.ID}} {
				of.Visitor, of.Variant = fmt.Sprint("v", i), "a"
				kept = append(kept, of)
			}
		}
		if err := st.KeepAssignments(ctx, site, kept); err != nil {
			t.Fatal(err)
		}
		if err := st.DeleteExperiment(ctx, deleted.ID, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := st.UpdateExperiment(ctx, archived.ID, func(e *model.Experiment) error { e.Status = model.Archived; return nil }); err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, want := range []int{6, 6, 3, 0} {
			n, err := st.PruneAssignments(ctx, site, 6)
			if total += n; n != want || err != nil {
				t.Errorf("%d are pruned, want %d: %v", n, want, err)
			}
		}
		left := query(t, st, "SELECT DISTINCT experiment_id, run, COUNT(*) FROM kept_assignments GROUP BY experiment_id, run")
		if want := fmt.Sprintf("%d | 1000 | 5", running.ID); len(left) != 1 || left[0] != want {
			t.Errorf("%q are left, want %s", left, want)
		}
	})
}
