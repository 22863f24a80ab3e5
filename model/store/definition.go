package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// OrderColumn is what a list is ordered by, and then by id: the id alone if it is empty.
type OrderColumn string

const (
	// ByUpdate orders by the time of the last change.
	ByUpdate OrderColumn = "updated_at"
	// ByName orders by the name, by its bytes.
	ByName OrderColumn = "name"
)

// Place is where an element stands in a list: its value of the order's column, if there is one, and its id. A time is its
// milliseconds.
type Place struct {
	Key string
	ID  int64
}

// Page is a part of a list. A Limit of 0 means no limit.
type Page struct {
	Order      OrderColumn
	Descending bool
	// After and Before are the places around the page; without an id for those of the list's ends.
	After, Before Place
	// FromEnd reads the list from its end, in reverse: the elements' order is not the list's.
	FromEnd bool
	Limit   int
}

// apply brings the rows of a query to those of the page.
func (s *Store) apply(p Page, query *bun.SelectQuery) *bun.SelectQuery {
	ascending, descending := "ASC", "DESC"
	if p.Descending != p.FromEnd {
		ascending = descending
	}
	column := string(p.Order)
	if p.Order == ByName {
		column += s.dialect.byBytes
	}
	if column != "" {
		query = query.OrderExpr(column + " " + ascending)
	}
	query = query.OrderExpr("id " + ascending)
	after, before := ">", "<"
	if p.Descending {
		after, before = before, after
	}
	query = p.Order.bound(p.Order.bound(query, column, after, p.After), column, before, p.Before)
	if p.Limit > 0 {
		query = query.Limit(int64(p.Limit))
	}
	return query
}

// bound keeps the rows on one side of a place; all of them where it is none.
func (o OrderColumn) bound(query *bun.SelectQuery, column, comparison string, place Place) *bun.SelectQuery {
	switch {
	case place.ID == 0:
		return query
	case o == "":
		return query.Where("id "+comparison+" ?", place.ID)
	case o == ByUpdate:
		at, _ := strconv.ParseInt(place.Key, 10, 64) // 0 where it is none
		return query.Where("("+column+", id) "+comparison+" (?, ?)", at, place.ID)
	case isKeepable(place.Key):
		return query.Where("("+column+", id) "+comparison+" (?, ?)", place.Key, place.ID)
	}
	return query.Where("1 = 0") // no name is like this
}

// searchText is the text that searches look at: the folded texts, one per line.
func searchText(texts ...string) string {
	return fold(strings.Join(texts, "\n"))
}

// fold removes differences that a search ignores. The database cannot do it: its notion
// of case ends at ASCII, or depends on its locale.
func fold(text string) string { return strings.ToLower(strings.ToUpper(text)) }

// isKeepable tells whether the database and its statements can hold a text.
func isKeepable(text string) bool {
	return utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// matching keeps rows whose search text contains the searched text.
func matching(query *bun.SelectQuery, search string) *bun.SelectQuery {
	if search == "" {
		return query
	}
	// SQLite refuses patterns longer than 50,000 bytes.
	if !isKeepable(search) || utf8.RuneCountInString(search) > model.MaxDescription {
		return query.Where("1 = 0")
	}
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(fold(search))
	return query.Where(`search_text LIKE ? ESCAPE '\'`, "%"+escaped+"%")
}

func encodeFilters(filters []model.FilterSpec) (string, error) {
	if filters == nil {
		filters = []model.FilterSpec{}
	}
	text, err := json.Marshal(filters)
	return string(text), err
}

func decodeFilters(text string) (filters []model.FilterSpec, err error) {
	if err := json.Unmarshal([]byte(text), &filters); err != nil {
		return nil, fmt.Errorf("stored filters: %w", err)
	}
	return filters, nil
}

// MaxTogether is how many definitions are changed together at most.
const MaxTogether = 500

// together runs a transaction that changes several definitions of one site: all of them or none. do changes the one with
// an id, and is called in the order of the ids, so that nobody waits for a row of somebody who waits for one of these. The
// elements are in the order of the list. Errors are about the place in the list: [2].name.
func together[T any](ctx context.Context, s *Store, ids []int64, do func(tx bun.Tx, id int64) (*T, change, error)) (elements []T, err error) {
	if len(ids) == 0 || len(ids) > MaxTogether {
		return nil, model.Invalid("", "%d ids are given; give 1 to %d", len(ids), MaxTogether)
	}
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ids[a], ids[b]) })
	err = s.defineAll(ctx, func(tx bun.Tx) ([]change, error) {
		elements = make([]T, len(ids))
		changes := make([]change, len(ids))
		for n, i := range order {
			place := fmt.Sprintf("[%d]", i)
			if n > 0 && ids[order[n-1]] == ids[i] {
				return nil, model.Invalid(place, "is given twice; give each id once")
			}
			element, c, err := do(tx, ids[i])
			if err != nil {
				return nil, model.Under(place, err)
			}
			if n > 0 && c.site != changes[0].site {
				return nil, model.Invalid(place, "is of another site than the others; give ids of one site")
			}
			elements[i], changes[n] = *element, c
		}
		return changes, nil
	})
	return elements, err
}

// nextUpdate returns the time of a change of a definition that last changed at a time: now, and later than that in any
// case, since who changed it last tells by the time whether somebody else has changed it since.
func (s *Store) nextUpdate(last time.Time) time.Time {
	return max(model.MillisOf(s.now()), model.MillisOf(last)+1).Time()
}

func fromMillis(ms int64) time.Time { return model.Millis(ms).Time() }

// TypeUse tells how many segments, goals and audiences of experiments use a filter
// type.
type TypeUse struct {
	Segments, Goals, Experiments int
	// Name is the name of one of them.
	Name string
}

// filtersRow has a name, since the race detector takes the pointer type that reflection makes of a nameless one for a race.
type filtersRow struct{ Name, Filters string }

// TypesInUse returns the filter types that segments, goals and experiments of sites use; nil stands for all sites.
func (s *Store) TypesInUse(ctx context.Context, sites []int64) (uses map[string]TypeUse, err error) {
	defer wrap(&err, "filter types in use")
	uses = map[string]TypeUse{}
	count := func(query *bun.SelectQuery, column string, add func(*TypeUse)) error {
		var rows []filtersRow
		if sites != nil {
			query = query.Where("site_id IN (?)", bun.List(sites))
		}
		if err := query.Column("name").ColumnExpr("? AS filters", bun.Ident(column)).Order("id").Scan(ctx, &rows); err != nil {
			return err
		}
		for _, row := range rows {
			filters, err := decodeFilters(row.Filters)
			if err != nil {
				return err
			}
			counted := map[string]bool{}
			_ = model.EachFilter(filters, func(filter *model.FilterSpec) error {
				if counted[filter.Type] || !model.IsFilterType(filter.Type) {
					return nil
				}
				counted[filter.Type] = true
				use := uses[filter.Type]
				if use.Name == "" {
					use.Name = row.Name
				}
				add(&use)
				uses[filter.Type] = use
				return nil
			})
		}
		return nil
	}
	if err := count(s.db.NewSelect().Model((*segmentRow)(nil)).Where("goal_id IS NULL"), "filters", func(use *TypeUse) { use.Segments++ }); err != nil {
		return nil, err
	}
	if err := count(s.db.NewSelect().Model((*goalRow)(nil)), "filters", func(use *TypeUse) { use.Goals++ }); err != nil {
		return nil, err
	}
	return uses, count(s.db.NewSelect().Model((*experimentRow)(nil)), "audience", func(use *TypeUse) { use.Experiments++ })
}
