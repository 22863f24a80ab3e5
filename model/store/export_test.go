package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// DB lets tests look at the tables and break the database.
func (s *Store) DB() *bun.DB { return s.db }

// Writing is what all that writes goes through.
func (s *Store) Writing() *bun.DB { return s.writing }

// WithLockPatience returns the store with another patience.
func (s *Store) WithLockPatience(patience time.Duration) *Store {
	hasty := *s
	hasty.lockPatience = patience
	return &hasty
}

var SortError = sortError

// WithHook returns the store with a hook on its statements.
func (s *Store) WithHook(hook bun.QueryHook) *Store {
	hooked := *s
	hooked.db, hooked.writing = s.db.WithQueryHook(hook), s.writing.WithQueryHook(hook)
	return &hooked
}

// IDOf returns the id of two halves.
func IDOf(high, low int64) model.MessageID { return joined(high, low) }

// Today is the day by the store's clock.
func (s *Store) Today() model.Day { return model.MillisOf(s.now()).Day() }

// BoundStatements are the statements that hooks do not see.
func BoundStatements() (statements []string) {
	for _, statement := range []bound{allSites, siteByID, siteByDomain, partitionsOfDays, sessionsOf, sessionsAfter, ordinalsOf, ordinalsAfter, visitorUsersRevision} {
		statements = append(statements, statement.postgreSQL)
	}
	return statements
}

var Windows = windows

// MaxRefolded and MaxRounds bound what is folded again.
const (
	MaxRefolded = maxRefolded
	MaxRounds   = maxRounds
	// MaxErased is how many sessions are erased at once.
	MaxErased = maxErased
)

// NearestOfKey returns those of a visitor's sessions that are needed for hits with a key of some time.
func NearestOfKey(sessions []model.Session, key string, from, to model.Millis) []model.Session {
	return (&wanted{keys: []visitorKey{{key: key, from: from, to: to}}}).of(sessions)
}

// VisitorKeys returns the names of a site's visitors, by their numbers.
func (s *Store) VisitorKeys(ctx context.Context, site int64) (map[int64]string, error) {
	var rows []visitorRow
	err := s.db.NewSelect().Model(&rows).Where("site_id = ?", site).Scan(ctx)
	keys := make(map[int64]string, len(rows))
	for _, row := range rows {
		keys[row.ID] = row.Visitor
	}
	return keys, err
}
