package graph

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
)

// maxFirst is how long a page is at most.
const maxFirst = 500

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
	return model.Invalid("after", "%.40q is no cursor; give an endCursor, or leave it out for the first page", after)
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
	return encodeCursor(fmt.Sprintf("%d/%d/%d", s.Start, s.ID.Partition, s.ID.Ordinal))
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

// cutPage takes the element off that was read beyond the page to see whether
// there is one, and says where the page stands.
func cutPage[T any](elements []T, first int, after *string, cursor func(*T) string, counts view.Count) ([]T, view.Page) {
	page := view.Page{Count: counts}
	page.PageInfo.HasPreviousPage = after != nil
	if len(elements) > first {
		elements = elements[:first]
		page.PageInfo.HasNextPage = true
	}
	if len(elements) > 0 {
		start, end := cursor(&elements[0]), cursor(&elements[len(elements)-1])
		page.PageInfo.StartCursor, page.PageInfo.EndCursor = &start, &end
	}
	return elements, page
}
