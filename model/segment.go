package model

import (
	"encoding/json"
	"time"
)

// FilterSpec is a filter as it is defined and kept: a filter type's name and the
// arguments in the shape of the type's input, as canonical JSON (defaults filled
// in, keys sorted, no insignificant space).
type FilterSpec struct {
	Type string          `json:"type"`
	Args json.RawMessage `json:"args"`
}

// Segment is a named list of filters over a site's sessions. No filters match
// every session.
type Segment struct {
	ID      int64
	SiteID  int64
	Name    string
	Filters []FilterSpec
	// Active segments are shown in the header and on goal cards by default.
	Active               bool
	CreatedAt, UpdatedAt time.Time
}

// AllSegment returns the segment that every site starts with.
func AllSegment(site int64) Segment {
	return Segment{SiteID: site, Name: "All", Filters: []FilterSpec{}, Active: true}
}

// Validate brings the segment into its canonical form and returns a BadInput
// error where that is impossible. The filters' arguments are their types' to check.
func (s *Segment) Validate() error {
	if err := checkText("name", &s.Name, 1, MaxName); err != nil {
		return err
	}
	return checkFilters(s.Filters)
}

func checkFilters(filters []FilterSpec) error {
	if len(filters) > MaxFilters {
		return Invalid("filters", "%d filters are too many; the maximum is %d", len(filters), MaxFilters)
	}
	return nil
}
