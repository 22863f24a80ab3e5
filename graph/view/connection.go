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

// SegmentConnection is a page of segments.
type SegmentConnection struct {
	Page
	Edges []SegmentEdge
	Nodes []model.Segment
}

// SegmentEdge is an element of a SegmentConnection.
type SegmentEdge struct {
	Cursor string
	Node   model.Segment
}

// GoalConnection is a page of goals.
type GoalConnection struct {
	Page
	Edges []GoalEdge
	Nodes []model.Goal
}

// GoalEdge is an element of a GoalConnection.
type GoalEdge struct {
	Cursor string
	Node   model.Goal
}

// ExperimentConnection is a page of experiments.
type ExperimentConnection struct {
	Page
	Edges []ExperimentEdge
	Nodes []model.Experiment
}

// ExperimentEdge is an element of an ExperimentConnection.
type ExperimentEdge struct {
	Cursor string
	Node   model.Experiment
}

// EventConnection is a page of event names.
type EventConnection struct {
	Page
	Edges []EventEdge
	Nodes []Event
}

// EventEdge is an element of an EventConnection.
type EventEdge struct {
	Cursor string
	Node   Event
}

// SessionConnection is a page of sessions.
type SessionConnection struct {
	Page
	Edges []SessionEdge
	Nodes []Session
}

// SessionEdge is an element of a SessionConnection.
type SessionEdge struct {
	Cursor string
	Node   Session
}
