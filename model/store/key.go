package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type keyRow struct {
	bun.BaseModel `bun:"table:api_keys,alias:api_keys"`

	ID         int64 `bun:",pk,autoincrement"`
	Scope      model.Scope
	Name       string
	Prefix     string
	Hash       string
	AllSites   bool
	Origins    string
	CreatedBy  string
	CreatedAt  model.Millis
	ExpiresAt  model.Millis
	RevokedAt  model.Millis
	LastUsedAt model.Millis
}

type keySiteRow struct {
	bun.BaseModel `bun:"table:key_sites,alias:key_sites"`

	KeyID  int64
	SiteID int64
}

func (r *keyRow) key() model.Key {
	return model.Key{
		ID: r.ID, Name: r.Name, Scope: r.Scope, AllSites: r.AllSites, Origins: strings.Fields(r.Origins), Prefix: r.Prefix, Hash: r.Hash,
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt, RevokedAt: r.RevokedAt, LastUsedAt: r.LastUsedAt,
	}
}

// CreateKey stores a new key, which has a secret, and sets its ID, CreatedBy and CreatedAt. The error is NotFound if one of
// its sites does not exist.
func (s *Store) CreateKey(ctx context.Context, key *model.Key) (err error) {
	defer wrap(&err, "create key %.40q", key.Name)
	if err := key.Validate(model.MillisOf(s.now())); err != nil {
		return err
	}
	return s.inTransaction(ctx, func(tx bun.Tx) error { return s.insertKey(ctx, tx, key, model.Created) })
}

func (s *Store) insertKey(ctx context.Context, tx bun.Tx, key *model.Key, action model.Action) error {
	for i, site := range key.Sites {
		if _, err := s.site(ctx, tx, site, s.dialect.keyLock); err != nil {
			return model.Under(fmt.Sprintf("sites[%d]", i), err)
		}
	}
	key.CreatedBy, key.CreatedAt = model.ActorOf(ctx).Name, model.MillisOf(s.now())
	row := keyRow{
		Scope: key.Scope, Name: key.Name, Prefix: key.Prefix, Hash: key.Hash, AllSites: key.AllSites, Origins: strings.Join(key.Origins, " "),
		CreatedBy: key.CreatedBy, CreatedAt: key.CreatedAt, ExpiresAt: key.ExpiresAt,
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return err
	}
	key.ID = row.ID
	if len(key.Sites) > 0 {
		rows := make([]keySiteRow, len(key.Sites))
		for i, site := range key.Sites {
			rows[i] = keySiteRow{KeyID: key.ID, SiteID: site}
		}
		if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
			return err
		}
	}
	return s.record(ctx, tx, ofKey(action, key, "", documentOfKey(key)))
}

// ofKey is of the key's site where it has only one: who sees the site's changes sees it.
func ofKey(action model.Action, key *model.Key, before, after string) change {
	site := int64(0)
	if len(key.Sites) == 1 {
		site = key.Sites[0]
	}
	return change{action, model.KeyObject, site, key.ID, key.Name, before, after}
}

// Keys returns all keys, including revoked ones, oldest first.
func (s *Store) Keys(ctx context.Context) (keys []model.Key, err error) {
	defer wrap(&err, "keys")
	return keysOf(ctx, s.db, func(query *bun.SelectQuery) *bun.SelectQuery { return query })
}

// keysOf returns the keys that the query is narrowed to, oldest first.
func keysOf(ctx context.Context, db bun.IDB, narrow func(*bun.SelectQuery) *bun.SelectQuery) ([]model.Key, error) {
	var rows []keyRow
	if err := narrow(db.NewSelect().Model(&rows)).Order("id").Scan(ctx); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, nil
	}
	keys, at, ids := make([]model.Key, len(rows)), make(map[int64]int, len(rows)), make([]int64, len(rows))
	for i := range rows {
		keys[i] = rows[i].key()
		ids[i], at[rows[i].ID] = rows[i].ID, i
	}
	var sites []keySiteRow
	query := db.NewSelect().Model(&sites).Order("key_id", "site_id")
	if len(ids) == 1 { // others are all of them
		query = query.Where("key_id = ?", ids[0])
	}
	if err := query.Scan(ctx); err != nil {
		return nil, err
	}
	for _, site := range sites {
		if i, ok := at[site.KeyID]; ok {
			keys[i].Sites = append(keys[i].Sites, site.SiteID)
		}
	}
	return keys, nil
}

