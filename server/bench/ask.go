package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// times holds the times of one figure, in milliseconds, one for each question.
type times struct{ goalgraph, postgres, duckdb []float64 }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (t *times) add(goalgraph, postgres, duckdb time.Duration) {
	t.goalgraph = append(t.goalgraph, millis(goalgraph))
	t.postgres = append(t.postgres, millis(postgres))
	t.duckdb = append(t.duckdb, millis(duckdb))
}

// askAll asks all systems all questions. It returns the requests for the matrices.
func (b *bench) askAll(ctx context.Context) (matrices [][]byte, err error) {
	asker := newAsker(b.generator)
	warmUps := asker.oneOfEach() // first, while each type has unused values
	questions := asker.questions(b.questions)
	if err := b.warmUp(ctx, asker, warmUps); err != nil {
		return nil, err
	}
	var one, cold, warm, refresh, elsewhere, byVisitor times
	var breakdowns breakdownTimes
	for n, q := range questions {
		if err := b.askOne(ctx, q, &one); err != nil {
			return nil, fmt.Errorf("question %d: %w", n, err)
		}
		body, err := b.server.define(ctx, q, fmt.Sprintf("q%d", n))
		if err != nil {
			return nil, err
		}
		matrices = append(matrices, body)
		if err := b.askMatrix(ctx, q, body, &cold, &warm, &refresh, &elsewhere); err != nil {
			return nil, fmt.Errorf("question %d: %w", n, err)
		}
		took, err := b.askByVisitor(ctx, asker, fmt.Sprintf("v%d", n))
		if err != nil {
			return nil, fmt.Errorf("question %d by visitor: %w", n, err)
		}
		byVisitor.goalgraph = append(byVisitor.goalgraph, millis(took))
		if err := b.askBreakdowns(ctx, q, fmt.Sprintf("b%d", n), &breakdowns); err != nil {
			return nil, fmt.Errorf("question %d: %w", n, err)
		}
		b.progress("question %2d: %8.1f %8.1f %8.1f %8.1f ms; PostgreSQL %8.0f %8.0f %19.0f; DuckDB %8.0f %8.0f %17.0f", n+1,
			one.goalgraph[n], cold.goalgraph[n], warm.goalgraph[n], refresh.goalgraph[n],
			one.postgres[n], cold.postgres[n], refresh.postgres[n], one.duckdb[n], cold.duckdb[n], refresh.duckdb[n])
	}
	b.result.ColdOne, b.result.ColdMatrix = one.figure(), cold.figure()
	b.result.WarmMatrix = warm.figure()
	b.result.ColdVisitors = round(median(byVisitor.goalgraph))
	b.result.Refresh, b.result.RefreshElsewhere = refresh.figure(), elsewhere.figure()
	b.result.Pages, b.result.PagesAgain, b.result.PagesAfter = breakdowns.pages.figure(), breakdowns.again.figure(), breakdowns.after.figure()
	b.result.Places, b.result.PlacesAgain = breakdowns.places.figure(), breakdowns.placesAgain.figure()
	return matrices, nil
}

// askByVisitor asks Goalgraph alone a matrix by visitor, of leaves that no other question has.
func (b *bench) askByVisitor(ctx context.Context, asker *asker, key string) (took time.Duration, err error) {
	var q question
	asker.matrix(&q)
	body, err := b.server.defineCells(ctx, q, key, "VISITOR", "sessions visitors conversions")
	if err != nil {
		return 0, err
	}
	return b.server.visitors(ctx, body)
}

// warmUp asks for leaves that no question has, so that every system loads all its columns and Goalgraph's process grows to
// its full size.
func (b *bench) warmUp(ctx context.Context, asker *asker, definitions []definition) error {
	for _, d := range definitions {
		var none times
		if err := b.askOne(ctx, question{one: d}, &none); err != nil {
			return err
		}
	}
	for _, parameter := range []string{"source", "medium", "campaign"} {
		filter := map[string]any{"utm": map[string]any{parameter: []string{"none"}}}
		if _, _, err := b.server.one(ctx, definition{filters: []map[string]any{filter}}); err != nil {
			return err
		}
	}
	for round := range 6 {
		if err := b.server.fillMemory(ctx, round); err != nil {
			return err
		}
	}
	for _, by := range []string{"PAGE", "COUNTRY, DEVICE"} {
		var data struct {
			Site struct{ Breakdown struct{ TotalCount int } }
		}
		query := "query($site: ID!, $range: TimeRange!) { site(id: $site) { breakdown(by: [" + by + "], range: $range) { totalCount } } }"
		if err := b.server.ask(ctx, query, map[string]any{"site": b.server.site, "range": rangeOf(b.server.days)}, &data); err != nil {
			return err
		}
	}
	var q question
	asker.matrix(&q)
	body, err := b.server.define(ctx, q, "warm-up")
	if err != nil {
		return err
	}
	var none times
	return b.askMatrix(ctx, q, body, &none, &none, &none, &none)
}

