package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// goalsOfBreakdown is how many goals a breakdown has, and rowsOfBreakdown how many rows are asked for.
	goalsOfBreakdown = 3
	rowsOfBreakdown  = 100
	// hitsOfBreakdown is how many hits come before a breakdown is asked again.
	hitsOfBreakdown = 1
)

// breakdown is a question for rows by one field or two: of the sessions that match a definition, with goals.
type breakdown struct {
	by    []field
	where definition
	goals []definition
}

// breakdowns returns the breakdowns of a question: the pages with goals, and countries by device.
func (q *question) breakdowns() (byPage, byPlace breakdown) {
	return breakdown{by: []field{pages}, goals: q.reached}, breakdown{by: []field{country, device}, where: q.within}
}

// row is a row of a breakdown.
type row struct {
	values      string
	sessions    int
	conversions [goalsOfBreakdown]int
}

// rows gathers the rows of a breakdown from its masks: a bit for each goal that the sessions reached.
type rows map[string]*row

func (r rows) add(values string, mask, sessions int) {
	if r[values] == nil {
		r[values] = &row{values: values}
	}
	r[values].sessions += sessions
	for i := range r[values].conversions {
		r[values].conversions[i] += mask >> i & 1 * sessions
	}
}

// page returns the first rows, in the order of Goalgraph's.
func (r rows) page() []row {
	var all []row
	for _, one := range r {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b row) int { return cmp.Or(b.sessions-a.sessions, strings.Compare(a.values, b.values)) })
	return all[:min(len(all), rowsOfBreakdown)]
}

// defineBreakdown creates the goals of a breakdown and returns the request for it.
func (s *server) defineBreakdown(ctx context.Context, b breakdown, key string) ([]byte, error) {
	goals := []string{}
	for i, d := range b.goals {
		id, err := s.create(ctx, "Goal", map[string]any{"siteId": s.site, "name": fmt.Sprintf("%s %d", key, i), "key": fmt.Sprintf("%s-%d", key, i), "filters": d.filters})
		if err != nil {
			return nil, err
		}
		goals = append(goals, id)
	}
	by := make([]string, len(b.by))
	for i, f := range b.by {
		by[i] = map[field]string{pages: "PAGE", country: "COUNTRY", device: "DEVICE"}[f]
	}
	return request("query($site: ID!, $by: [Dimension!]!, $filters: [FilterInput!], $goals: [ID!], $range: TimeRange!, $first: Int) { site(id: $site) { "+
		"breakdown(by: $by, filters: $filters, goals: $goals, range: $range, first: $first) { nodes { values sessions goals { conversions } } } } }",
		map[string]any{"site": s.site, "by": by, "filters": b.where.filters, "goals": goals, "range": rangeOf(s.days), "first": rowsOfBreakdown})
}

// breakdown sends a request of defineBreakdown.
func (s *server) breakdown(ctx context.Context, body []byte) (found []row, took time.Duration, err error) {
	var data struct {
		Site struct {
			Breakdown struct {
				Nodes []struct {
					Values   []string
					Sessions int
					Goals    []struct{ Conversions int }
				}
			}
		}
	}
	start := time.Now()
	raw, err := s.post(ctx, body)
	if err == nil {
		err = decode(raw, &data)
	}
	took = time.Since(start)
	for _, node := range data.Site.Breakdown.Nodes {
		one := row{values: strings.Join(node.Values, " "), sessions: node.Sessions}
		for i, goal := range node.Goals {
			one.conversions[i] = goal.Conversions
		}
		found = append(found, one)
	}
	return found, took, err
}

// breakdown groups by the values and a mask of the goals, so that each predicate is evaluated once a session.
func (p *postgres) breakdown(ctx context.Context, b breakdown) (found []row, best time.Duration, err error) {
	mask := []string{"0"}
	for i, goal := range b.goals {
		mask = append(mask, fmt.Sprintf("(%s)::int << %d", p.where(goal), i))
	}
	values := "country || ' ' || device"
	group := "country, device"
	from := "SELECT country, device, 0 AS mask FROM plain.sessions"
	if b.by[0] == pages {
		values, group = "page", "page"
		from = "SELECT unnest(pages) AS page, (" + strings.Join(mask, ") | (") + ") AS mask FROM plain.sessions"
	}
	if len(b.where.conditions) > 0 {
		from += " WHERE " + p.where(b.where)
	}
	var name string
	var bits, sessions int
	gathered := rows{}
	best, err = p.fastestOf(ctx, plansOfMatrix, fmt.Sprintf("SELECT %s, mask, count(*) FROM (%s) AS found GROUP BY %s, mask", values, from, group),
		[]any{&name, &bits, &sessions}, func() { gathered.add(name, bits, sessions) }, func() { clear(gathered) })
	return gathered.page(), best, err
}