// oneKey returns the key that a condition names, or NotFound.
func (s *Store) oneKey(ctx context.Context, db bun.IDB, lock, condition string, value any) (model.Key, error) {
	keys, err := keysOf(ctx, db, func(query *bun.SelectQuery) *bun.SelectQuery {
		if query = query.Where(condition, value); lock != "" {
			query = query.For(lock)
		}
		return query
	})
	if err != nil {
		return model.Key{}, err
	}
	if len(keys) == 0 {
		return model.Key{}, model.Errorf(model.NotFound, "there is no such key; it may have been deleted")
	}
	return keys[0], nil
}

// Key returns a key by its id, or NotFound.
func (s *Store) Key(ctx context.Context, id int64) (key model.Key, err error) {
	defer wrap(&err, "key %d", id)
	return s.oneKey(ctx, s.db, "", "id = ?", id)
}

// KeyByHash returns the key with the hash, which may be revoked or expired, or NotFound.
func (s *Store) KeyByHash(ctx context.Context, hash string) (key model.Key, err error) {
	defer wrap(&err, "key by hash")
	return s.oneKey(ctx, s.db, "", "hash = ?", hash)
}

// RevokeKey revokes a key. A key that is already revoked does not change. Nothing changes if allowed refuses the key.
func (s *Store) RevokeKey(ctx context.Context, id int64, allowed func(*model.Key) error) (key model.Key, err error) {
	defer wrap(&err, "revoke key %d", id)
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		if key, err = s.oneKey(ctx, tx, s.dialect.rowLock, "id = ?", id); err != nil {
			return err
		}
		if err := allowed(&key); err != nil || key.RevokedAt != 0 {
			return err
		}
		before := documentOfKey(&key)
		key.RevokedAt = model.MillisOf(s.now())
		if _, err := tx.NewUpdate().Table("api_keys").Set("revoked_at = ?", key.RevokedAt).Where("id = ?", id).Exec(ctx); err != nil {
			return err
		}
		if err := s.record(ctx, tx, ofKey(model.Revoked, &key, before, documentOfKey(&key))); err != nil {
			return err
		}
		return moveEpoch(ctx, tx)
	})
	return key, err
}

// RotateKey stores a successor of a key, with a new secret and all else alike, and has the key itself expire after the
// overlap. The error is FailedPrecondition if the key no longer holds. Nothing changes if allowed refuses the key.
func (s *Store) RotateKey(ctx context.Context, id int64, overlap model.Millis, allowed func(*model.Key) error) (successor model.Key, secret string, err error) {
	defer wrap(&err, "rotate key %d", id)
	err = s.inTransaction(ctx, func(tx bun.Tx) error {
		key, err := s.oneKey(ctx, tx, s.dialect.rowLock, "id = ?", id)
		if err != nil {
			return err
		}
		if err := allowed(&key); err != nil {
			return err
		}
		now := model.MillisOf(s.now())
		if !key.IsValid(now) {
			return model.Errorf(model.FailedPrecondition, "the key was revoked or has expired; create a new one")
		}
		successor = key
		secret = successor.NewSecret()
		if err := s.insertKey(ctx, tx, &successor, model.Rotated); err != nil {
			return err
		}
		before := documentOfKey(&key)
		if end := now + overlap; key.ExpiresAt == 0 || end < key.ExpiresAt {
			key.ExpiresAt = end
		}
		if _, err := tx.NewUpdate().Table("api_keys").Set("expires_at = ?", key.ExpiresAt).Where("id = ?", id).Exec(ctx); err != nil {
			return err
		}
		if err := s.record(ctx, tx, ofKey(model.Updated, &key, before, documentOfKey(&key))); err != nil {
			return err
		}
		return moveEpoch(ctx, tx)
	})
	return successor, secret, err
}

// TouchKeys notes when keys were last used. Times that are older than what is known change nothing.
func (s *Store) TouchKeys(ctx context.Context, used map[int64]model.Millis) (err error) {
	defer wrap(&err, "note the use of %d keys", len(used))
	for id, at := range used {
		if _, err := s.db.NewUpdate().Table("api_keys").Set("last_used_at = ?", at).Where("id = ? AND last_used_at < ?", id, at).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