func (b *bench) askOne(ctx context.Context, q question, one *times) error {
	count, took, err := b.server.one(ctx, q.one)
	if err != nil {
		return err
	}
	var baselines []time.Duration
	for _, system := range []sqlSystem{b.postgres, b.duckdb} {
		other, took, err := system.one(ctx, q.one)
		if err != nil {
			return err
		}
		if other != count {
			return fmt.Errorf("goalgraph counts %d sessions and %s %d: %s", count, system.name(), other, q.one)
		}
		baselines = append(baselines, took)
	}
	one.add(took, baselines[0], baselines[1])
	return nil
}

// hitsOfRefresh is the number of hits on the newest day before a matrix is asked again.
const hitsOfRefresh = 1000

func (b *bench) askMatrix(ctx context.Context, q question, body []byte, cold, warm, refresh, elsewhere *times) error {
	first, took, err := b.server.matrix(ctx, body)
	if err != nil {
		return err
	}
	var baselines []time.Duration
	var sealed []answer // the baselines' answers for all days except the newest
	newest := b.days - 1
	for _, system := range []sqlSystem{b.postgres, b.duckdb} {
		other, took, err := system.matrix(ctx, q, nil)
		if err != nil {
			return err
		}
		if err := b.compare(q, first, system, other); err != nil {
			return err
		}
		baselines = append(baselines, took)
		day, _, err := system.matrix(ctx, q, &newest)
		if err != nil {
			return err
		}
		sealed = append(sealed, other.plus(day, -1))
	}
	cold.add(took, baselines[0], baselines[1])

	var again []time.Duration
	for range 3 {
		second, took, err := b.server.matrix(ctx, body)
		if err != nil {
			return err
		}
		if !first.equal(second) {
			return fmt.Errorf("asked again, goalgraph answers %v instead of %v: %v, %v", second, first, q.segments, q.goal)
		}
		again = append(again, took)
	}
	slices.Sort(again)
	// The others keep no answers, so their times are those of the first query.
	warm.add(again[1], baselines[0], baselines[1])

	if err := b.askAfterHits(ctx, q, body, sealed, refresh, func(messages []model.Message) (func() error, error) {
		bodies, err := bodies(messages)
		return func() error { return b.server.track(ctx, bodies) }, err
	}); err != nil {
		return err
	}
	return b.askAfterHits(ctx, q, body, sealed, elsewhere, func(messages []model.Message) (func() error, error) {
		return func() error {
			_, err := b.store.Write(ctx, b.site, messages)
			return err
		}, nil
	})
}

// askAfterHits asks for a matrix after hits on the newest day were acknowledged. prepare returns a function that sends
// them. sealed holds the baselines' answers for all other days.
func (b *bench) askAfterHits(ctx context.Context, q question, body []byte, sealed []answer, t *times, prepare func([]model.Message) (send func() error, err error)) error {
	newest := b.days - 1
	messages, sessions := b.traffic.visits(newest, hitsOfRefresh)
	send, err := prepare(messages)
	if err != nil {
		return err
	}
	if err := send(); err != nil {
		return err
	}
	acknowledged := time.Now()
	fresh, _, err := b.server.matrix(ctx, body)
	if err != nil {
		return err
	}
	took := time.Since(acknowledged)
	ordinal := b.perDay[newest] + b.traffic.made
	var baselines []time.Duration
	for i, system := range []sqlSystem{b.postgres, b.duckdb} {
		if err := system.insert(ctx, newest, ordinal, sessions); err != nil {
			return err
		}
		day, took, err := system.matrix(ctx, q, &newest)
		if err != nil {
			return err
		}
		if err := b.compare(q, fresh, system, sealed[i].plus(day, 1)); err != nil {
			return fmt.Errorf("after more hits: %w", err)
		}
		baselines = append(baselines, took)
	}
	t.add(took, baselines[0], baselines[1])
	return nil
}

// compare fails if two systems answer differently, and shows the question.
func (b *bench) compare(q question, goalgraph answer, system sqlSystem, other answer) error {
	if goalgraph.equal(other) {
		return nil
	}
	for i := range min(len(goalgraph.Sessions), len(other.Sessions)) {
		if goalgraph.Sessions[i] != other.Sessions[i] {
			return fmt.Errorf("goalgraph counts %d sessions and %s %d: %s", goalgraph.Sessions[i], system.name(), other.Sessions[i], q.segments[i])
		}
		for j := range min(len(goalgraph.Conversions[i]), len(other.Conversions[i])) {
			if goalgraph.Conversions[i][j] != other.Conversions[i][j] {
				return fmt.Errorf("goalgraph counts %d conversions and %s %d: segment %s, goal %s",
					goalgraph.Conversions[i][j], system.name(), other.Conversions[i][j], q.segments[i], q.goal[j])
			}
		}
	}
	return fmt.Errorf("goalgraph answers %v and %s %v", goalgraph, system.name(), other)
}
