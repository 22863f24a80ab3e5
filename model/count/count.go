// Package count answers how many sessions match a predicate: exactly, from what is stored at that moment.
//
// A predicate comes merged and compiled; nothing here knows of segments, goals or filter types. Engine is the contract.
// ColumnEngine is the one that counts from columns, and its files are in the order of a question's way:
//
//  1. plan.go makes equal questions one and reads the list of their partitions, with the revisions.
//  2. answers.go knows whole answers whose partitions are as they were, and answers over the sealed partitions, all but
//     the head, which is the newest.
//  3. lookup.go asks the caches (cache.go in memory, then redis.go) for partial aggregates, each of one question and partition.
//  4. scan.go makes what is still unknown: a scan task for each partition, some at a time, evaluates the predicates on
//     the partition's columns.
//  5. aggregate.go adds the partial aggregates up.
//
// matcher.go finds the sessions of one partition. Leaves that columns cannot answer it asks of the Leaves that it was
// given: sets that plugins computed (model/count/computed), assignments to experiments (model/experiment), and the keys
// of visitors (visitor.go).
//
// Every cache names content: a partition, its revision and the question's fingerprint. So nothing that is kept is ever
// out of date, nothing is invalidated, and a cache that is lost or wrong about its neighbours only costs time. All are
// bounded by bytes, but Redis, which keeps entries for a day and evicts by its own rules.
//
// What is counted is checked against naive, which reads sessions one by one and shares nothing with this engine.
package count

import (
	"context"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Engine answers questions about sessions. Whatever the way, the answers are those that evaluating every session one by
// one would give. All methods end with the context's error when it is done.
type Engine interface {
	// Count answers questions together, in their order. Questions may be of different sites. An error is one about all
	// of them; what is wrong with one alone is its Answer's.
	Count(ctx context.Context, questions []Question) ([]Answer, error)
	// Prefetch says that questions about a site will come: what was written to it lately may be read meanwhile. It
	// returns at once, and changes no answer.
	Prefetch(site int64)
	// Sessions returns the sessions that match, the newest first.
	Sessions(ctx context.Context, query SessionQuery) ([]model.Session, error)
	// Values returns the values of a text field, the most frequent first.
	Values(ctx context.Context, query ValueQuery) ([]Value, error)
	// Breakdown returns a page of the rows of sessions by their values. The figures of a row are of one moment, and of all
	// sessions that were written before the question; rows of a page may be of different moments.
	Breakdown(ctx context.Context, query BreakdownQuery) (Breakdown, error)
}

// Question asks for the sessions of a site that started in a range and match a predicate.
type Question struct {
	Site int64
	In   model.Range
	// Where is simplified.
	Where filter.Expr
	// Visitors asks for the number of distinct visitors too.
	Visitors bool
	// Among says of which visitors these are: of those who have a session in the range that matches it, too. It is simplified;
	// nil stands for everyone.
	Among filter.Expr
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
	// Value is the sum over the sessions.
	Value model.Sum
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
	// After and Before are the sessions between which the page is, in the order from the newest to the oldest; nil for the
	// ends of the list.
	After, Before *Position
	// OldestFirst reads the list from its end, the oldest first.
	OldestFirst bool
	Limit       int
}

// ValueQuery asks for the values of a text field, or of filter.PropertyKeys, over a site's sessions that started in a range and match a predicate.
type ValueQuery struct {
	Site int64
	In   model.Range
	// Where is simplified.
	Where filter.Expr
	Field filter.Field
	// Search is part of the value, without regard to case; empty for all.
	Search string
	Limit  int
	// None asks for the sessions without a value too, as a Value of no text, whatever Search is.
	None bool
}

// Value is a value and how many sessions have it.
type Value struct {
	Text     string
	Sessions int
}

// Computer computes what no predicate can say of a session: it looks at the session with its hits. A filter.Computed
// names a computation by its key, which begins with the filter type's name and a space; nothing else of it is
// understood here. An error that is a model.Error becomes the error of the questions that need the computation.
//
// The host of the plugins is one. It is an interface because a count knows nothing of plugins.
type Computer interface {
	// Condition returns a predicate that every session satisfies which the computation can choose: it is asked only
	// about these.
	Condition(ctx context.Context, key string) (filter.Expr, error)
	// Compute tells of each visit, of which there are at most ComputeBatch, whether the computation chooses it. That
	// depends on the key and the visit alone.
	Compute(ctx context.Context, key string, visits []model.Visit) ([]bool, error)
}

// ComputeBatch is how many visits a Computer is asked about at once, at most.
const ComputeBatch = 1000

// AllSites stands for every site where one is asked for.
const AllSites = 0
