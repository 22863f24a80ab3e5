package graph

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

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

// checkSize returns how many elements a client asks for by an argument.
func checkSize(argument string, given *int, otherwise int) (int, error) {
	if given == nil {
		return otherwise, nil
	}
	if *given < 0 || *given > maxFirst {
		return 0, model.Invalid(argument, "is %d; a page has 0 to %d elements", *given, maxFirst)
	}
	return *given, nil
}

// window is the part of a list that a client asks for: its first elements or, where it gives last, its last ones, of those
// after and before cursors.
type window struct {
	first, last   *int
	after, before *string
}

// limit returns how many elements the page has at most.
func (w window) limit() (int, error) {
	switch {
	case w.first != nil && w.last != nil:
		return 0, model.Invalid("last", "stands beside first; give one of the two")
	case w.last != nil:
		return checkSize("last", w.last, 0)
	}
	return checkSize("first", w.first, defaultFirst)
}

// fromEnd tells that the list is read from its end.
func (w window) fromEnd() bool { return w.last != nil }

// A cursor is opaque: "after:" and what names the element's place in its list.
const cursorPrefix = "after:"

func encodeCursor(place string) string {
	return idEncoding.EncodeToString([]byte(cursorPrefix + place))
}

func decodeCursor(argument string, cursor *string) (place string, err error) {
	if cursor == nil {
		return "", nil
	}
	text, err := idEncoding.DecodeString(*cursor)
	place, ok := strings.CutPrefix(string(text), cursorPrefix)
	if err != nil || !ok || place == "" {
		return "", badCursor(argument, *cursor)
	}
	return place, nil
}

func badCursor(argument, cursor string) error {
	return model.Invalid(argument, "%.40q is not a cursor of a list of this order; give one from a page of it, or leave it out", cursor)
}

// columns are those by which stored lists are ordered.
var columns = map[view.OrderField]store.OrderColumn{view.ByUpdate: store.ByUpdate, view.ByName: store.ByName}

// placeOf returns what says where an element stands in a stored list of an order, by what of tells of it.
func placeOf[T any](order view.Order, of func(*T) (id int64, name string, updatedAt time.Time)) func(*T) store.Place {
	return func(element *T) store.Place {
		id, name, updatedAt := of(element)
		place := store.Place{ID: id}
		switch order.By {
		case view.ByName:
			place.Key = name
		case view.ByUpdate:
			place.Key = strconv.FormatInt(int64(model.MillisOf(updatedAt)), 10)
		}
		return place
	}
}

// storedCursor is the cursor of a place in a list that is ordered by a field.
func storedCursor(field view.OrderField, place store.Place) string {
	id := strconv.FormatInt(place.ID, 10)
	if columns[field] == "" {
		return encodeCursor(id)
	}
	return encodeCursor(id + " " + string(field) + " " + place.Key)
}

func decodeStoredCursor(field view.OrderField, argument string, cursor *string) (place store.Place, err error) {
	text, err := decodeCursor(argument, cursor)
	if err != nil || text == "" {
		return place, err
	}
	number, rest, _ := strings.Cut(text, " ")
	by, key, ordered := strings.Cut(rest, " ")
	place.Key = key
	if place.ID, err = strconv.ParseInt(number, 10, 64); err == nil && columns[field] == store.ByUpdate {
		_, err = strconv.ParseInt(key, 10, 64)
	}
	if err != nil || place.ID <= 0 || ordered != (columns[field] != "") || ordered && by != string(field) {
		return place, badCursor(argument, *cursor)
	}
	return place, nil
}

// sessionCursor is the cursor of a list of sessions in the order of their start.
func sessionCursor(s *model.Session) string {
	return encodeCursor(fmt.Sprintf("%d/%s", s.Start, sessionText(s.ID)))
}

func decodeSessionCursor(argument string, cursor *string) (*count.Position, error) {
	place, err := decodeCursor(argument, cursor)
	if err != nil || place == "" {
		return nil, err
	}
	start, rest, _ := strings.Cut(place, "/")
	at, err := strconv.ParseInt(start, 10, 64)
	id, ok := decodeSessionID(rest)
	if err != nil || !ok {
		return nil, badCursor(argument, *cursor)
	}
	return &count.Position{Start: model.Millis(at), ID: id}, nil
}

// connect returns the page of a window, from elements that were read: one more than the page has, to see whether there is
// one, and in reverse from the end. cursor returns the cursor of the i-th that was read.
func connect[T any, E ~struct {
	Cursor string
	Node   T
}](elements []T, w window, limit int, cursor func(i int) string, counts view.Count) *view.Connection[T, E] {
	hasMore, n := len(elements) > limit, min(len(elements), limit)
	page := view.PageInfo{HasPreviousPage: w.after != nil, HasNextPage: hasMore}
	if w.fromEnd() {
		page = view.PageInfo{HasPreviousPage: hasMore, HasNextPage: w.before != nil}
	}
	c := &view.Connection[T, E]{Nodes: make([]T, n), Edges: make([]E, n)}
	for i := range n {
		read := i
		if w.fromEnd() {
			read = n - 1 - i
		}
		c.Nodes[i], c.Edges[i] = elements[read], E(view.Edge[T]{Cursor: cursor(read), Node: elements[read]})
	}
	if n > 0 {
		start, end := view.Edge[T](c.Edges[0]).Cursor, view.Edge[T](c.Edges[n-1]).Cursor
		page.StartCursor, page.EndCursor = &start, &end
	}
	c.Page = view.Page{PageInfo: page, Count: counts}
	return c
}

// connectStored reads the page of a window of a stored list: what query asks for, in an order in which place says where an
// element stands.
func connectStored[T any, E ~struct {
	Cursor string
	Node   T
}, Q any](ctx context.Context, query Q, order view.Order, w window, place func(*T) store.Place,
	read func(context.Context, Q, store.Page) ([]T, error), counts func(context.Context, Q) (int, error)) (*view.Connection[T, E], error) {
	limit, err := w.limit()
	if err != nil {
		return nil, err
	}
	page := store.Page{Order: columns[order.By], Descending: order.Direction == view.Descending, FromEnd: w.fromEnd(), Limit: limit + 1}
	if page.After, err = decodeStoredCursor(order.By, "after", w.after); err != nil {
		return nil, err
	}
	if page.Before, err = decodeStoredCursor(order.By, "before", w.before); err != nil {
		return nil, err
	}
	elements, err := read(ctx, query, page)
	if err != nil {
		return nil, err
	}
	return connect[T, E](elements, w, limit, func(i int) string { return storedCursor(order.By, place(&elements[i])) },
		func(ctx context.Context) (int, error) { return counts(ctx, query) }), nil
}
