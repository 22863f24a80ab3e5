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
	ValueEvent string
	// Direction says whether more conversions, or more value, are better or worse.
	Direction            Direction
	Archived             bool
	CreatedAt, UpdatedAt time.Time
}

// Direction says which of two figures of a goal is the better one.
type Direction string

const (
	// HigherIsBetter is the default.
	HigherIsBetter Direction = "HIGHER_IS_BETTER"
	// LowerIsBetter is for what should not happen, such as a refund.
	LowerIsBetter Direction = "LOWER_IS_BETTER"
)

// Validate brings the goal into its canonical form. It returns a BadInput error if that
// is impossible. Higher is better by default. The filter types check the filters' arguments.
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
	switch g.Direction {
	case "":
		g.Direction = HigherIsBetter
	case HigherIsBetter, LowerIsBetter:
	default:
		return Invalid("direction", "is %q; use HIGHER_IS_BETTER or LOWER_IS_BETTER", clip(string(g.Direction)))
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
