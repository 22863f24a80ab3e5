package app

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/access"
	"github.com/goalgraph/goalgraph/server/login"
)

// again finds a user again, by the hash of a login.
type again func(context.Context, *model.Principal) (*model.Principal, error)

// newLogins returns what people log in by. Without a public URL the server is reached at the address that it listens on.
// Users are found again in the store where it is not said by what.
func newLogins(ctx context.Context, o Options, st *store.Store, find again, address string, metrics prometheus.Registerer) (*login.Logins, error) {
	return login.New(ctx, login.Options{
		Store: st, Again: find, PublicURL: cmp.Or(o.PublicURL, address), Idle: o.LoginIdle, Lifetime: o.LoginLifetime, OIDC: o.OIDC, OIDCOnly: o.OIDCOnly,
		Metrics: metrics, Log: o.Log,
	})
}

// NewLink returns a link by which a user sets a password, once, within a day. It notes that one leads nowhere from other
// machines.
func NewLink(ctx context.Context, o Options, st *store.Store, user int64) (string, error) {
	logins, err := newLogins(ctx, o, st, nil, "http://"+reachable(o.Listen), nil)
	if err != nil {
		return "", err
	}
	link, err := logins.NewLink(ctx, user)
	if err != nil {
		return "", err
	}
	if u, err := url.Parse(link); err == nil && access.IsLoopback(u.Hostname()) {
		o.note("warning: the link only works on this machine; pass --public-url https://…, as the server has it")
	}
	return link, nil
}

// reachable returns the address for this machine to reach a server that listens on an address: localhost where that is any
// address.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || !isAny(host) {
		return listen
	}
	return net.JoinHostPort("localhost", port)
}

// isAny tells whether a host stands for every address of the machine.
func isAny(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "" || err == nil && address.IsUnspecified()
}

// Roles returns a role on the sites of domains, or without any on all sites.
func Roles(ctx context.Context, st *store.Store, role model.Role, domains []string) (roles []model.SiteRole, err error) {
	if len(domains) == 0 {
		return []model.SiteRole{{Site: model.AllSites, Role: role}}, nil
	}
	for _, domain := range domains {
		site, err := st.SiteByDomain(ctx, domain)
		switch {
		case model.CodeOf(err) == model.NotFound:
			return nil, model.Invalid("--site", "%.100q is no domain of a site, and a role needs one that is there; goalgraph key create --site makes one, and so does an import", domain)
		case err != nil:
			return nil, err
		}
		roles = append(roles, model.SiteRole{Site: site.ID, Role: role})
	}
	return roles, nil
}

// CreateUser creates a user and returns a link by which it sets its password.
func CreateUser(ctx context.Context, o Options, name string, role model.Role, domains []string) (link string, err error) {
	err = withNotedStore(ctx, o, func(st *store.Store) error {
		if _, err := st.Migrate(ctx); err != nil {
			return err
		}
		user := &model.User{Name: name}
		if user.Roles, err = Roles(ctx, st, role, domains); err != nil {
			return err
		}
		// What is wrong with the options is told before there is a user.
		if _, err := newLogins(ctx, o, st, nil, "http://"+reachable(o.Listen), nil); err != nil {
			return err
		}
		if err := login.NoLinks(o.OIDCOnly); err != nil {
			return err
		}
		if err := st.CreateUser(ctx, user); err != nil {
			return err
		}
		link, err = NewLink(ctx, o, st, user.ID)
		return err
	})
	return link, err
}

// UpdateUser changes the user with a name.
func UpdateUser(ctx context.Context, o Options, name string, change func(*store.Store, *model.User) error) (user *model.User, err error) {
	err = WithStore(ctx, o, func(st *store.Store) error {
		named, err := st.UserByName(ctx, name)
		if err != nil {
			return unknownUser(name, err)
		}
		user, err = st.UpdateUser(ctx, named.ID, func(u *model.User) error { return change(st, u) })
		return err
	})
	return user, err
}

// SetDisabled keeps a user out, or lets it in again.
func SetDisabled(ctx context.Context, o Options, name string, disabled bool) (*model.User, error) {
	return UpdateUser(ctx, o, name, func(_ *store.Store, u *model.User) error {
		switch {
		case !disabled:
			u.DisabledAt = 0
		case u.DisabledAt == 0:
			u.DisabledAt = model.MillisOf(time.Now())
		}
		return nil
	})
}

// ResetUser takes a user's password away, and returns a link by which it sets another.
func ResetUser(ctx context.Context, o Options, name string) (link string, err error) {
	err = WithStore(ctx, o, func(st *store.Store) error {
		user, err := st.UserByName(ctx, name)
		if err != nil {
			return unknownUser(name, err)
		}
		link, err = NewLink(ctx, o, st, user.ID)
		return err
	})
	return link, err
}

func unknownUser(name string, err error) error {
	if model.CodeOf(err) == model.NotFound {
		return model.Errorf(model.NotFound, "there is no user %.100q; goalgraph user list shows all", name)
	}
	return err
}
