package login

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model"
)

// RoleRule gives a role to users whose claim has a value.
type RoleRule struct {
	// Value is the value; * is any user.
	Value string
	Role  model.Role
	// Domain is a domain of the site that the role is on; empty for every site.
	Domain string
}

// ParseRoleRule reads VALUE=ROLE or VALUE=ROLE@DOMAIN. The value ends at the last =, so it may have some itself.
func ParseRoleRule(text string) (RoleRule, error) {
	fail := func(what string) (RoleRule, error) {
		return RoleRule{}, model.Invalid("--oidc-roles", "%.100q %s; write it like staff=VIEWER or shop-team=EDITOR@shop.example", text, what)
	}
	at := strings.LastIndex(text, "=")
	if at < 1 {
		return fail("is no value with a role")
	}
	name, domain, isOfSite := strings.Cut(text[at+1:], "@")
	rule := RoleRule{Value: strings.TrimSpace(text[:at]), Role: model.Role(strings.ToUpper(strings.TrimSpace(name))), Domain: strings.TrimSpace(domain)}
	switch {
	case rule.Value == "":
		return fail("has no value")
	case !slices.Contains(model.Roles, rule.Role):
		return fail("has none of the roles VIEWER, EDITOR and ADMIN")
	case isOfSite && rule.Domain == "":
		return fail("has no domain behind the @")
	}
	return rule, nil
}

// claims are what a provider says of a user.
type claims struct {
	issuer, subject string
	values          map[string]any
}

// at returns the claim at a path; nil for none. A claim whose name has the dots itself goes first.
func (c claims) at(path string) any {
	if value, ok := c.values[path]; ok {
		return value
	}
	var value any = c.values
	for name := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// texts returns the values of a claim that is a text, or a list of texts.
func (c claims) texts(path string) (texts []string) {
	switch value := c.at(path).(type) {
	case string:
		return []string{value}
	case []any:
		for _, item := range value {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// text returns a claim that is a text of at most so many characters; empty for none.
func (c claims) text(name string) string {
	text, _ := c.values[name].(string)
	if text = strings.TrimSpace(text); utf8.RuneCountInString(text) > model.MaxName || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return ""
	}
	return text
}

// names returns what the user may be called, the best first: by a verified address, as people at the provider call it, and at
// last by names that nobody else has.
func (c claims) names() (names []string) {
	email := c.text("email")
	if verified, ok := c.values["email_verified"].(bool); ok && !verified {
		email = ""
	}
	host := c.issuer
	if u, err := url.Parse(c.issuer); err == nil {
		host = u.Host
	}
	for _, name := range []string{email, c.text("preferred_username"), c.text("name"), c.subject} {
		if name != "" {
			names = append(names, name, fmt.Sprintf("%s (%s)", name, host))
		}
	}
	return append(names, c.key())
}

// key is who the user is, whatever the provider calls it: subjects are unique to an issuer.
func (c claims) key() string { return c.issuer + " " + c.subject }

// userOf returns the user whom the provider tells of. It is made when it comes for the first time, and its roles follow the
// claim whenever it comes again. A name is only a name: a user with a password who has the same is another one.
func (l *Logins) userOf(ctx context.Context, c claims) (*model.User, error) {
	ctx = model.WithActor(ctx, model.Actor{
		Principal: &model.Principal{Kind: model.AnonymousPrincipal, Name: clip(l.provider.name, model.MaxName)}, Address: model.ActorOf(ctx).Address,
	})
	roles, err := l.rolesOf(ctx, c)
	if err != nil {
		return nil, err
	}
	user, err := l.o.Store.UserBySubject(ctx, c.key())
	if model.CodeOf(err) == model.NotFound && l.mayCome(roles) {
		user, err = l.create(ctx, c, roles)
	}
	switch {
	case model.CodeOf(err) == model.NotFound:
	case err != nil:
		return nil, err
	case user.DisabledAt != 0:
		return nil, model.Errorf(model.Forbidden, "%s is disabled here; ask an administrator", user.Name)
	case len(l.provider.o.Roles) > 0 && !slices.Equal(user.Roles, roles):
		if user, err = l.o.Store.UpdateUser(ctx, user.ID, func(u *model.User) error { u.Roles = roles; return nil }); err != nil {
			return nil, err
		}
	}
	if !l.mayCome(roles) {
		return nil, model.Errorf(model.Forbidden, "%s says nothing of you that gives you a role here; ask an administrator to add you to a group that --oidc-roles names", l.provider.name)
	}
	return user, nil
}

// mayCome tells whether someone with the roles may log in.
func (l *Logins) mayCome(roles []model.SiteRole) bool {
	return len(l.provider.o.Roles) == 0 || len(roles) > 0
}

func (l *Logins) create(ctx context.Context, c claims, roles []model.SiteRole) (user *model.User, err error) {
	for _, name := range c.names() {
		user = &model.User{Name: name, Subject: c.key(), Roles: roles}
		if err = l.o.Store.CreateUser(ctx, user); err == nil {
			return user, nil
		}
		if model.CodeOf(err) != model.Conflict && model.CodeOf(err) != model.BadInput {
			return nil, err
		}
		// Another tab may have been faster.
		if other, err := l.o.Store.UserBySubject(ctx, c.key()); err == nil {
			return other, nil
		}
	}
	return nil, err
}

// rolesOf returns the roles that the claim gives, by site: the highest that any value gives.
func (l *Logins) rolesOf(ctx context.Context, c claims) (roles []model.SiteRole, err error) {
	values := c.texts(l.provider.o.RoleClaim)
	bySite := map[int64]model.Role{}
	for _, rule := range l.provider.o.Roles {
		if rule.Value != "*" && !slices.Contains(values, rule.Value) {
			continue
		}
		site := model.AllSites
		if rule.Domain != "" {
			found, err := l.o.Store.SiteByDomain(ctx, rule.Domain)
			switch {
			case model.CodeOf(err) == model.NotFound:
				l.o.Log.WarnContext(ctx, "--oidc-roles names a site that there is none of; its rule gives no role", "domain", rule.Domain)
				continue
			case err != nil:
				return nil, err
			}
			site = found.ID
		}
		if slices.Index(model.Roles, rule.Role) > slices.Index(model.Roles, bySite[site]) {
			bySite[site] = rule.Role
		}
	}
	for site, role := range bySite {
		roles = append(roles, model.SiteRole{Site: site, Role: role})
	}
	slices.SortFunc(roles, func(a, b model.SiteRole) int { return int(a.Site - b.Site) })
	return roles, nil
}
