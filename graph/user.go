package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/goalgraph/goalgraph/graph/generated"
	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// People are of no site: administrators of all sites manage them.

func checkPeople(ctx context.Context) error {
	if actor := model.ActorOf(ctx); !actor.May(model.AdminScope, model.AllSites) {
		return forbidden(actor.Principal, model.AdminScope, model.AllSites)
	}
	return nil
}

func (g guard) Users(ctx context.Context) ([]model.User, error) {
	if err := checkPeople(ctx); err != nil {
		return nil, err
	}
	return g.store.Users(ctx)
}

func (g guard) User(ctx context.Context, id int64) (*model.User, error) {
	if err := checkPeople(ctx); err != nil {
		return nil, err
	}
	return g.store.User(ctx, id)
}

func (g guard) CreateUser(ctx context.Context, user *model.User) error {
	if err := checkPeople(ctx); err != nil {
		return err
	}
	return g.store.CreateUser(ctx, user)
}

func (g guard) UpdateUser(ctx context.Context, id int64, apply func(*model.User) error) (*model.User, error) {
	if err := checkPeople(ctx); err != nil {
		return nil, err
	}
	return g.store.UpdateUser(ctx, id, apply)
}

// Logins returns the actor's own logins; none for who is no user.
func (g guard) Logins(ctx context.Context) ([]store.Login, error) {
	actor := model.ActorOf(ctx)
	if actor.Kind != model.UserPrincipal {
		return nil, nil
	}
	return g.store.Logins(ctx, actor.ID)
}

