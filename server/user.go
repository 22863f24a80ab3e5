package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/app"
	"github.com/goalgraph/goalgraph/server/login"
)

// loginFlags are the flags of serve about people.
type loginFlags struct {
	LoginIdle        lifetime `env:"GOALGRAPH_LOGIN_IDLE" default:"24h" placeholder:"TIME" help:"How long a login lasts that is not used, like 90m, 24h or 7d. Default: ${default}."`
	LoginLifetime    lifetime `env:"GOALGRAPH_LOGIN_LIFETIME" default:"30d" placeholder:"TIME" help:"How long a login lasts at most. Default: ${default}."`
	OIDCIssuer       string   `name:"oidc-issuer" env:"GOALGRAPH_OIDC_ISSUER" placeholder:"URL" help:"An OpenID provider that people log in at. Register PUBLIC-URL/auth/oidc/callback there as the redirect URI. Default: none."`
	OIDCClientID     string   `name:"oidc-client-id" env:"GOALGRAPH_OIDC_CLIENT_ID" placeholder:"ID" help:"What the provider calls this server."`
	OIDCClientSecret string   `name:"oidc-client-secret" env:"GOALGRAPH_OIDC_CLIENT_SECRET" placeholder:"SECRET" help:"The secret that the provider gave. The environment variable keeps it out of the list of processes."`
	OIDCScopes       []string `name:"oidc-scopes" env:"GOALGRAPH_OIDC_SCOPES" placeholder:"SCOPE" help:"What to ask the provider for beside openid, profile and email, separated by commas, for example groups. Default: none."`
	OIDCRoleClaim    string   `name:"oidc-role-claim" env:"GOALGRAPH_OIDC_ROLE_CLAIM" placeholder:"CLAIM" help:"The claim with a user's groups or roles, for example groups or realm_access.roles. Default: none; administrators give roles."`
	OIDCRoles        []string `name:"oidc-roles" env:"GOALGRAPH_OIDC_ROLES" placeholder:"VALUE=ROLE" help:"Which values of the claim give which role, separated by commas: staff=VIEWER on every site, shop-team=EDITOR@shop.example on one. * is any user."`
	OIDCOnly         bool     `name:"oidc-only" env:"GOALGRAPH_OIDC_ONLY" help:"Switch passwords off: people log in at the provider alone."`
}

// apply puts the flags into the options.
func (f loginFlags) apply(o *app.Options) error {
	o.LoginIdle, o.LoginLifetime, o.OIDCOnly = time.Duration(f.LoginIdle), time.Duration(f.LoginLifetime), f.OIDCOnly
	if f.OIDCIssuer == "" {
		if f.OIDCClientID != "" || f.OIDCRoleClaim != "" || len(f.OIDCRoles) > 0 {
			return model.Invalid("--oidc-issuer", "is missing; the other flags about the OpenID provider need it")
		}
		return nil
	}
	o.OIDC = &login.OIDC{Issuer: f.OIDCIssuer, ClientID: f.OIDCClientID, ClientSecret: f.OIDCClientSecret, Scopes: f.OIDCScopes, RoleClaim: f.OIDCRoleClaim}
	for _, text := range f.OIDCRoles {
		rule, err := login.ParseRoleRule(text)
		if err != nil {
			return err
		}
		o.OIDC.Roles = append(o.OIDC.Roles, rule)
	}
	return nil
}

type userCommand struct {
	Create  userCreate  `cmd:"" help:"Create a user and print a link by which it sets its password, once."`
	List    userList    `cmd:"" help:"List the users."`
	Roles   userRoles   `cmd:"" help:"Change what a user may do."`
	Reset   userReset   `cmd:"" help:"Take a user's password away, log it out, and print a link by which it sets another."`
	Disable userDisable `cmd:"" help:"Keep a user out, and log it out everywhere."`
	Enable  userEnable  `cmd:"" help:"Let a user in again."`
}

