package model

import "time"

// Segment is a named list of filters on a site's sessions. A session must match all of
// them; an empty list matches every session.
type Segment struct {
	ID      int64
	SiteID  int64
	Name    string
	Filters []FilterSpec
	// Active segments are shown in the header, and used by default on goal cards.
	Active               bool
	CreatedAt, UpdatedAt time.Time
}

// AllSegment returns the segment that every site starts with.
func AllSegment(site int64) Segment {
	return Segment{SiteID: site, Name: "All", Filters: []FilterSpec{}, Active: true}
}

// Validate brings the segment into its canonical form. It returns a BadInput error if
// that is impossible. The filter types check the filters' arguments.
func (s *Segment) Validate() error {
	if err := checkText("name", &s.Name, 1, MaxName); err != nil {
		return err
	}
	return CheckFilters("filters", s.Filters)
}
