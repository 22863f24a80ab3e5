package graph

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store"
)

// A page has at most maxFirst elements, and defaultFirst where a client does not say.
const (
	maxFirst     = 500
	defaultFirst = 50
)

// checkFirst returns how many elements a page shall have.
func checkFirst(first *int, otherwise int) (int, error) {
	if first == nil {
		return otherwise, nil
	}
	if *first < 0 || *first > maxFirst {
		return 0, model.Invalid("first", "is %d; a page has 0 to %d elements", *first, maxFirst)
	}
	return *first, nil
}

// A cursor is opaque: "after:" and what names the element's place in its list.
const cursorPrefix = "after:"

func encodeCursor(place string) string {
	return idEncoding.EncodeToString([]byte(cursorPrefix + place))
}

func decodeCursor(after *string) (place string, err error) {
	if after == nil {
		return "", nil
	}
	text, err := idEncoding.DecodeString(*after)
	place, ok := strings.CutPrefix(string(text), cursorPrefix)
	if err != nil || !ok || place == "" {
		return "", badCursor(*after)
	}
	return place, nil
}

func badCursor(after string) error {
	return model.Invalid("after", "%.40q is not a cursor; give an endCursor, or leave it out for the first page", after)
}

// idCursor is the cursor of a list in the order of ids.
func idCursor(id int64) string { return encodeCursor(strconv.FormatInt(id, 10)) }

func decodeIDCursor(after *string) (int64, error) {
	place, err := decodeCursor(after)
	if err != nil || place == "" {
		return 0, err
	}
	id, err := strconv.ParseInt(place, 10, 64)
	if err != nil || id <= 0 {
		return 0, badCursor(*after)
	}
	return id, nil
}

// sessionCursor is the cursor of a list of sessions in the order of their start.
func sessionCursor(s *model.Session) string {
	return encodeCursor(fmt.Sprintf("%d/%s", s.Start, sessionText(s.ID)))
}

func decodeSessionCursor(after *string) (*count.Position, error) {
	place, err := decodeCursor(after)
	if err != nil || place == "" {
		return nil, err
	}
	start, rest, _ := strings.Cut(place, "/")
	at, err := strconv.ParseInt(start, 10, 64)
	id, ok := decodeSessionID(rest)
	if err != nil || !ok {
		return nil, badCursor(*after)
	}
	return &count.Position{Start: model.Millis(at), ID: id}, nil
}

// connect returns a page of elements, of which one more was read than the page has to see whether there is one. cursor
// returns the cursor of the i-th.
func connect[T any, E ~struct {
	Cursor string
	Node   T
}](elements []T, first int, after *string, cursor func(i int) string, counts view.Count) *view.Connection[T, E] {
	page := view.PageInfo{HasPreviousPage: after != nil, HasNextPage: len(elements) > first}
	elements = elements[:min(len(elements), first)]
	c := &view.Connection[T, E]{Nodes: elements, Edges: make([]E, len(elements))}
	for i := range elements {
		c.Edges[i] = E(view.Edge[T]{Cursor: cursor(i), Node: elements[i]})
	}
	if n := len(elements); n > 0 {
		start, end := cursor(0), cursor(n-1)
		page.StartCursor, page.EndCursor = &start, &end
	}
	c.Page = view.Page{PageInfo: page, Count: counts}
	return c
}

// connectByID reads a page of a list in the order of ids: what query asks for.
func connectByID[T any, E ~struct {
	Cursor string
	Node   T
}, Q any](ctx context.Context, query Q, first *int, after *string, id func(*T) int64,
	read func(context.Context, Q, store.Page) ([]T, error), counts func(context.Context, Q) (int, error)) (*view.Connection[T, E], error) {
	n, err := checkFirst(first, defaultFirst)
	if err != nil {
		return nil, err
	}
	last, err := decodeIDCursor(after)
	if err != nil {
		return nil, err
	}
	elements, err := read(ctx, query, store.Page{After: last, Limit: n + 1})
	if err != nil {
		return nil, err
	}
	return connect[T, E](elements, n, after, func(i int) string { return idCursor(id(&elements[i])) },
		func(ctx context.Context) (int, error) { return counts(ctx, query) }), nil
}