// linkFlags say how a link begins.
type linkFlags struct {
	PublicURL string `name:"public-url" env:"GOALGRAPH_PUBLIC_URL" placeholder:"URL" help:"The address by which people reach the server, like https://stats.example: the link begins with it. Default: http:// and --listen."`
}

// roleFlags say what a user may do.
type roleFlags struct {
	Role string   `enum:"viewer,editor,admin" required:"" placeholder:"ROLE" help:"viewer: query. editor: also change segments, goals and experiments. admin: everything, also sites, keys and people."`
	Site []string `placeholder:"DOMAIN" help:"A domain of a site that the role is on; may be given several times. Default: every site."`
}

func (f roleFlags) role() model.Role { return model.Role(strings.ToUpper(f.Role)) }

type userCreate struct {
	linkFlags
	roleFlags
	Name string `arg:"" help:"The name that the user logs in by, for example an email address."`
}

// Run creates a user and prints a link.
func (c userCreate) Run(ctx context.Context, s streams, o app.Options) error {
	o.PublicURL = c.PublicURL
	link, err := app.CreateUser(ctx, o, c.Name, c.role(), c.Site)
	return printLink(s, link, err)
}

func printLink(s streams, link string, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintln(s.err, "The link sets the password, once, within a day. Give it to nobody but the user:")
	_, err = fmt.Fprintln(s.out, link)
	return err
}

type userReset struct {
	linkFlags
	Name string `arg:"" help:"The name of the user."`
}

// Run prints a link for another password.
func (c userReset) Run(ctx context.Context, s streams, o app.Options) error {
	o.PublicURL = c.PublicURL
	link, err := app.ResetUser(ctx, o, c.Name)
	return printLink(s, link, err)
}

type userRoles struct {
	roleFlags
	Name string `arg:"" help:"The name of the user."`
}

// Run replaces the user's roles.
func (c userRoles) Run(ctx context.Context, s streams, o app.Options) error {
	user, err := app.UpdateUser(ctx, o, c.Name, func(st *store.Store, u *model.User) (err error) {
		u.Roles, err = app.Roles(ctx, st, c.role(), c.Site)
		return err
	})
	if err == nil {
		fmt.Fprintf(s.out, "changed the roles of %s\n", user.Name)
	}
	return err
}

type userDisable struct {
	Name string `arg:"" help:"The name of the user."`
}

// Run keeps a user out.
func (c userDisable) Run(ctx context.Context, s streams, o app.Options) error {
	user, err := app.SetDisabled(ctx, o, c.Name, true)
	if err == nil {
		fmt.Fprintf(s.out, "disabled %s\n", user.Name)
	}
	return err
}

type userEnable struct {
	Name string `arg:"" help:"The name of the user."`
}

// Run lets a user in again.
func (c userEnable) Run(ctx context.Context, s streams, o app.Options) error {
	user, err := app.SetDisabled(ctx, o, c.Name, false)
	if err == nil {
		fmt.Fprintf(s.out, "enabled %s\n", user.Name)
	}
	return err
}

type userList struct{}

// Run lists the users as a table.
func (userList) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithStore(ctx, o, func(st *store.Store) error {
		users, err := st.Users(ctx)
		if err != nil {
			return err
		}
		domains, err := siteDomains(ctx, st)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tROLES\tLOGS IN BY\tCREATED\tDISABLED")
		for i := range users {
			user := &users[i]
			by := "password"
			switch {
			case user.Subject != "":
				by = "OpenID"
			case user.Password == "":
				by = "nothing yet"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", user.Name, rolesText(user, domains), by, timeText(user.CreatedAt), timeText(user.DisabledAt))
		}
		return table.Flush()
	})
}

// rolesText lists the roles of a user.
func rolesText(user *model.User, domains map[int64]string) string {
	list := make([]string, len(user.Roles))
	for i, role := range user.Roles {
		list[i] = strings.ToLower(string(role.Role))
		if role.Site != model.AllSites {
			list[i] += " of " + domains[role.Site]
		}
	}
	return strings.Join(list, ", ")
}
