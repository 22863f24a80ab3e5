package app

import (
	"cmp"
	"context"
	"fmt"

	"github.com/goalgraph/goalgraph/model"
)

// firstUser is the name of the user that a new database begins with.
const firstUser = "admin"

// begin tells on the terminal how to get into a database that nobody can get into yet: there are no keys, and no user has a
// password or logs in elsewhere.
func (a *App) begin(ctx context.Context) error {
	if a.options.Auth != AuthKeys || a.options.Terminal == nil {
		return nil
	}
	keys, err := a.store.Keys(ctx)
	if err != nil || len(keys) > 0 {
		return err
	}
	users, err := a.store.Users(ctx)
	if err != nil {
		return err
	}
	for _, user := range users {
		if user.Name != firstUser || user.Password != "" || user.Subject != "" || user.DisabledAt != 0 {
			return nil
		}
	}
	if a.options.OIDCOnly {
		_, err = fmt.Fprintf(a.options.Terminal, "There are no users yet. Log in at %s/auth/login.\n", cmp.Or(a.options.PublicURL, a.url()))
		return err
	}
	if len(users) == 0 {
		user := model.User{Name: firstUser, Roles: []model.SiteRole{{Site: model.AllSites, Role: model.Admin}}}
		if err := a.store.CreateUser(ctx, &user); model.CodeOf(err) == model.Conflict {
			return nil // another server has begun, and says so
		} else if err != nil {
			return err
		}
		users = append(users, user)
	}
	link, err := a.logins.NewLink(ctx, users[0].ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.options.Terminal, `There are no users and no keys yet. Open this link, which works once and for a day, to set the password of %q:

  %s

Then log in at %s/auth/login. To let pages send events, run:

  goalgraph key create --scope write --site shop.example "Web shop"
`, firstUser, link, cmp.Or(a.options.PublicURL, a.url()))
	return err
}
