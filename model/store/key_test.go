package store_test

import (
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

func TestKeys(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := model.WithActor(t.Context(), model.Actor{Principal: &model.Principal{Kind: model.CommandPrincipal, Name: "ann"}})
		site, other := mustCreateSite(t, st, "shop.example"), mustCreateSite(t, st, "other.example")
		secrets := map[string]string{}
		for _, scope := range model.Scopes {
			key := model.Key{Name: " the " + string(scope) + " key ", Scope: scope, Sites: []int64{other.ID, site.ID, site.ID}}
			if scope == model.AdminScope {
				key.AllSites, key.Sites = true, nil
			}
			if scope == model.WriteScope {
				key.Sites, key.Origins = []int64{site.ID}, []string{"HTTPS://Shop.example:443/", "http://localhost:3000", "https://shop.example"}
			}
			secret := key.NewSecret()
			if err := st.CreateKey(ctx, &key); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(secret, key.Prefix) || !model.IsSecret(secret) || secrets[secret] != "" {
				t.Errorf("the secret %q of %+v", secret, key)
			}
			secrets[secret] = key.Name
			found, err := st.KeyByHash(ctx, model.HashOf(secret))
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "the key by its secret", found, key)
			mustEqual(t, "who created it", found.CreatedBy, "ann")

			// The secret itself is nowhere.
			var rows []map[string]any
			if err := st.DB().NewSelect().Table("api_keys").Scan(ctx, &rows); err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				for column, value := range row {
					if text, ok := value.(string); ok && strings.Contains(text, secret[len(key.Prefix):]) {
						t.Errorf("column %s holds the secret", column)
					}
				}
			}
		}
		_, err := st.KeyByHash(ctx, model.HashOf("w_unknown"))
		mustBe(t, err, model.NotFound, "")

		keys, err := st.Keys(ctx)
		if err != nil || len(keys) != 4 {
			t.Fatalf("%+v, %v", keys, err)
		}
		mustEqual(t, "the origins of a write key", keys[0].Origins, []string{"https://shop.example", "http://localhost:3000"})
		mustEqual(t, "the sites of a read key", keys[1].Sites, []int64{site.ID, other.ID})

		epoch := mustEpoch(t, st)
		anyKey := func(*model.Key) error { return nil }
		revoked, err := st.RevokeKey(ctx, keys[0].ID, anyKey)
		if err != nil || revoked.RevokedAt == 0 || mustEpoch(t, st) == epoch {
			t.Errorf("%+v, %v", revoked, err)
		}
		epoch = mustEpoch(t, st)
		again, err := st.RevokeKey(ctx, keys[0].ID, anyKey)
		if err != nil || mustEpoch(t, st) != epoch {
			t.Errorf("revoked again it is %+v, %v", again, err)
		}
		mustEqual(t, "a key that is revoked again", again, revoked)
		_, err = st.RevokeKey(ctx, 999, anyKey)
		mustBe(t, err, model.NotFound, "")
		_, err = st.RevokeKey(ctx, keys[1].ID, func(*model.Key) error { return model.Errorf(model.Forbidden, "no") })
		mustBe(t, err, model.Forbidden, "")

		successor, secret, err := st.RotateKey(ctx, keys[1].ID, 60_000, anyKey)
		if err != nil || !model.IsSecret(secret) || successor.ID == keys[1].ID {
			t.Fatalf("%+v, %v", successor, err)
		}
		mustEqual(t, "the sites of the successor", successor.Sites, keys[1].Sites)
		old, err := st.Key(ctx, keys[1].ID)
		if err != nil || old.ExpiresAt == 0 || old.IsValid(old.ExpiresAt) || !old.IsValid(old.ExpiresAt-1) {
			t.Errorf("a rotated key is %+v, %v", old, err)
		}
		_, _, err = st.RotateKey(ctx, keys[0].ID, 0, anyKey)
		mustBe(t, err, model.FailedPrecondition, "")

		if err := st.TouchKeys(ctx, map[int64]model.Millis{keys[2].ID: 1_800_000_000_000, 999: 1}); err != nil {
			t.Fatal(err)
		}
		if err := st.TouchKeys(ctx, map[int64]model.Millis{keys[2].ID: 1_700_000_000_000}); err != nil {
			t.Fatal(err)
		}
		if used, err := st.Key(ctx, keys[2].ID); err != nil || used.LastUsedAt != 1_800_000_000_000 {
			t.Errorf("last used %v, %v", used.LastUsedAt, err)
		}

		for _, wrong := range []struct {
			key   model.Key
			field string
		}{
			{model.Key{Name: "n", Scope: "OWNER", AllSites: true}, "scope"},
			{model.Key{Name: " ", Scope: model.ReadScope, AllSites: true}, "name"},
			{model.Key{Name: "n", Scope: model.ReadScope}, "sites"},
			{model.Key{Name: "n", Scope: model.ReadScope, AllSites: true, Sites: []int64{site.ID}}, "sites"},
			{model.Key{Name: "n", Scope: model.ReadScope, AllSites: true, ExpiresAt: 1}, "expiresAt"},
			{model.Key{Name: "n", Scope: model.ReadScope, AllSites: true, Origins: []string{"https://a.example"}}, "origins"},
			{model.Key{Name: "n", Scope: model.WriteScope, AllSites: true, Origins: []string{"https://a.example", "*"}}, "origins[1]"},
		} {
			mustBe(t, st.CreateKey(ctx, &wrong.key), model.BadInput, wrong.field)
		}
		ofNone := model.Key{Name: "n", Scope: model.WriteScope, Sites: []int64{999}}
		ofNone.NewSecret()
		mustBe(t, st.CreateKey(ctx, &ofNone), model.NotFound, "sites[0]")

		// A key ends with the last of its sites; those of all sites stay.
		if err := st.DeleteSite(ctx, site.ID, nil); err != nil {
			t.Fatal(err)
		}
		if left, err := st.Key(ctx, successor.ID); err != nil || len(left.Sites) != 1 || left.Sites[0] != other.ID {
			t.Errorf("%+v, %v", left, err)
		}
		if err := st.DeleteSite(ctx, other.ID, nil); err != nil {
			t.Fatal(err)
		}
		if keys, err = st.Keys(ctx); err != nil || len(keys) != 1 || keys[0].Scope != model.AdminScope {
			t.Errorf("%+v, %v", keys, err)
		}
	})
}

func mustEpoch(t *testing.T, st *store.Store) int64 {
	t.Helper()
	epoch, err := st.AccessEpoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}
