package store_test

import (
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

func TestKeys(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		secrets := map[string]string{}
		for _, scope := range []model.KeyScope{model.WriteScope, model.ReadScope, model.AdminScope} {
			key, secret, err := model.NewKey(" the "+string(scope)+" key ", scope)
			if err != nil {
				t.Fatal(err)
			}
			if key.SiteID = site.ID; scope == model.AdminScope {
				key.SiteID = 0
			}
			if err := st.CreateKey(t.Context(), &key); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(secret, key.Prefix) || len(secret) < 26 || secrets[secret] != "" {
				t.Errorf("the secret %q of %+v", secret, key)
			}
			secrets[secret] = key.Name
			found, err := st.KeyByHash(t.Context(), model.HashOf(secret))
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "the key by its secret", found, key)

			// The secret itself is nowhere.
			var rows []map[string]any
			if err := st.DB().NewSelect().Table("api_keys").Scan(t.Context(), &rows); err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				for column, value := range row {
					if text, ok := value.(string); ok && strings.Contains(text, secret[keptOfSecret:]) {
						t.Errorf("column %s holds the secret", column)
					}
				}
			}
		}
		_, err := st.KeyByHash(t.Context(), model.HashOf("w_unknown"))
		mustBe(t, err, model.NotFound, "")

		keys, err := st.Keys(t.Context())
		if err != nil || len(keys) != 3 || keys[0].Name != "the WRITE key" || keys[0].RevokedAt != 0 || keys[2].SiteID != 0 {
			t.Fatalf("%+v, %v", keys, err)
		}
		revoked, err := st.RevokeKey(t.Context(), keys[0].ID)
		if err != nil || revoked.RevokedAt == 0 {
			t.Errorf("%+v, %v", revoked, err)
		}
		again, err := st.RevokeKey(t.Context(), keys[0].ID)
		if err != nil || again != revoked {
			t.Errorf("revoked again it is %+v, %v", again, err)
		}
		_, err = st.RevokeKey(t.Context(), 999)
		mustBe(t, err, model.NotFound, "")

		for scope, name := range map[model.KeyScope]string{"OWNER": "n", model.WriteScope: " "} {
			if _, _, err := model.NewKey(name, scope); model.CodeOf(err) != model.BadInput {
				t.Errorf("a key %q of %s: %v", name, scope, err)
			}
		}
		ofNone := model.Key{Name: "n", Scope: model.WriteScope}
		mustBe(t, st.CreateKey(t.Context(), &ofNone), model.BadInput, "site")
		ofNone.SiteID = 999
		mustBe(t, st.CreateKey(t.Context(), &ofNone), model.NotFound, "")

		// A site's keys end with it; those of all sites stay.
		if err := st.DeleteSite(t.Context(), site.ID); err != nil {
			t.Fatal(err)
		}
		if keys, err = st.Keys(t.Context()); err != nil || len(keys) != 1 || keys[0].Scope != model.AdminScope {
			t.Errorf("%+v, %v", keys, err)
		}
	})
}

// keptOfSecret is how much of a secret people are shown later.
const keptOfSecret = 8
