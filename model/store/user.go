package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type userRow struct {
	bun.BaseModel `bun:"table:users,alias:users"`

	ID         int64 `bun:",pk,autoincrement"`
	Name       string
	Login      string
	Password   string
	Subject    string
	CreatedBy  string
	CreatedAt  model.Millis
	UpdatedAt  model.Millis
	DisabledAt model.Millis
}

type roleRow struct {
	bun.BaseModel `bun:"table:user_roles,alias:user_roles"`

	UserID int64
	SiteID int64
	Role   model.Role
}

func (r *userRow) user() model.User {
	return model.User{
		ID: r.ID, Name: r.Name, Password: r.Password, Subject: r.Subject, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
		DisabledAt: r.DisabledAt,
	}
}

func rowOfUser(u *model.User) *userRow {
	return &userRow{
		ID: u.ID, Name: u.Name, Login: u.Login(), Password: u.Password, Subject: u.Subject, CreatedBy: u.CreatedBy, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
		DisabledAt: u.DisabledAt,
	}
}

// CreateUser stores a new user, and sets its ID, CreatedBy, CreatedAt and UpdatedAt. The error is Conflict if the name or the subject
// is taken, and NotFound if a site does not exist.
func (s *Store) CreateUser(ctx context.Context, user *model.User) (err error) {
	defer wrap(&err, "create user %.40q", user.Name)
	if err := user.Validate(); err != nil {
		return err
	}
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		user.CreatedBy, user.CreatedAt = model.ActorOf(ctx).Name, model.MillisOf(s.now())
		user.UpdatedAt = user.CreatedAt
		row := rowOfUser(user)
		row.ID = 0
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			return takenUser(err)
		}
		user.ID = row.ID
		if err := s.insertRoles(ctx, tx, user); err != nil {
			return err
		}
		return s.record(ctx, tx, ofUser(model.Created, user, "", documentOfUser(user)))
	})
}

func takenUser(err error) error {
	if err = sortError(err); !errors.Is(err, errUnique) {
		return err
	}
	e := model.Errorf(model.Conflict, "another user has this name; choose a different one")
	e.Field, e.Cause = "name", err
	return e
}

// insertRoles stores the roles of a user that has none yet.
func (s *Store) insertRoles(ctx context.Context, tx bun.Tx, user *model.User) error {
	if len(user.Roles) == 0 {
		return nil
	}
	rows := make([]roleRow, len(user.Roles))
	for i, role := range user.Roles {
		if role.Site != model.AllSites {
			if _, err := s.site(ctx, tx, role.Site, s.dialect.keyLock); err != nil {
				return model.Under(fmt.Sprintf("roles[%d].site", i), err)
			}
		}
		rows[i] = roleRow{UserID: user.ID, SiteID: role.Site, Role: role.Role}
	}
	_, err := tx.NewInsert().Model(&rows).Exec(ctx)
	return err
}

func ofUser(action model.Action, user *model.User, before, after string) change {
	return change{action, model.UserObject, 0, user.ID, user.Name, before, after}
}

// Users returns all users, including disabled ones, oldest first.
func (s *Store) Users(ctx context.Context) (users []model.User, err error) {
	defer wrap(&err, "users")
	return usersOf(ctx, s.db, func(query *bun.SelectQuery) *bun.SelectQuery { return query })
}

// usersOf returns the users that the query is narrowed to, oldest first.
func usersOf(ctx context.Context, db bun.IDB, narrow func(*bun.SelectQuery) *bun.SelectQuery) ([]model.User, error) {
	var rows []userRow
	if err := narrow(db.NewSelect().Model(&rows)).Order("id").Scan(ctx); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, nil
	}
	users, at := make([]model.User, len(rows)), make(map[int64]int, len(rows))
	for i := range rows {
		users[i], at[rows[i].ID] = rows[i].user(), i
	}
	var roles []roleRow
	query := db.NewSelect().Model(&roles).Order("user_id", "site_id")
	if len(users) == 1 { // others are all of them
		query = query.Where("user_id = ?", users[0].ID)
	}
	if err := query.Scan(ctx); err != nil {
		return nil, err
	}
	for _, role := range roles {
		if i, ok := at[role.UserID]; ok {
			users[i].Roles = append(users[i].Roles, model.SiteRole{Site: role.SiteID, Role: role.Role})
		}
	}
	return users, nil
}

