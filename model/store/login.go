package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// Login is one browser's login, from when its cookie is set until it ends. UserID is 0 while someone is still on the way
// to an OpenID provider and back.
type Login struct {
	bun.BaseModel `bun:"table:logins,alias:logins"`

	// Hash is that of the cookie's value.
	Hash   string `bun:",pk"`
	UserID int64
	// Data is what the server keeps in it.
	Data []byte
	// Address and UserAgent are where it began, so that people can tell their logins apart.
	Address   string
	UserAgent string
	CreatedAt model.Millis
	// SeenAt is when it was last used, to a minute.
	SeenAt    model.Millis
	ExpiresAt model.Millis
}

// CreateLogin stores a new login. The user may still log in, by the password (an argon2id hash) that was checked: else the
// error is Unauthenticated. So a login cannot outlive a disabling or a reset that comes while a password is checked.
func (s *Store) CreateLogin(ctx context.Context, login *Login, password string) (err error) {
	defer wrap(&err, "create a login")
	login.CreatedAt = model.MillisOf(s.now())
	login.SeenAt = login.CreatedAt
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		if login.UserID != 0 {
			user, err := oneUser(ctx, tx, s.dialect.rowLock, "id = ?", login.UserID)
			if err != nil {
				return err
			}
			if user.DisabledAt != 0 || user.Password != password {
				return model.Errorf(model.Unauthenticated, "the user has changed meanwhile; log in again")
			}
		}
		_, err := tx.NewInsert().Model(login).Exec(ctx)
		return err
	})
}

// UpdateLogin stores a login's data. The error is NotFound if the login has ended: an update does not bring it back.
func (s *Store) UpdateLogin(ctx context.Context, hash string, data []byte) (err error) {
	defer wrap(&err, "update a login")
	return s.updateLogin(ctx, s.writing.NewUpdate().Table("logins").Set("data = ?", data).Where("hash = ?", hash))
}

// TouchLogin notes when a login was used. From then on it lasts for the idle time, and in all for the lifetime at most. The
// error is NotFound if it has ended.
func (s *Store) TouchLogin(ctx context.Context, hash string, seen model.Millis, idle, lifetime time.Duration) (err error) {
	defer wrap(&err, "note the use of a login")
	expires := seen + model.Millis(idle.Milliseconds())
	return s.updateLogin(ctx, s.writing.NewUpdate().Table("logins").Set("seen_at = ?", seen).
		Set("expires_at = CASE WHEN created_at + ?0 < ?1 THEN created_at + ?0 ELSE ?1 END", lifetime.Milliseconds(), expires).
		Where("hash = ? AND expires_at > ? AND seen_at <= ?", hash, seen, seen))
}

func (s *Store) updateLogin(ctx context.Context, update *bun.UpdateQuery) error {
	result, err := s.execute(ctx, update)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return model.Errorf(model.NotFound, "there is no such login; it may have ended")
}

// Login returns the login with the hash, or NotFound once it has expired or ended.
func (s *Store) Login(ctx context.Context, hash string) (login *Login, err error) {
	defer wrap(&err, "login")
	login = new(Login)
	err = s.db.NewSelect().Model(login).Where("hash = ? AND expires_at > ?", hash, model.MillisOf(s.now())).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, model.Errorf(model.NotFound, "there is no such login; it may have ended")
	}
	return login, err
}

// Logins returns the logins of a user that have not ended, newest first.
func (s *Store) Logins(ctx context.Context, user int64) (logins []Login, err error) {
	defer wrap(&err, "logins of user %d", user)
	return logins, s.db.NewSelect().Model(&logins).Where("user_id = ? AND expires_at > ?", user, model.MillisOf(s.now())).Order("created_at DESC", "hash").Scan(ctx)
}

// EndLogin ends a login. One that has ended already stays so.
func (s *Store) EndLogin(ctx context.Context, hash string) (err error) {
	defer wrap(&err, "end a login")
	return s.endLogins(ctx, func(query *bun.DeleteQuery) *bun.DeleteQuery { return query.Where("hash = ?", hash) })
}

// EndLoginsOf ends the logins of a user, but for the one with the hash, which may be empty.
func (s *Store) EndLoginsOf(ctx context.Context, user int64, except string) (err error) {
	defer wrap(&err, "end the logins of user %d", user)
	return s.endLogins(ctx, func(query *bun.DeleteQuery) *bun.DeleteQuery {
		return query.Where("user_id = ? AND hash <> ?", user, except)
	})
}

func (s *Store) endLogins(ctx context.Context, narrow func(*bun.DeleteQuery) *bun.DeleteQuery) error {
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		result, err := narrow(tx.NewDelete().Table("logins")).Exec(ctx)
		if err != nil {
			return err
		}
		// Strangers can ask for the end of logins that there are none of.
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return moveEpoch(ctx, tx)
	})
}

// PruneLogins deletes logins and password links that have expired.
func (s *Store) PruneLogins(ctx context.Context) (err error) {
	defer wrap(&err, "prune logins")
	for _, table := range []string{"logins", "password_links"} {
		if _, err := s.execute(ctx, s.writing.NewDelete().Table(table).Where("expires_at <= ?", model.MillisOf(s.now()))); err != nil {
			return err
		}
	}
	return nil
}
