package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

func TestUsers(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := mustCreateSite(t, st, "shop.example")
		ann := &model.User{Name: " Ann ", Roles: []model.SiteRole{{Site: model.AllSites, Role: model.Viewer}, {Site: site.ID, Role: model.Admin}}}
		if err := st.CreateUser(ctx, ann); err != nil {
			t.Fatal(err)
		}
		found, err := st.UserByName(ctx, "  aNN")
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "the user by name", found, ann)
		principal := found.Principal()
		if !principal.May(model.AdminScope, site.ID) || !principal.May(model.ReadScope, 999) || principal.May(model.EditScope, 999) || principal.May(model.EditScope, model.AllSites) {
			t.Errorf("the principal is %+v", principal)
		}

		mustBe(t, st.CreateUser(ctx, &model.User{Name: "ANN"}), model.Conflict, "name")
		mustBe(t, st.CreateUser(ctx, &model.User{Name: ""}), model.BadInput, "name")
		mustBe(t, st.CreateUser(ctx, &model.User{Name: "b", Roles: []model.SiteRole{{Site: 0, Role: "OWNER"}}}), model.BadInput, "roles")
		mustBe(t, st.CreateUser(ctx, &model.User{Name: "b", Roles: []model.SiteRole{{Site: 1, Role: model.Viewer}, {Site: 1, Role: model.Admin}}}), model.BadInput, "roles")
		mustBe(t, st.CreateUser(ctx, &model.User{Name: "b", Roles: []model.SiteRole{{Site: 999, Role: model.Viewer}}}), model.NotFound, "roles[0].site")
		_, err = st.UserByName(ctx, "b\x00")
		mustBe(t, err, model.NotFound, "")
		_, err = st.UserBySubject(ctx, "")
		mustBe(t, err, model.NotFound, "")

		bob := &model.User{Name: "Bob", Subject: "https://id.example 7"}
		if err := st.CreateUser(ctx, bob); err != nil {
			t.Fatal(err)
		}
		if found, err = st.UserBySubject(ctx, bob.Subject); err != nil || found.ID != bob.ID {
			t.Errorf("%+v, %v", found, err)
		}
		users, err := st.Users(ctx)
		if err != nil || len(users) != 2 || users[0].ID != ann.ID || len(users[0].Roles) != 2 || len(users[1].Roles) != 0 {
			t.Errorf("%+v, %v", users, err)
		}

		epoch := mustEpoch(t, st)
		changed, err := st.UpdateUser(ctx, ann.ID, func(u *model.User) error {
			u.Roles = []model.SiteRole{{Site: site.ID, Role: model.Editor}}
			return nil
		})
		if err != nil || mustEpoch(t, st) == epoch || !changed.Principal().May(model.EditScope, site.ID) || changed.Principal().MaySomewhere(model.AdminScope) {
			t.Errorf("%+v, %v", changed, err)
		}
		_, err = st.UpdateUser(ctx, ann.ID, func(*model.User) error { return model.Invalid("name", "no") })
		mustBe(t, err, model.BadInput, "name")

		// A site takes the roles on it along.
		if err := st.DeleteSite(ctx, site.ID, nil); err != nil {
			t.Fatal(err)
		}
		if found, err = st.User(ctx, ann.ID); err != nil || len(found.Roles) != 0 {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

func TestPasswordLinksAndLogins(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		ann := &model.User{Name: "Ann"}
		if err := st.CreateUser(ctx, ann); err != nil {
			t.Fatal(err)
		}
		const far = model.Millis(1 << 45)
		mustBe(t, st.CreatePasswordLink(ctx, 999, "h0", far), model.NotFound, "")
		for hash, expires := range map[string]model.Millis{"old": 1, "first": far} {
			if err := st.CreatePasswordLink(ctx, ann.ID, hash, expires); err != nil {
				t.Fatal(err)
			}
		}
		if err := st.CreatePasswordLink(ctx, ann.ID, "second", far); err != nil {
			t.Fatal(err)
		}
		for _, gone := range []string{"old", "first", "unknown"} {
			_, err := st.UsePasswordLink(ctx, gone, "x")
			mustBe(t, err, model.NotFound, "")
		}
		if user, err := st.PasswordLink(ctx, "second"); err != nil || user.ID != ann.ID {
			t.Errorf("%+v, %v", user, err)
		}
		if user, err := st.UsePasswordLink(ctx, "second", "$argon2id$1"); err != nil || user.Password != "$argon2id$1" {
			t.Errorf("%+v, %v", user, err)
		}
		_, err := st.UsePasswordLink(ctx, "second", "y")
		mustBe(t, err, model.NotFound, "")

		// A new link takes the place of the password as well.
		if id, password, err := st.Password(ctx, " ANN "); err != nil || id != ann.ID || password != "$argon2id$1" {
			t.Errorf("%d, %q, %v", id, password, err)
		}
		for _, name := range []string{"Bob", "b\x00"} {
			_, _, err = st.Password(ctx, name)
			mustBe(t, err, model.NotFound, "")
		}
		create := func(hash string, user int64, password string, expires model.Millis) error {
			return st.CreateLogin(ctx, &store.Login{Hash: hash, UserID: user, Data: []byte(hash), Address: "192.0.2.1", UserAgent: "Firefox", ExpiresAt: expires}, password)
		}
		save := func(hash string, user int64, expires model.Millis) {
			t.Helper()
			if err := create(hash, user, "$argon2id$1", expires); err != nil {
				t.Fatal(err)
			}
		}
		save("0", ann.ID, far)
		if err := st.CreatePasswordLink(ctx, ann.ID, "again", far); err != nil {
			t.Fatal(err)
		}
		_, err = st.Login(ctx, "0")
		mustBe(t, err, model.NotFound, "")
		mustBe(t, create("0", ann.ID, "$argon2id$1", far), model.Unauthenticated, "")
		if _, err := st.UsePasswordLink(ctx, "again", "$argon2id$1"); err != nil {
			t.Fatal(err)
		}

		save("a", ann.ID, far)
		save("b", ann.ID, far)
		save("c", 0, 1) // has expired
		if err := st.UpdateLogin(ctx, "b", []byte("B")); err != nil {
			t.Error(err)
		}
		begun, err := st.Login(ctx, "b")
		if err != nil {
			t.Fatal(err)
		}
		seen := begun.CreatedAt + 60_000
		for _, lifetime := range []time.Duration{2 * time.Hour, time.Hour} {
			if err := st.TouchLogin(ctx, "b", seen, time.Hour, lifetime); err != nil {
				t.Error(err)
			}
			touched, err := st.Login(ctx, "b")
			if want := min(seen+3_600_000, begun.CreatedAt+model.Millis(lifetime.Milliseconds())); err != nil || touched.ExpiresAt != want || touched.SeenAt != seen {
				t.Errorf("%+v, %v, not until %d", touched, err, want)
			}
		}
		mustBe(t, st.TouchLogin(ctx, "c", seen, time.Hour, time.Hour), model.NotFound, "")
		mustBe(t, st.UpdateLogin(ctx, "unknown", nil), model.NotFound, "")
		hashes := func() []string {
			t.Helper()
			logins, err := st.Logins(ctx, ann.ID)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, login := range logins {
				all = append(all, login.Hash)
			}
			slices.Sort(all)
			return all
		}
		mustEqual(t, "the logins", hashes(), []string{"a", "b"})
		if login, err := st.Login(ctx, "b"); err != nil || string(login.Data) != "B" || login.CreatedAt == 0 {
			t.Errorf("%+v, %v", login, err)
		}
		_, err = st.Login(ctx, "c")
		mustBe(t, err, model.NotFound, "")
		if err := st.PruneLogins(ctx); err != nil {
			t.Fatal(err)
		}

		epoch := mustEpoch(t, st)
		if err := st.EndLoginsOf(ctx, ann.ID, "b"); err != nil || mustEpoch(t, st) == epoch {
			t.Error(err)
		}
		mustEqual(t, "the logins but for others", hashes(), []string{"b"})
		if err := st.EndLogin(ctx, "b"); err != nil {
			t.Error(err)
		}
		mustEqual(t, "the logins", hashes(), []string(nil))
		mustBe(t, st.TouchLogin(ctx, "b", seen, time.Hour, time.Hour), model.NotFound, "")
		// What ends nothing tells nobody.
		epoch = mustEpoch(t, st)
		if err := st.EndLogin(ctx, "b"); err != nil || mustEpoch(t, st) != epoch {
			t.Error(err)
		}

		if err := st.CreatePasswordLink(ctx, ann.ID, "third", far); err != nil {
			t.Fatal(err)
		}
		if err := create("d", ann.ID, "", far); err != nil {
			t.Fatal(err)
		}
		disabled, err := st.UpdateUser(ctx, ann.ID, func(u *model.User) error {
			u.DisabledAt = 5
			return nil
		})
		if err != nil || disabled.Principal().MaySomewhere(model.ReadScope) {
			t.Errorf("%+v, %v", disabled, err)
		}
		mustEqual(t, "the logins of a disabled user", hashes(), []string(nil))
		_, err = st.UsePasswordLink(ctx, "third", "z")
		mustBe(t, err, model.NotFound, "")
		mustBe(t, st.CreatePasswordLink(ctx, ann.ID, "fourth", far), model.FailedPrecondition, "")
		mustBe(t, create("e", ann.ID, "", far), model.Unauthenticated, "")

		bob := &model.User{Name: "Bob", Subject: "https://id.example 7"}
		if err := st.CreateUser(ctx, bob); err != nil {
			t.Fatal(err)
		}
		mustBe(t, st.CreatePasswordLink(ctx, bob.ID, "fifth", far), model.FailedPrecondition, "")
	})
}
