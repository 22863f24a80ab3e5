package store

import "github.com/uptrace/bun"

// DB lets tests look at the tables and break the database.
func (s *Store) DB() *bun.DB { return s.db }

var SortError = sortError

// WithHook returns the store with a hook on its statements.
func (s *Store) WithHook(hook bun.QueryHook) *Store {
	hooked := *s
	hooked.db = s.db.WithQueryHook(hook)
	return &hooked
}
