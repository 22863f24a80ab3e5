package store

import (
	"context"

	"github.com/uptrace/bun"
)

// AccessEpoch returns a number that moves when a key, a user, a role or a login may do less than before, or something else.
// While it stays equal, whoever was found before is found again, but for what has expired.
func (s *Store) AccessEpoch(ctx context.Context) (epoch int64, err error) {
	defer wrap(&err, "access epoch")
	return epoch, s.db.NewSelect().Table("access").Column("epoch").Scan(ctx, &epoch)
}

// moveEpoch moves the access epoch when the transaction commits.
func moveEpoch(ctx context.Context, tx bun.Tx) error {
	_, err := tx.NewUpdate().Table("access").Set("epoch = epoch + 1").Where("one = 1").Exec(ctx)
	return err
}
