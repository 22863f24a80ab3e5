package store

import (
	"context"
	"database/sql"
	"errors"

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

// SaveLogin stores a login, or what has changed of it: the user, the data and when it expires.
func (s *Store) SaveLogin(ctx context.Context, login *Login) (err error) {
	defer wrap(&err, "save a login")
	login.SeenAt = model.MillisOf(s.now())
	if login.CreatedAt == 0 {
		login.CreatedAt = login.SeenAt
	}
	_, err = s.db.NewInsert().Model(login).On("CONFLICT (hash) DO UPDATE").
		Set("user_id = EXCLUDED.user_id").Set("data = EXCLUDED.data").Set("seen_at = EXCLUDED.seen_at").Set("expires_at = EXCLUDED.expires_at").Exec(ctx)
	return err
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
		if _, err := narrow(tx.NewDelete().Table("logins")).Exec(ctx); err != nil {
			return err
		}
		return moveEpoch(ctx, tx)
	})
}

// PruneLogins deletes logins and password links that have expired.
func (s *Store) PruneLogins(ctx context.Context) (err error) {
	defer wrap(&err, "prune logins")
	for _, table := range []string{"logins", "password_links"} {
		if _, err := s.db.NewDelete().Table(table).Where("expires_at <= ?", model.MillisOf(s.now())).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
