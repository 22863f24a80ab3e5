package view

import (
	"context"

	"github.com/goalgraph/goalgraph/model"
)

// PageInfo tells where a page stands among the others.
type PageInfo struct {
	HasNextPage, HasPreviousPage bool
	StartCursor, EndCursor       *string
}

// Count counts the elements of all pages. It is called where that is selected.
type Count func(context.Context) (int, error)

// Page is what the connections have in common.
type Page struct {
	PageInfo PageInfo
	Count    Count
}

// TotalCount returns how many elements all pages have together.
func (p Page) TotalCount(ctx context.Context) (int, error) { return p.Count(ctx) }

// Connection is a page of nodes, and of the edges that lead to them. Those of a kind are types of their own, which the
// schema names.
type Connection[T, E any] struct {
	Page
	Edges []E
	Nodes []T
}

// Edge is an element of a Connection.
type Edge[T any] struct {
	Cursor string
	Node   T
}

// The connections of the schema, and their edges.
type (
	SegmentConnection    Connection[model.Segment, SegmentEdge]
	SegmentEdge          Edge[model.Segment]
	GoalConnection       Connection[model.Goal, GoalEdge]
	GoalEdge             Edge[model.Goal]
	ExperimentConnection Connection[model.Experiment, ExperimentEdge]
	ExperimentEdge       Edge[model.Experiment]
	EventConnection      Connection[Event, EventEdge]
	EventEdge            Edge[Event]
	BreakdownEdge        Edge[BreakdownRow]
	SessionConnection    Connection[Session, SessionEdge]
	SessionEdge          Edge[Session]
	HitConnection        Connection[Hit, HitEdge]
	HitEdge              Edge[Hit]
	AuditConnection      Connection[AuditEntry, AuditEdge]
	AuditEdge            Edge[AuditEntry]
)
