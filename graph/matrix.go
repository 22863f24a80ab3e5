package graph

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// matrices keeps the goals and segments of matrices. A key names the site's revision,
// which moves with every change of one, so that nothing that is kept is ever stale.
type matrices struct {
	known *otter.Cache[string, matrix]
}

// matrix is the goals and the segments that cards are made of. They are not to be changed.
type matrix struct {
	goals    []model.Goal
	segments []model.Segment
}

// matrixBytes bounds what is kept, about.
const matrixBytes = 8 << 20

func newMatrices() (*matrices, error) {
	known, err := otter.New(&otter.Options[string, matrix]{MaximumWeight: matrixBytes, Weigher: weigh})
	return &matrices{known}, err
}

// weigh returns about how many bytes an entry takes.
func weigh(key string, m matrix) uint32 {
	bytes := 300 + len(key)
	add := func(texts int, filters []model.FilterSpec) { bytes += 200 + texts + weighFilters(filters) }
	for _, goal := range m.goals {
		add(len(goal.Key)+len(goal.Name)+len(goal.Description)+len(goal.ValueEvent), goal.Filters)
	}
	for _, segment := range m.segments {
		add(len(segment.Name), segment.Filters)
	}
	return uint32(min(bytes, matrixBytes))
}

func weighFilters(filters []model.FilterSpec) (bytes int) {
	_ = model.EachFilter(filters, func(f *model.FilterSpec) error {
		bytes += 100 + len(f.Type) + len(f.Args)
		if f.Segment != nil {
			bytes += 200 + len(f.Segment.Name) + weighFilters(f.Segment.Filters)
		}
		return nil
	})
	return bytes
}

// matrixArguments say which goals and segments a client asks for.
type matrixArguments struct {
	// goals and segments are ids, or nil for the goals that are not archived, and for the segments that are active or, with
	// inactive, all.
	goals, segments []string
	inactive        bool
	// first is how many goals there are at most; the others are left out with cut, and are an error otherwise.
	first int
	cut   bool
	// after is the goal behind which they begin; 0 for the first.
	after int64
}

// matrix returns the goals and the segments that a client asks for.
func (r *Resolver) matrix(ctx context.Context, site *model.Site, asked matrixArguments) (m matrix, err error) {
	var key string
	if site.Revision > 0 {
		key = asked.key(site)
		if m, found := r.matrices.known.GetIfPresent(key); found {
			return m, nil
		}
	}
	m.goals, m.segments, err = both(
		func() ([]model.Goal, error) { return r.chosenGoals(ctx, site.ID, asked) },
		func() ([]model.Segment, error) { return r.segments(ctx, site.ID, asked.segments, asked.inactive) })
	if err == nil && key != "" {
		r.matrices.known.Set(key, m)
	}
	return m, err
}

// chosenGoals returns the goals that a client asks for.
func (r *Resolver) chosenGoals(ctx context.Context, site int64, asked matrixArguments) ([]model.Goal, error) {
	if asked.goals != nil {
		goals, err := r.goals(ctx, site, asked.goals, "goals")
		if asked.after != 0 && err == nil {
			at := slices.IndexFunc(goals, func(goal model.Goal) bool { return goal.ID == asked.after })
			if at < 0 {
				return nil, model.Invalid("after", "is none of the goals that are given")
			}
			goals = goals[at+1:]
		}
		return goals[:min(len(goals), asked.first)], err
	}
	archived := false
	goals, err := r.store.Goals(ctx, store.GoalQuery{Site: site, Archived: &archived}, store.Page{After: store.Place{ID: asked.after}, Limit: asked.first + 1})
	if err == nil && len(goals) > asked.first && !asked.cut {
		return nil, tooMany("goals", "goals that are not archived", maxGoals, "ask for some of them with first and after, or name them")
	}
	return goals[:min(len(goals), asked.first)], err
}

// tooMany is the error where a client names none and there are more than it gets at once.
func tooMany(field, what string, most int, remedy string) error {
	return &model.Error{Code: model.ResourceExhausted, Field: field, Message: fmt.Sprintf("the site has more than %d %s: %s", most, what, remedy)}
}

// key is equal for equal matrices.
func (m matrixArguments) key(site *model.Site) string {
	var key strings.Builder
	fmt.Fprintf(&key, "%d %d %t %t %d %d", site.ID, site.Revision, m.inactive, m.cut, m.first, m.after)
	for _, ids := range [][]string{m.goals, m.segments} {
		if ids == nil {
			key.WriteString(" all")
			continue
		}
		key.WriteString(" " + strconv.Itoa(len(ids)))
		for _, id := range ids {
			key.WriteString(" " + strconv.Quote(id))
		}
	}
	return key.String()
}