// breakdown does so with the numbers of values.
func (d *duckdb) breakdown(_ context.Context, b breakdown) (found []row, best time.Duration, err error) {
	mask := []string{"0"}
	for i, goal := range b.goals {
		mask = append(mask, fmt.Sprintf("(%s)::INTEGER << %d", duckdbWhere(goal.conditions, false), i))
	}
	from := "SELECT country::INTEGER * 8 + device AS value, 0 AS mask FROM sessions"
	name := func(value int) string { return d.encoder.countries[value/8] + " " + devices[value%8] }
	if b.by[0] == pages {
		from = "SELECT unnest(pages)::INTEGER AS value, (" + strings.Join(mask, ") | (") + ") AS mask FROM sessions"
		name = func(value int) string { return d.encoder.vocabulary.pages[value] }
	}
	if len(b.where.conditions) > 0 {
		from += " WHERE " + duckdbWhere(b.where.conditions, false)
	}
	var gathered rows
	err = d.fastest(&best, []string{fmt.Sprintf("SELECT value * %d + mask AS key, count(*) FROM (%s) GROUP BY key", 1<<goalsOfBreakdown, from)}, func(r duckdbResult) {
		gathered = rows{}
		for _, found := range r.Rows {
			gathered.add(name(found[0]>>goalsOfBreakdown), found[0]&(1<<goalsOfBreakdown-1), found[1])
		}
	})
	return gathered.page(), best, err
}

// breakdownTimes are the times of the figures of breakdowns.
type breakdownTimes struct{ pages, again, after, places, placesAgain times }

// askBreakdowns asks for the breakdowns of a question: never asked before, again, and the pages after a hit.
func (b *bench) askBreakdowns(ctx context.Context, q question, key string, t *breakdownTimes) error {
	byPage, byPlace := q.breakdowns()
	for _, one := range []struct {
		breakdown
		name        string
		cold, again *times
	}{{byPlace, "places", &t.places, &t.placesAgain}, {byPage, "pages", &t.pages, &t.again}} {
		body, err := b.server.defineBreakdown(ctx, one.breakdown, key+"-"+one.name)
		if err != nil {
			return err
		}
		first, took, err := b.server.breakdown(ctx, body)
		if err != nil {
			return err
		}
		baselines, err := b.compareRows(ctx, one.breakdown, first)
		if err != nil {
			return err
		}
		one.cold.add(took, baselines[0], baselines[1])
		second, took, err := b.server.breakdown(ctx, body)
		if err != nil {
			return err
		}
		if !slices.Equal(first, second) {
			return fmt.Errorf("asked again, goalgraph answers %v instead of %v", second, first)
		}
		one.again.add(took, baselines[0], baselines[1])
		if one.by[0] != pages {
			continue
		}
		if err := b.askAfterHit(ctx, one.breakdown, body, &t.after); err != nil {
			return err
		}
	}
	return nil
}

// askAfterHit asks for a breakdown after the server has received a hit on the newest day.
func (b *bench) askAfterHit(ctx context.Context, d breakdown, body []byte, t *times) error {
	newest := b.days - 1
	messages, sessions := b.traffic.visits(newest, hitsOfBreakdown)
	sent, err := bodies(messages)
	if err == nil {
		err = b.server.track(ctx, sent)
	}
	if err != nil {
		return err
	}
	acknowledged := time.Now()
	fresh, _, err := b.server.breakdown(ctx, body)
	if err != nil {
		return err
	}
	took := time.Since(acknowledged)
	for _, system := range []sqlSystem{b.postgres, b.duckdb} {
		if err := system.insert(ctx, newest, b.perDay[newest]+b.traffic.made, sessions); err != nil {
			return err
		}
	}
	baselines, err := b.compareRows(ctx, d, fresh)
	if err != nil {
		return fmt.Errorf("after a hit: %w", err)
	}
	t.add(took, baselines[0], baselines[1])
	return nil
}

// compareRows asks the other systems, and fails if one of them answers differently. It returns their times.
func (b *bench) compareRows(ctx context.Context, d breakdown, goalgraph []row) (baselines []time.Duration, err error) {
	for _, system := range []sqlSystem{b.postgres, b.duckdb} {
		other, took, err := system.breakdown(ctx, d)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(goalgraph, other) {
			for i := range min(len(goalgraph), len(other)) {
				if goalgraph[i] != other[i] {
					return nil, fmt.Errorf("row %d of goalgraph is %+v, and of %s %+v: %v by %v", i, goalgraph[i], system.name(), other[i], d.where, d.by)
				}
			}
			return nil, errors.New("the systems have different numbers of rows")
		}
		baselines = append(baselines, took)
	}
	return baselines, nil
}

// fastestOf is fastest for rows of any columns, which are scanned into places before each call of row.
func (p *postgres) fastestOf(ctx context.Context, plans []string, query string, into []any, row, begin func()) (best time.Duration, err error) {
	for i, plan := range plans {
		if _, err := p.conn.Exec(ctx, "RESET ALL; "+plan); err != nil {
			return 0, err
		}
		begin()
		start := time.Now()
		found, err := p.conn.Query(ctx, query)
		if err != nil {
			return 0, err
		}
		_, err = pgx.ForEachRow(found, into, func() error {
			row()
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("%s: %w", query, err)
		}
		if took := time.Since(start); i == 0 || took < best {
			best = took
		}
	}
	return best, nil
}
