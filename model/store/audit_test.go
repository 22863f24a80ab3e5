package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Every change of a definition, a key or a user is told with who did it, and what was before and after.
func TestAudit(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := model.WithActor(t.Context(), model.Actor{Principal: &model.Principal{Kind: model.UserPrincipal, ID: 7, Name: "Ann"}, Address: "192.0.2.17"})
		site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
		segment := &model.Segment{Name: "Some", Filters: []model.FilterSpec{}}
		goal := &model.Goal{Key: "buy", Name: "Buy", Filters: []model.FilterSpec{}}
		e := &model.Experiment{Key: "price", Name: "Price", Variants: []model.Variant{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}}}
		key := model.Key{Name: "k", Scope: model.ReadScope}
		user := &model.User{Name: "Bob"}
		converted := new(model.Goal)
		var back *model.Segment
		steps := []struct {
			does string
			do   func() error
		}{
			{"CREATED SITE Shop", func() error { return st.CreateSite(ctx, site) }},
			{"UPDATED SITE Shop", func() error {
				_, err := st.UpdateSite(ctx, site.ID, func(s *model.Site) error { s.Addresses = model.TruncatedAddress; return nil })
				return err
			}},
			{"CREATED SEGMENT Some", func() error { segment.SiteID = site.ID; return st.CreateSegment(ctx, segment) }},
			{"UPDATED SEGMENT Some more", func() error {
				_, err := st.UpdateSegment(ctx, segment.ID, func(s *model.Segment) error { s.Name = "Some more"; return nil })
				return err
			}},
			{"", func() error { // says nothing new
				_, err := st.UpdateSegment(ctx, segment.ID, func(*model.Segment) error { return nil })
				return err
			}},
			{"CONVERTED SEGMENT Some more", func() error { return st.ConvertSegmentToGoal(ctx, segment.ID, converted, nil) }},
			{"CONVERTED GOAL Some more", func() (err error) { back, err = st.ConvertGoalToSegment(ctx, converted.ID, nil); return err }},
			{"DELETED SEGMENT Some more", func() error { return st.DeleteSegment(ctx, back.ID, nil) }},
			{"CREATED GOAL Buy", func() error { goal.SiteID = site.ID; return st.CreateGoal(ctx, goal) }},
			{"ARCHIVED GOAL Buy", func() error {
				_, err := st.UpdateGoal(ctx, goal.ID, func(g *model.Goal) error { g.Archived = true; return nil })
				return err
			}},
			{"UNARCHIVED GOAL Buy", func() error {
				_, err := st.UpdateGoal(ctx, goal.ID, func(g *model.Goal) error { g.Archived = false; return nil })
				return err
			}},
			{"CREATED EXPERIMENT Price", func() error { e.SiteID, e.Primary = site.ID, goal.ID; return st.CreateExperiment(ctx, e) }},
			{"STARTED EXPERIMENT Price", func() error {
				_, err := st.UpdateExperiment(ctx, e.ID, func(e *model.Experiment) error { return e.Start(1000, 0, 2000) })
				return err
			}},
			{"STOPPED EXPERIMENT Price", func() error {
				_, err := st.UpdateExperiment(ctx, e.ID, func(e *model.Experiment) error { return e.Stop("b", 2000, 3000) })
				return err
			}},
			{"", func() error {
				_, err := st.UpdateExperiment(ctx, e.ID, func(*model.Experiment) error { return errRefused })
				if !errors.Is(err, errRefused) {
					return fmt.Errorf("a refused change: %w", err)
				}
				return nil
			}},
			{"ARCHIVED EXPERIMENT Price", func() error { _, err := st.UpdateExperiment(ctx, e.ID, (*model.Experiment).Archive); return err }},
			{"DELETED EXPERIMENT Price", func() error { return st.DeleteExperiment(ctx, e.ID, nil) }},
			{"DELETED GOAL Buy", func() error { return st.DeleteGoal(ctx, goal.ID, nil) }},
			{"CREATED KEY k", func() error { key.Sites = []int64{site.ID}; key.NewSecret(); return st.CreateKey(ctx, &key) }},
			{"REVOKED KEY k", func() error {
				_, err := st.RevokeKey(ctx, key.ID, func(*model.Key) error { return nil })
				return err
			}},
			{"CREATED USER Bob", func() error { return st.CreateUser(ctx, user) }},
			{"DISABLED USER Bob", func() error {
				_, err := st.UpdateUser(ctx, user.ID, func(u *model.User) error { u.DisabledAt = 1; return nil })
				return err
			}},
			{"ENABLED USER Bob", func() error {
				_, err := st.UpdateUser(ctx, user.ID, func(u *model.User) error { u.DisabledAt = 0; return nil })
				return err
			}},
			{"RESET USER Bob", func() error {
				_, err := st.UpdateUser(ctx, user.ID, func(u *model.User) error { u.Password = "hash"; return nil })
				return err
			}},
			{"DELETED SITE Shop", func() error { return st.DeleteSite(ctx, site.ID, nil) }},
		}
		var want []string
		for _, step := range steps {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.does, err)
			}
			if step.does != "" {
				want = append(want, step.does)
			}
		}
		changes, err := st.Changes(ctx, store.AuditQuery{}, store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			got = append(got, fmt.Sprintf("%s %s %s", c.Action, c.Kind, c.Name))
			if c.ActorKind != model.UserPrincipal || c.ActorID != 7 || c.ActorName != "Ann" || c.At == 0 {
				t.Errorf("%+v", c)
			}
			if (c.Before == "") != (c.Action == model.Created) || (c.After == "") != (c.Action == model.Deleted) {
				t.Errorf("%s %s: before %q, after %q", c.Action, c.Kind, c.Before, c.After)
			}
			for _, document := range []string{c.Before, c.After} {
				if document != "" && !json.Valid([]byte(document)) {
					t.Errorf("%s %s has the document %s", c.Action, c.Kind, document)
				}
			}
		}
		want = append(want, "DELETED KEY k") // with its only site
		mustEqual(t, "the audit log", got, want)
		mustEqual(t, "the address of a site that keeps it whole", changes[0].Address, "192.0.2.17")
		mustEqual(t, "the address of a site that does not", changes[2].Address, "192.0.2.0")
		mustEqual(t, "the address of what is of no site", changes[len(changes)-3].Address, "192.0.2.17")

		newest, err := st.Changes(ctx, store.AuditQuery{Site: &site.ID, Kind: model.ExperimentObject, Object: e.ID}, store.Page{Descending: true, Limit: 2})
		if err != nil || len(newest) != 2 || newest[0].Action != model.Deleted || newest[1].Action != model.Shelved {
			t.Errorf("%+v, %v", newest, err)
		}
		older, err := st.Changes(ctx, store.AuditQuery{Kind: model.ExperimentObject, Object: e.ID}, store.Page{Descending: true, Limit: 9, After: store.Place{ID: newest[1].ID}})
		if err != nil || len(older) != 3 || older[2].Action != model.Created {
			t.Errorf("%+v, %v", older, err)
		}
		if n, err := st.CountChanges(ctx, store.AuditQuery{Site: &site.ID}); err != nil || n != len(want)-4 {
			t.Errorf("%d changes of the site, %v", n, err)
		}
		if later, err := st.Changes(ctx, store.AuditQuery{Since: 1 << 50}, store.Page{}); err != nil || len(later) != 0 {
			t.Errorf("%+v, %v", later, err)
		}
	})
}

var errRefused = errors.New("refused")

func TestCertificates(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		_, err := st.Certificate(t.Context(), "shop.example")
		mustBe(t, err, model.NotFound, "")
		for _, data := range []string{"one", "two"} {
			if err := st.SaveCertificate(t.Context(), "shop.example", []byte(data)); err != nil {
				t.Fatal(err)
			}
			if found, err := st.Certificate(t.Context(), "shop.example"); err != nil || string(found) != data {
				t.Errorf("%q, %v", found, err)
			}
		}
		for range 2 {
			if err := st.DeleteCertificate(t.Context(), "shop.example"); err != nil {
				t.Fatal(err)
			}
		}
	})
}
