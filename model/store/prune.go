package store

import (
	"context"

	"github.com/goalgraph/goalgraph/model"
)

// PruneMessages deletes at most some ids of a site's messages written before a day, and returns
// how many. A page view or event that is sent again later still counts once, because it
// is found among the hits. The ids only make that check faster.
func (s *Store) PruneMessages(ctx context.Context, site int64, before model.Day, some int) (pruned int, err error) {
	defer wrap(&err, "prune messages of site %d", site)
	part := s.db.NewSelect().Table("messages").Column("id_high", "id_low").Where("site_id = ? AND site_id + 0 = ? AND day < ?", site, site, before).Limit(int64(some))
	result, err := s.execute(ctx, s.writing.NewDelete().Table("messages").Where("site_id = ? AND (id_high, id_low) IN (?)", site, part))
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
