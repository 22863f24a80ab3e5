// Package count answers how many sessions match a predicate: exactly, from what
// is stored at that moment.
//
// A predicate comes merged and compiled; nothing here knows of segments, goals
// or filter types. Engine is the one way in. Scan is the plain way to count:
// every session of the partitions in question is read and evaluated.
package count

import (
	"context"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Engine answers questions about sessions. Whatever the way, the answers are
// those that evaluating every session one by one would give. All methods end
// with the context's error when it is done.
type Engine interface {
	// Count answers questions together, in their order. Questions may be of
	// different sites. An error is one about all of them; what is wrong with one alone
	// is its Answer's.
	Count(ctx context.Context, questions []Question) ([]Answer, error)
	// Follow says that questions about a site will come: what was written to it lately
	// may be read meanwhile. It changes no answer.
	Follow(ctx context.Context, site int64)
	// Sessions returns the sessions that match, the newest first.
	Sessions(ctx context.Context, query SessionQuery) ([]model.Session, error)
	// Values returns the values of a text field, the most frequent first.
	Values(ctx context.Context, query ValueQuery) ([]Value, error)
	// Results answers questions about experiments together, in their order. An error is
	// one about all of them; what is wrong with one alone is its answer's.
	Results(ctx context.Context, questions []ExperimentQuestion) ([]ExperimentAnswer, error)
}

// Question asks for the sessions of a site that started in a range and match a
// predicate.
type Question struct {
	Site int64
	In   model.Range
	// Where is simplified.
	Where filter.Expr
	// Visitors asks for the number of distinct visitors too.
	Visitors bool
	// Value names the event whose values are summed; empty for none.
	Value string
	// Steps are instants in ascending order: sessions are also counted between
	// each two neighbours, the earlier one included.
	Steps []model.Millis
}

// Answer is what a question asks for. What it does not ask for is zero.
type Answer struct {
	Sessions int
	Visitors int
	// Value is the sum over the sessions, added in the order of partitions and of
	// ordinals, so that the same data gives the same digits.
	Value float64
	// Steps has one number less than the question's.
	Steps []int
	// Err says why there is no answer to this question, while others have theirs:
	// what a plugin computes for it is not known. Nothing else is set.
	Err error
}

// Position is the place of a session in a list that is ordered by start.
type Position struct {
	Start model.Millis
	ID    model.SessionID
}

// SessionQuery asks for a page of sessions.
type SessionQuery struct {
	Site  int64
	In    model.Range
	Where filter.Expr
	// After is the session that the page begins behind; nil for the first page.
	After *Position
	Limit int
}

// ValueQuery asks for the values of a text field over all of a site's sessions.
type ValueQuery struct {
	Site  int64
	Field filter.Field
	// Search is part of the value, without regard to case; empty for all.
	Search string
	Limit  int
	// None asks for the sessions without a value too, as a Value of no text.
	None bool
}

// Value is a value and how many sessions have it.
type Value struct {
	Text     string
	Sessions int
}
