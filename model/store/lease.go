package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// lease is what one process at a time does for a site.
type lease struct {
	bun.BaseModel `bun:"table:leases,alias:leases"`

	SiteID int64  `bun:",pk"`
	Name   string `bun:",pk"`
	Holder string
	Until  model.Millis
}

// Lease takes, or prolongs, the lease of a name of a site for a holder. ok is false while another one has it. A lease
// ends by itself: the clocks of processes may differ by a part of its length.
func (s *Store) Lease(ctx context.Context, site int64, name, holder string, length time.Duration) (ok bool, err error) {
	defer wrap(&err, "lease of %s for site %d", name, site)
	now := s.now()
	row := lease{SiteID: site, Name: name, Holder: holder, Until: model.MillisOf(now.Add(length))}
	result, err := s.execute(ctx, s.writing.NewInsert().Model(&row).On("CONFLICT (site_id, name) DO UPDATE").
		Set("holder = EXCLUDED.holder").Set("until = EXCLUDED.until").
		Where("leases.holder = EXCLUDED.holder OR leases.until < ?", model.MillisOf(now)))
	if err != nil {
		return false, err
	}
	taken, err := result.RowsAffected()
	return taken > 0, err
}

// EndLease gives a lease back.
func (s *Store) EndLease(ctx context.Context, site int64, name, holder string) (err error) {
	defer wrap(&err, "end of the lease of %s for site %d", name, site)
	_, err = s.execute(ctx, s.writing.NewDelete().Model((*lease)(nil)).Where("site_id = ? AND name = ? AND holder = ?", site, name, holder))
	return err
}
