package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FilterSpec is a filter as defined and stored: a filter type with its arguments, a group of filters, or a segment.
type FilterSpec struct {
	// Type is the name of the filter type, or AnyOf, AllOf, Not or InSegment.
	Type string `json:"type"`
	// Args are a filter type's arguments in the shape of the type's input, as canonical JSON (defaults filled in, keys
	// sorted, no insignificant space).
	Args json.RawMessage `json:"args,omitempty"`
	// Parts are the filters of a group: one or more, of a Not exactly one.
	Parts []FilterSpec `json:"parts,omitempty"`
	// SegmentID is the id of the segment that an InSegment names.
	SegmentID int64 `json:"segmentId,omitempty"`
	// Segment is that segment as it is now. It is nil before PutSegments, and where there is no such segment.
	Segment *Segment `json:"-"`
}

// The types of filters that no plugin offers.
const (
	// AnyOf matches the sessions that one of its parts matches.
	AnyOf = "anyOf"
	// AllOf matches the sessions that all of its parts match. No merge rule applies in it.
	AllOf = "allOf"
	// Not matches the sessions that its part does not.
	Not = "not"
	// InSegment matches the sessions of a segment of the same site.
	InSegment = "segment"
)

// Limits of filters.
const (
	// MaxFilters is how many filters a definition has at most. A group counts, and so does each filter in it.
	MaxFilters = 100
	// MaxLevels is how deep filters of a definition stand at most: one of the list itself is at level 1.
	MaxLevels = 10
	// MaxAllFilters and MaxAllLevels are the same with the filters of named segments, and of those that they name.
	MaxAllFilters = 1000
	MaxAllLevels  = 20
)

// IsFilterType tells whether a plugin can offer a filter type of this name.
func IsFilterType(name string) bool {
	return !slices.Contains([]string{AnyOf, AllOf, Not, InSegment}, name)
}

// PartField returns the place of a group's part in it: "anyOf[1]".
func (f *FilterSpec) PartField(i int) string {
	if f.Type == Not {
		return Not
	}
	return fmt.Sprintf("%s[%d]", f.Type, i)
}

// Equal tells whether two filters are defined in the same way.
func (f FilterSpec) Equal(other FilterSpec) bool {
	return f.Type == other.Type && f.SegmentID == other.SegmentID && bytes.Equal(f.Args, other.Args) && EqualFilters(f.Parts, other.Parts)
}

// EqualFilters tells whether two lists of filters are defined in the same way.
func EqualFilters(a, b []FilterSpec) bool { return slices.EqualFunc(a, b, FilterSpec.Equal) }

