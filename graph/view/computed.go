package view

import (
	"encoding/json"
	"time"
)

// ComputedFilter is a filter that a plugin computes session by session, and how far it
// is.
type ComputedFilter struct {
	FilterType, Plugin         string
	Args                       json.RawMessage
	Sessions, ComputedSessions int
	Complete                   bool
	CreatedAt                  time.Time
}