// oneUser returns the user that a condition names, or NotFound.
func oneUser(ctx context.Context, db bun.IDB, lock, condition string, value any) (*model.User, error) {
	users, err := usersOf(ctx, db, func(query *bun.SelectQuery) *bun.SelectQuery {
		if query = query.Where(condition, value); lock != "" {
			query = query.For(lock)
		}
		return query
	})
	if err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return nil, model.Errorf(model.NotFound, "there is no such user")
	}
	return &users[0], nil
}

// User returns a user by its id, or NotFound.
func (s *Store) User(ctx context.Context, id int64) (user *model.User, err error) {
	defer wrap(&err, "user %d", id)
	return oneUser(ctx, s.db, "", "id = ?", id)
}

// UserByName returns the user with the name, in any case, or NotFound.
func (s *Store) UserByName(ctx context.Context, name string) (user *model.User, err error) {
	defer wrap(&err, "user %.40q", name)
	if !isKeepable(name) {
		return nil, model.Errorf(model.NotFound, "there is no such user")
	}
	return oneUser(ctx, s.db, "", "login = ?", model.LoginOf(name))
}

// Password returns the id of the user with the name, in any case, and the argon2id hash of the password; NotFound if there is
// no such user. One statement answers, whether there is such a user or not.
func (s *Store) Password(ctx context.Context, name string) (id int64, hash string, err error) {
	defer wrap(&err, "password of user %.40q", name)
	if !isKeepable(name) {
		return 0, "", model.Errorf(model.NotFound, "there is no such user")
	}
	err = s.db.NewSelect().Table("users").Column("id", "password").Where("login = ?", model.LoginOf(name)).Scan(ctx, &id, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", model.Errorf(model.NotFound, "there is no such user")
	}
	return id, hash, err
}

// UserBySubject returns the user whom an OpenID provider knows by the subject, or NotFound.
func (s *Store) UserBySubject(ctx context.Context, subject string) (user *model.User, err error) {
	defer wrap(&err, "user by subject")
	if subject == "" || !isKeepable(subject) {
		return nil, model.Errorf(model.NotFound, "there is no such user")
	}
	return oneUser(ctx, s.db, "", "subject = ?", subject)
}

// UpdateUser calls apply with the user and stores the result. Nothing changes if apply fails or the result is invalid. A
// user that is disabled, or has a new password, is logged out everywhere. Links of one that is disabled no longer hold.
func (s *Store) UpdateUser(ctx context.Context, id int64, apply func(*model.User) error) (user *model.User, err error) {
	defer wrap(&err, "update user %d", id)
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		if user, err = oneUser(ctx, tx, s.dialect.rowLock, "id = ?", id); err != nil {
			return err
		}
		before, was := documentOfUser(user), *user
		if err := apply(user); err != nil {
			return err
		}
		if err := user.Validate(); err != nil {
			return err
		}
		return s.saveUser(ctx, tx, user, &was, before)
	})
	return user, err
}

// saveUser stores a user that was another before, and was that document.
func (s *Store) saveUser(ctx context.Context, tx bun.Tx, user, was *model.User, before string) error {
	user.UpdatedAt = model.MillisOf(s.nextUpdate(was.UpdatedAt.Time()))
	if _, err := tx.NewUpdate().Model(rowOfUser(user)).ExcludeColumn("created_by", "created_at").WherePK().Exec(ctx); err != nil {
		return takenUser(err)
	}
	if _, err := tx.NewDelete().Table("user_roles").Where("user_id = ?", user.ID).Exec(ctx); err != nil {
		return err
	}
	if err := s.insertRoles(ctx, tx, user); err != nil {
		return err
	}
	action := model.Updated
	switch {
	case user.DisabledAt != 0 && was.DisabledAt == 0:
		action = model.Disabled
	case user.DisabledAt == 0 && was.DisabledAt != 0:
		action = model.Enabled
	case user.Password != was.Password:
		action = model.Reset
	}
	if action == model.Disabled || action == model.Reset {
		if _, err := tx.NewDelete().Table("logins").Where("user_id = ?", user.ID).Exec(ctx); err != nil {
			return err
		}
	}
	if action == model.Disabled {
		if _, err := tx.NewDelete().Table("password_links").Where("user_id = ?", user.ID).Exec(ctx); err != nil {
			return err
		}
	}
	if err := s.record(ctx, tx, ofUser(action, user, before, documentOfUser(user))); err != nil {
		return err
	}
	return moveEpoch(ctx, tx)
}