// EachFilter calls do with each of the filters and of the filters in groups, a group before its parts. It goes on until
// do returns an error, which it returns with the filter's place before its field: "[0].anyOf[1]".
func EachFilter(filters []FilterSpec, do func(f *FilterSpec) error) error {
	for i := range filters {
		if err := filters[i].each(do); err != nil {
			return Under(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (f *FilterSpec) each(do func(f *FilterSpec) error) error {
	if err := do(f); err != nil {
		return err
	}
	for i := range f.Parts {
		if err := f.Parts[i].each(do); err != nil {
			return Under(f.PartField(i), err)
		}
	}
	return nil
}

// SegmentsNamed returns the ids of the segments that filters name themselves, sorted, each once.
func SegmentsNamed(lists ...[]FilterSpec) (ids []int64) {
	for _, filters := range lists {
		_ = EachFilter(filters, func(f *FilterSpec) error {
			if f.Type == InSegment {
				ids = append(ids, f.SegmentID)
			}
			return nil
		})
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// CheckFilters checks how many filters a definition has, how deep they stand, and that groups have parts. The error is a
// BadInput about field, or about a place in it.
func CheckFilters(field string, filters []FilterSpec) error {
	n := 0
	for i := range filters {
		if err := filters[i].check(1, &n); err != nil {
			return Under(fmt.Sprintf("%s[%d]", field, i), err)
		}
	}
	if n > MaxFilters {
		return Invalid(field, "%d filters are too many; the maximum is %d, with groups and what is in them", n, MaxFilters)
	}
	return nil
}

// check checks a filter at a level, and adds to n how many filters it is.
func (f *FilterSpec) check(level int, n *int) error {
	*n++
	switch {
	case level > MaxLevels:
		return Invalid("", "stands too deep in groups; the maximum is %d levels", MaxLevels)
	case IsFilterType(f.Type) || f.Type == InSegment:
		return nil
	case len(f.Parts) == 0:
		return Invalid(f.Type, "is empty; give it at least one filter")
	case f.Type == Not && len(f.Parts) > 1:
		return Invalid(f.Type, "has %d filters; it takes one", len(f.Parts))
	}
	for i := range f.Parts {
		if err := f.Parts[i].check(level+1, n); err != nil {
			return Under(f.PartField(i), err)
		}
	}
	return nil
}

// PutSegments puts into filters the segments that they name, with theirs put in. self is the id of the segment that has the
// filters; 0 where none has. segments holds all that are named, at any depth, as they are at one moment; they are changed.
//
// On an error nothing is put in. It is NotFound for a segment that segments does not hold, and BadInput if one is part of
// itself, or if there are too many filters in all.
func PutSegments(self int64, filters []FilterSpec, segments map[int64]*Segment) error {
	n := nesting{segments: segments, known: map[int64]extent{}}
	if self != 0 {
		n.open = []int64{self}
	}
	all, err := n.list(filters)
	switch {
	case err != nil:
		return err
	case all.filters > MaxAllFilters:
		return Invalid("", "these are more than %d filters with those of the named segments; name fewer segments, or smaller ones", MaxAllFilters)
	case all.levels > MaxAllLevels:
		return Invalid("", "these filters stand %d levels deep with those of the named segments; the maximum is %d", all.levels, MaxAllLevels)
	}
	n.put(filters)
	return nil
}

// nesting is how segments stand in one another.
type nesting struct {
	segments map[int64]*Segment
	// known are the extents of segments' filters.
	known map[int64]extent
	// open are the segments that are being looked at, the outermost first.
	open []int64
}

// extent is how many filters there are in all, and at how many levels.
type extent struct{ filters, levels int }

func (e *extent) add(inner extent) {
	// Segments that name others twice double what there is with each level.
	e.filters = min(e.filters+inner.filters, MaxAllFilters+1)
	e.levels = max(e.levels, inner.levels)
}

func (n *nesting) list(filters []FilterSpec) (all extent, err error) {
	for i := range filters {
		one, err := n.filter(&filters[i])
		if err != nil {
			return all, Under(fmt.Sprintf("[%d]", i), err)
		}
		all.add(one)
	}
	return all, nil
}

func (n *nesting) filter(f *FilterSpec) (all extent, err error) {
	if f.Type == InSegment {
		if all, err = n.segment(f.SegmentID); err != nil {
			return all, Under(InSegment, err)
		}
	}
	for i := range f.Parts {
		part, err := n.filter(&f.Parts[i])
		if err != nil {
			return all, Under(f.PartField(i), err)
		}
		all.add(part)
	}
	return extent{all.filters + 1, all.levels + 1}, nil
}

func (n *nesting) segment(id int64) (extent, error) {
	if all, found := n.known[id]; found {
		return all, nil
	}
	segment := n.segments[id]
	if segment == nil && !slices.Contains(n.open, id) {
		return extent{}, Errorf(NotFound, "there is no segment with this id")
	}
	if i := slices.Index(n.open, id); i >= 0 {
		return extent{}, Errorf(BadInput, "the segment would be part of itself%s; leave it out", n.way(n.open[i:]))
	}
	n.open = append(n.open, id)
	all, err := n.list(segment.Filters)
	n.open = n.open[:len(n.open)-1]
	if e, ok := errors.AsType[*Error](err); ok { // whose field is of the segment's own filters
		return all, &Error{Code: e.Code, Message: e.Message}
	}
	n.known[id] = all
	return all, err
}

// way tells by which segments one is part of itself.
func (n *nesting) way(ids []int64) string {
	var by []string
	for _, id := range ids[1:] {
		by = append(by, strconv.Quote(n.segments[id].Name))
	}
	if len(by) == 0 {
		return ""
	}
	return ", by " + strings.Join(by, " and ")
}

// put puts the segments in; all of them are there.
func (n *nesting) put(filters []FilterSpec) {
	_ = EachFilter(filters, func(f *FilterSpec) error {
		if f.Type != InSegment {
			return nil
		}
		f.Segment = n.segments[f.SegmentID]
		if _, isNew := n.known[f.SegmentID]; isNew {
			delete(n.known, f.SegmentID)
			n.put(f.Segment.Filters)
		}
		return nil
	})
}
