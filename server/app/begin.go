package app

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/login"
)

// firstUser is the name of the user that a new database begins with.
const firstUser = "admin"

// begin tells on the terminal how to get into a server that no administrator can get into.
func (a *App) begin(ctx context.Context) error {
	o := a.options
	if o.Auth != AuthKeys || o.Terminal == nil {
		return nil
	}
	keys, err := a.store.Keys(ctx)
	if err != nil || slices.ContainsFunc(keys, administers) {
		return err
	}
	users, err := a.store.Users(ctx)
	if err != nil {
		return err
	}
	address := cmp.Or(o.PublicURL, a.url())
	if o.OIDCOnly {
		if len(users) > 0 {
			return nil
		}
		_, err = fmt.Fprintf(o.Terminal, "There are no users yet. Log in at %s/auth/login.\n", address)
		return err
	}
	user, err := a.userToBegin(ctx, users)
	if err != nil || user == nil {
		return err
	}
	link, err := a.logins.NewLink(ctx, user.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.Terminal, `No administrator can log in yet. Open this link, which works once and for a day, to set the password of %q:

  %s

Then log in at %s/auth/login. To let pages send events, run:

  goalgraph key create%s --scope write --site shop.example "Web shop"
`, user.Name, link, address, databaseFlag(o))
	return err
}

// administers tells whether a key holds that may do everything.
func administers(key model.Key) bool {
	return key.AllSites && key.Scope == model.AdminScope && key.IsValid(model.MillisOf(time.Now()))
}

// userToBegin returns the administrator whose password a link is to set, whom it makes if there is none; nil if an
// administrator can log in, or has a link that holds. The link of the first user is on the terminal alone, so that one is
// made again.
func (a *App) userToBegin(ctx context.Context, users []model.User) (*model.User, error) {
	if o := a.options.OIDC; o != nil && slices.ContainsFunc(o.Roles, makesAdministrators) {
		return nil, nil
	}
	var without *model.User
	for i := range users {
		user := &users[i]
		if user.DisabledAt != 0 || !slices.Contains(user.Roles, model.SiteRole{Site: model.AllSites, Role: model.Admin}) {
			continue
		}
		hasLink, err := a.store.HasPasswordLink(ctx, user.ID)
		switch {
		case err != nil:
			return nil, err
		case user.Password != "", user.Subject != "" && a.options.OIDC != nil, hasLink && user.Login() != firstUser:
			return nil, nil
		case user.Subject == "" && without == nil:
			without = user
		}
	}
	if without != nil {
		return without, nil
	}
	user := &model.User{Name: firstUser, Roles: []model.SiteRole{{Site: model.AllSites, Role: model.Admin}}}
	err := a.store.CreateUser(ctx, user)
	if model.CodeOf(err) != model.Conflict {
		return user, err
	}
	if slices.ContainsFunc(users, func(u model.User) bool { return u.Login() == firstUser }) {
		_, err = fmt.Fprintf(a.options.Terminal, "No administrator can log in. To make one, run:\n\n  goalgraph user create%s --role admin --public-url %s NAME\n",
			databaseFlag(a.options), cmp.Or(a.options.PublicURL, a.url()))
		return nil, err
	}
	return nil, nil // another server has begun, and says so
}

// makesAdministrators tells whether a rule makes administrators of all sites.
func makesAdministrators(rule login.RoleRule) bool {
	return rule.Role == model.Admin && rule.Domain == ""
}

// plain is what a shell takes as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// databaseFlag is what a command of this server's database needs; empty for the default. It has no passwords.
func databaseFlag(o Options) string {
	if o.Database == DefaultDatabase {
		return ""
	}
	address := store.Redacted(o.Database)
	if !plain.MatchString(address) {
		address = "'" + strings.ReplaceAll(address, "'", `'\''`) + "'"
	}
	return " --database " + address
}
