package store

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type keyRow struct {
	bun.BaseModel `bun:"table:api_keys,alias:api_keys"`

	ID        int64 `bun:",pk,autoincrement"`
	SiteID    sql.NullInt64
	Scope     model.KeyScope
	Name      string
	Prefix    string
	Hash      string
	CreatedAt model.Millis
	RevokedAt model.Millis
}

func (r *keyRow) key() model.Key {
	return model.Key{
		ID: r.ID, Name: r.Name, SiteID: r.SiteID.Int64, Scope: r.Scope, Prefix: r.Prefix, Hash: r.Hash,
		CreatedAt: r.CreatedAt, RevokedAt: r.RevokedAt,
	}
}

// CreateKey stores a new key, and sets its ID and CreatedAt. The error is NotFound if
// its site does not exist.
func (s *Store) CreateKey(ctx context.Context, key *model.Key) (err error) {
	defer wrap(&err, "create key %q", key.Name)
	if key.Scope == model.WriteScope && key.SiteID == 0 {
		return model.Invalid("site", "is missing; a write key needs a site")
	}
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		if key.SiteID != 0 {
			if _, err := s.site(ctx, tx, key.SiteID, s.dialect.keyLock); err != nil {
				return err
			}
		}
		row := keyRow{
			SiteID: sql.NullInt64{Int64: key.SiteID, Valid: key.SiteID != 0}, Scope: key.Scope, Name: key.Name, Prefix: key.Prefix, Hash: key.Hash,
			CreatedAt: model.MillisOf(s.now()),
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		key.ID, key.CreatedAt = row.ID, row.CreatedAt
		return nil
	})
}

// Keys returns all keys, including revoked ones, oldest first.
func (s *Store) Keys(ctx context.Context) (keys []model.Key, err error) {
	defer wrap(&err, "keys")
	var rows []keyRow
	if err := s.db.NewSelect().Model(&rows).Order("id").Scan(ctx); err != nil {
		return nil, err
	}
	keys = make([]model.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].key()
	}
	return keys, nil
}

// KeyByHash returns the key with the hash, which may be revoked, or NotFound.
func (s *Store) KeyByHash(ctx context.Context, hash string) (key model.Key, err error) {
	defer wrap(&err, "key by hash")
	var row keyRow
	if err := s.db.NewSelect().Model(&row).Where("hash = ?", hash).Scan(ctx); err != nil {
		return model.Key{}, notFound(err, "key")
	}
	return row.key(), nil
}

// RevokeKey revokes a key. A key that is already revoked does not change.
func (s *Store) RevokeKey(ctx context.Context, id int64) (key model.Key, err error) {
	defer wrap(&err, "revoke key %d", id)
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		if _, err := tx.NewUpdate().Table("api_keys").Set("revoked_at = ?", model.MillisOf(s.now())).Where("id = ? AND revoked_at = 0", id).Exec(ctx); err != nil {
			return err
		}
		var row keyRow
		if err := tx.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx); err != nil {
			return notFound(err, "key")
		}
		key = row.key()
		return nil
	})
	return key, err
}