// CreatePasswordLink stores the hash of a link by which a user sets a password, in the place of those before. The password
// that the user has no longer holds, and the user's logins end. The error is NotFound if there is no such user, and
// FailedPrecondition for one who is disabled or logs in at an OpenID provider.
func (s *Store) CreatePasswordLink(ctx context.Context, id int64, hash string, expires model.Millis) (err error) {
	defer wrap(&err, "password link of user %d", id)
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		user, err := oneUser(ctx, tx, s.dialect.rowLock, "id = ?", id)
		switch {
		case err != nil:
			return err
		case user.DisabledAt != 0:
			return model.Errorf(model.FailedPrecondition, "%q is disabled; enable the user first", user.Name)
		case user.Subject != "":
			return model.Errorf(model.FailedPrecondition, "%q logs in at the OpenID provider; change the password there", user.Name)
		}
		if _, err := tx.NewDelete().Table("password_links").Where("user_id = ?", id).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&passwordLinkRow{Hash: hash, UserID: id, ExpiresAt: expires}).Exec(ctx); err != nil || user.Password == "" {
			return err
		}
		before, was := documentOfUser(user), *user
		user.Password = ""
		return s.saveUser(ctx, tx, user, &was, before)
	})
}

type passwordLinkRow struct {
	bun.BaseModel `bun:"table:password_links,alias:password_links"`

	Hash      string `bun:",pk"`
	UserID    int64
	ExpiresAt model.Millis
}

// PasswordLink returns the user whose password a link sets, or NotFound.
func (s *Store) PasswordLink(ctx context.Context, hash string) (user *model.User, err error) {
	defer wrap(&err, "user of a password link")
	return s.userOfLink(ctx, s.db, hash, "")
}

// HasPasswordLink tells whether a link holds by which the user sets a password.
func (s *Store) HasPasswordLink(ctx context.Context, id int64) (has bool, err error) {
	defer wrap(&err, "links of user %d", id)
	return s.db.NewSelect().Table("password_links").Where("user_id = ? AND expires_at > ?", id, model.MillisOf(s.now())).Exists(ctx)
}

func (s *Store) userOfLink(ctx context.Context, db bun.IDB, hash, lock string) (*model.User, error) {
	var link passwordLinkRow
	query := db.NewSelect().Model(&link).Where("hash = ? AND expires_at > ?", hash, model.MillisOf(s.now()))
	if lock != "" {
		query = query.For(lock)
	}
	err := query.Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, model.Errorf(model.NotFound, "the link was used before, or has expired; ask an administrator for a new one, who runs: goalgraph user reset NAME")
	}
	if err != nil {
		return nil, err
	}
	return oneUser(ctx, db, lock, "id = ?", link.UserID)
}

// UsePasswordLink gives the user of a link a new password, as an argon2id hash, and ends the link and the user's logins. The
// error is NotFound if there is no such link, or no longer.
func (s *Store) UsePasswordLink(ctx context.Context, hash, password string) (user *model.User, err error) {
	defer wrap(&err, "set a password by a link")
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		if user, err = s.userOfLink(ctx, tx, hash, s.dialect.rowLock); err != nil {
			return err
		}
		if user.DisabledAt != 0 {
			return model.Errorf(model.FailedPrecondition, "this user is disabled; ask an administrator")
		}
		if _, err := tx.NewDelete().Table("password_links").Where("user_id = ?", user.ID).Exec(ctx); err != nil {
			return err
		}
		before, was := documentOfUser(user), *user
		user.Password = password
		return s.saveUser(ctx, tx, user, &was, before)
	})
	return user, err
}