// EndLogin ends one of the actor's own logins.
func (g guard) EndLogin(ctx context.Context, hash string) error {
	logins, err := g.Logins(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(logins, func(login store.Login) bool { return login.Hash == hash }) {
		return model.Errorf(model.NotFound, "there is no such login; it may have ended")
	}
	return g.store.EndLogin(ctx, hash)
}

func viewOfUser(user *model.User) *view.User {
	v := &view.User{
		ID: encodeID(userNoun, user.ID), Name: user.Name, CreatedBy: user.CreatedBy, CreatedAt: user.CreatedAt.Time(), UpdatedAt: user.UpdatedAt.Time(),
		DisabledAt: instant(user.DisabledAt),
		Roles:      make([]view.SiteRole, len(user.Roles)),
	}
	for i, role := range user.Roles {
		v.Roles[i] = view.SiteRole{Site: role.Site, Role: role.Role}
	}
	return v
}

func (r *queryResolver) Users(ctx context.Context) ([]view.User, error) {
	users, err := r.store.Users(ctx)
	views := make([]view.User, len(users))
	for i := range users {
		views[i] = *viewOfUser(&users[i])
	}
	return views, err
}

// rolesOf returns the roles that a client gives.
func rolesOf(given []generated.SiteRoleInput) ([]model.SiteRole, error) {
	roles := make([]model.SiteRole, len(given))
	for i, input := range given {
		roles[i] = model.SiteRole{Site: model.AllSites, Role: input.Role}
		if id := input.Site.Value(); id != nil {
			var err error
			if roles[i].Site, err = decodeID(siteNoun, *id, fmt.Sprintf("input.roles[%d].site", i)); err != nil {
				return nil, err
			}
		}
	}
	return roles, nil
}

func (r *mutationResolver) CreateUser(ctx context.Context, input generated.CreateUserInput) (*generated.CreateUserPayload, error) {
	roles, err := rolesOf(input.Roles)
	if err != nil {
		return nil, err
	}
	if err := checkPeople(ctx); err != nil {
		return nil, err
	}
	if r.noLinks != nil {
		return nil, r.noLinks
	}
	user := &model.User{Name: input.Name, Roles: roles}
	if err := r.store.CreateUser(ctx, user); err != nil {
		return nil, underInput(err)
	}
	link, err := r.linkOf(ctx, user)
	return &generated.CreateUserPayload{User: viewOfUser(user), Link: link}, err
}

// linkOf makes a link by which a user sets a password; nil on a server without login.
func (r *Resolver) linkOf(ctx context.Context, user *model.User) (*string, error) {
	if r.newLink == nil {
		return nil, nil
	}
	link, err := r.newLink(ctx, user.ID)
	return &link, err
}

func (r *mutationResolver) UpdateUserRoles(ctx context.Context, input generated.UpdateUserRolesInput) (*generated.UpdateUserRolesPayload, error) {
	id, err := decodeID(userNoun, input.ID, "input.id")
	if err != nil {
		return nil, err
	}
	roles, err := rolesOf(input.Roles)
	if err != nil {
		return nil, err
	}
	user, err := r.store.UpdateUser(ctx, id, func(user *model.User) error {
		if err := unchanged(userNoun, user.UpdatedAt.Time(), input.ExpectedUpdatedAt.Value()); err != nil {
			return err
		}
		user.Roles = roles
		return checkOther(ctx, user)
	})
	if err != nil {
		return nil, underInput(aboutID("id", err))
	}
	return &generated.UpdateUserRolesPayload{User: viewOfUser(user)}, nil
}

// checkOther refuses to take something away from the actor, after which perhaps nobody could give it back.
func checkOther(ctx context.Context, user *model.User) error {
	if actor := model.ActorOf(ctx); actor.Kind == model.UserPrincipal && actor.ID == user.ID {
		return model.Errorf(model.FailedPrecondition, "this is you: another administrator must do it")
	}
	return nil
}

func (r *mutationResolver) DisableUser(ctx context.Context, id string) (*generated.DisableUserPayload, error) {
	user, err := r.changeUser(ctx, id, func(user *model.User) error {
		if user.DisabledAt == 0 {
			user.DisabledAt = model.MillisOf(r.now())
		}
		return checkOther(ctx, user)
	})
	if err != nil {
		return nil, err
	}
	return &generated.DisableUserPayload{User: viewOfUser(user)}, nil
}

func (r *mutationResolver) EnableUser(ctx context.Context, id string) (*generated.EnableUserPayload, error) {
	user, err := r.changeUser(ctx, id, func(user *model.User) error {
		user.DisabledAt = 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &generated.EnableUserPayload{User: viewOfUser(user)}, nil
}

func (r *mutationResolver) ResetUser(ctx context.Context, id string) (*generated.ResetUserPayload, error) {
	if r.newLink == nil {
		user, err := r.changeUser(ctx, id, func(user *model.User) error {
			user.Password = ""
			return nil
		})
		if err != nil {
			return nil, err
		}
		return &generated.ResetUserPayload{User: viewOfUser(user)}, nil
	}
	n, err := decodeID(userNoun, id, "id")
	if err != nil {
		return nil, err
	}
	user, err := r.store.User(ctx, n)
	if err != nil {
		return nil, aboutID("id", err)
	}
	link, err := r.newLink(ctx, n) // which takes the password away
	if err != nil {
		return nil, aboutID("id", err)
	}
	return &generated.ResetUserPayload{User: viewOfUser(user), Link: &link}, nil
}

func (r *mutationResolver) changeUser(ctx context.Context, id string, change func(*model.User) error) (*model.User, error) {
	n, err := decodeID(userNoun, id, "id")
	if err != nil {
		return nil, err
	}
	user, err := r.store.UpdateUser(ctx, n, change)
	return user, aboutID("id", err)
}

func (r *mutationResolver) EndLogin(ctx context.Context, id string) (*generated.EndLoginPayload, error) {
	kind, hash, ok := splitID(id)
	if !ok || kind != loginNoun {
		hash = ""
	}
	if err := r.store.EndLogin(ctx, hash); err != nil {
		return nil, aboutID("id", err)
	}
	return &generated.EndLoginPayload{EndedID: id}, nil
}
