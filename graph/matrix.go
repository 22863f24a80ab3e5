package graph

import (
	"context"
	"strconv"
	"strings"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
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

// matrix returns the goals and the segments that a client names, or where it names none,
// those that are not archived and those that are active.
func (r *Resolver) matrix(ctx context.Context, site *model.Site, goalIDs, segmentIDs []string) (m matrix, err error) {
	var key string
	if site.Revision > 0 {
		key = matrixKey(site, goalIDs, segmentIDs)
		if m, found := r.matrices.known.GetIfPresent(key); found {
			return m, nil
		}
	}
	m.goals, m.segments, err = both(
		func() ([]model.Goal, error) { return r.goals(ctx, site.ID, goalIDs, "goals") },
		func() ([]model.Segment, error) { return r.segments(ctx, site.ID, segmentIDs) })
	if err == nil && key != "" {
		r.matrices.known.Set(key, m)
	}
	return m, err
}

func matrixKey(site *model.Site, goalIDs, segmentIDs []string) string {
	var key strings.Builder
	key.WriteString(strconv.FormatInt(site.ID, 10) + " " + strconv.FormatInt(site.Revision, 10))
	for _, ids := range [][]string{goalIDs, segmentIDs} {
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
