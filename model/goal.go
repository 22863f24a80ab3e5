package model

import (
	"strings"
	"time"
	"unicode"
)

// Goal is a segment that counts as success.
type Goal struct {
	ID     int64
	SiteID int64
	// Key is the event name that clients track: track(key, value). It is unique on the
	// site.
	Key         string
	Name        string
	Description string
	Filters     []FilterSpec
	// ValueEvent is the name of the event whose values are summed, or empty.
	ValueEvent           string
	Archived             bool
	CreatedAt, UpdatedAt time.Time
}

// Validate brings the goal into its canonical form. It returns a BadInput error if that
// is impossible. The filter types check the filters' arguments.
func (g *Goal) Validate() error {
	if err := checkText("key", &g.Key, 1, MaxKey); err != nil {
		return err
	}
	if err := checkText("name", &g.Name, 1, MaxName); err != nil {
		return err
	}
	if err := checkText("description", &g.Description, 0, MaxDescription); err != nil {
		return err
	}
	if err := checkText("valueEvent", &g.ValueEvent, 0, MaxKey); err != nil {
		return err
	}
	return CheckFilters("filters", g.Filters)
}

// Slug makes a key from a name: its letters, with their marks, and digits in lower
// case, joined by hyphens; "goal" if there are none.
func Slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Digit)
	})
	slug := strings.Join(words, "-")
	if slug == "" {
		return "goal"
	}
	if runes := []rune(slug); len(runes) > MaxKey {
		slug = strings.TrimRight(string(runes[:MaxKey]), "-")
	}
	return slug
}
