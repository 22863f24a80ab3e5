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
	// Key is unique on the site; it is what a client tracks: track(key, value).
	Key         string
	Name        string
	Description string
	Filters     []FilterSpec
	// ValueEvent names the event whose value is summed; empty where the goal
	// carries no value.
	ValueEvent           string
	Archived             bool
	CreatedAt, UpdatedAt time.Time
}

// Validate brings the goal into its canonical form and returns a BadInput error
// where that is impossible. The filters' arguments are their types' to check.
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
	return checkFilters(g.Filters)
}

// Slug returns a key made from a name: its letters, with their marks, and digits in
// lower case, joined by hyphens; "goal" where it has none.
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
