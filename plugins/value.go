package plugins

import (
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model/filter"
)

// Limits that the checks of this package enforce.
const (
	// MaxValues is the maximum number of values in a list.
	MaxValues = 1000
	// MaxValue is the maximum size of a value or a glob, in bytes.
	MaxValue = 2048
)

// CheckList refuses an empty list, a list of more than MaxValues values, and values
// that are empty or longer than MaxValue. A nil list, which is absent, passes.
func CheckList(path string, list []string) error {
	if list != nil && len(list) == 0 {
		return ArgError(path, "the list is empty; give a value or leave the list out")
	}
	if len(list) > MaxValues {
		return ArgError(path, "%d values are too many; the maximum is %d", len(list), MaxValues)
	}
	for i, value := range list {
		if err := CheckValue(At(path, i), value); err != nil {
			return err
		}
	}
	return nil
}

// RequireList is like CheckList, and also refuses an absent list.
func RequireList(path string, list []string) error {
	if list == nil {
		return ArgError(path, "the list is missing; give at least one value")
	}
	return CheckList(path, list)
}

// CheckValue refuses a value that is empty or longer than MaxValue.
func CheckValue(path, value string) error {
	if value == "" {
		return ArgError(path, "the value is empty")
	}
	if len(value) > MaxValue {
		return ArgError(path, "the value is %d bytes long; the maximum is %d", len(value), MaxValue)
	}
	return nil
}

// CheckGlob refuses a glob with more than filter.MaxStars stars.
func CheckGlob(path, glob string) error {
	if stars := strings.Count(glob, "*"); stars > filter.MaxStars {
		return ArgError(path, "the glob has %d stars; the maximum is %d", stars, filter.MaxStars)
	}
	return nil
}

// Unite returns the values of both lists, each once, in the order they first appear.
// It merges filters whose values must all hold. The error is ErrBoth if there are too
// many values for one filter.
func Unite(active, goal []string) ([]string, error) {
	united := distinct(slices.Concat(active, goal))
	if len(united) > MaxValues {
		return nil, ErrBoth
	}
	return united, nil
}

// Intersect returns the values that are in both lists, each once, in the order of the
// active list. It merges filters of which one value must hold. A nil list, which is
// absent, allows every value. The error is ErrEmpty if no value is left.
func Intersect[V comparable](active, goal []V) ([]V, error) {
	switch {
	case active == nil:
		return distinct(goal), nil
	case goal == nil:
		return distinct(active), nil
	}
	allowed := make(map[V]bool, len(goal))
	for _, value := range goal {
		allowed[value] = true
	}
	left := slices.DeleteFunc(distinct(active), func(value V) bool { return !allowed[value] })
	if len(left) == 0 {
		return nil, ErrEmpty
	}
	return left, nil
}

// distinct returns the values of the list, each once, in the order of the first.
func distinct[V comparable](list []V) []V {
	if list == nil {
		return nil
	}
	seen := make(map[V]bool, len(list))
	kept := make([]V, 0, len(list))
	for _, value := range list {
		if !seen[value] {
			seen[value] = true
			kept = append(kept, value)
		}
	}
	return kept
}
