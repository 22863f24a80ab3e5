package app

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/login"
)

// The server prints a link as long as no administrator can get in, and takes nobody's link away that holds.
func TestBegin(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	everywhere := []model.SiteRole{{Site: model.AllSites, Role: model.Admin}}
	for _, test := range []struct {
		name  string
		users []model.User
		keys  []model.Key
		oidc  *login.OIDC
		// link gives the last of the users a link that holds.
		link bool
		// says is what the server prints, and nothing where it is empty.
		says string
	}{
		{name: "nobody", says: `password of "admin"`},
		{name: "the first user, with a link", users: []model.User{{Name: firstUser, Roles: everywhere}}, link: true, says: `password of "admin"`},
		{name: "an administrator without a link that holds", users: []model.User{{Name: "Ada", Roles: everywhere}}, says: `password of "Ada"`},
		{name: "an administrator with a link", users: []model.User{{Name: "Ada", Roles: everywhere}}, link: true},
		{name: "an administrator with a password", users: []model.User{{Name: firstUser, Roles: everywhere}, {Name: "Ada", Roles: everywhere, Password: "hash"}}},
		{name: "a disabled administrator", users: []model.User{{Name: "Ada", Roles: everywhere, Password: "hash", DisabledAt: 1}}, says: `password of "admin"`},
		{name: "a viewer", users: []model.User{{Name: "Ada", Roles: []model.SiteRole{{Site: model.AllSites, Role: model.Viewer}}, Password: "hash"}}, says: `password of "admin"`},
		{name: "a viewer of that name", users: []model.User{{Name: "Admin", Password: "hash"}}, says: "goalgraph user create --database "},
		{name: "keys that do less", keys: []model.Key{{Scope: model.WriteScope, AllSites: true}, {Scope: model.EditScope, AllSites: true}}, says: `password of "admin"`},
		{name: "a revoked key", keys: []model.Key{{Scope: model.AdminScope, AllSites: true, RevokedAt: 1}}, says: `password of "admin"`},
		{name: "a key", keys: []model.Key{{Scope: model.AdminScope, AllSites: true}}},
		{name: "a provider that makes no administrators", oidc: &login.OIDC{}, says: `password of "admin"`},
		{name: "a provider that makes some", oidc: &login.OIDC{Roles: []login.RoleRule{{Value: "staff", Role: model.Admin}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			a := &App{options: Options{Auth: AuthKeys, Database: storetest.SQLite(t), Terminal: &said}, listener: newConnections(listener.(*net.TCPListener), 1)}
			var err error
			if a.store, err = store.Open(t.Context(), a.options.Database, store.Options{}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { a.store.Close() })
			if _, err := a.store.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if a.logins, err = newLogins(t.Context(), a.options, a.store, nil, a.url(), nil); err != nil {
				t.Fatal(err)
			}
			a.options.OIDC = test.oidc
			for _, key := range test.keys {
				key.Name = "key"
				key.NewSecret()
				if err := a.store.CreateKey(t.Context(), &key); err != nil {
					t.Fatal(err)
				}
				if key.RevokedAt != 0 {
					if _, err := a.store.RevokeKey(t.Context(), key.ID, func(*model.Key) error { return nil }); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i, user := range test.users {
				if err := a.store.CreateUser(t.Context(), &user); err != nil {
					t.Fatal(err)
				}
				if test.link && i == len(test.users)-1 {
					if _, err := a.logins.NewLink(t.Context(), user.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := a.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			if text := said.String(); (text == "") != (test.says == "") || !strings.Contains(text, test.says) {
				t.Errorf("it prints %q, want something about %q", text, test.says)
			}
		})
	}
}
