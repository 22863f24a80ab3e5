package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

const (
	// daysAtOnce bounds how many days a fill holds in memory.
	daysAtOnce = 2
	// processes is how many new processes answer the same questions: of times of a few milliseconds the shortest is the
	// one that other programs disturb least.
	processes = 3
	// totalsAsked is how often totals are asked for.
	totalsAsked = 5
)

// sizes parses the numbers of sessions.
func (o *options) sizes() (sizes []int, err error) {
	for text := range strings.SplitSeq(o.scale, ",") {
		size, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || size < o.days || len(sizes) > 0 && size <= sizes[len(sizes)-1] {
			return nil, fmt.Errorf("-scale %s: need growing numbers of sessions, at least %d", o.scale, o.days)
		}
		sizes = append(sizes, size)
	}
	return sizes, nil
}

// scale measures each size, one after another, in a database of its own that holds columns without rows of sessions.
func scale(ctx context.Context, o options, out io.Writer) error {
	sizes, err := o.sizes()
	if err != nil {
		return err
	}
	result := scaleResult{Days: o.days, Seed: o.seed, Questions: o.questions}
	for _, size := range sizes {
		o.sessions = size
		p, err := measureSize(ctx, o, out)
		if err != nil {
			return fmt.Errorf("%d sessions: %w", size, err)
		}
		result.Points = append(result.Points, p)
	}
	return result.print(out)
}

// measureSize fills a database, measures, and removes it.
func measureSize(ctx context.Context, o options, out io.Writer) (p point, err error) {
	folder := filepath.Join(o.dir, "scale")
	if err := os.RemoveAll(folder); err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	g := newGenerator(o.seed, o.sessions, o.days)
	start := time.Now()
	pg, err := servers.KeptPostgreSQL(folder, filling...)
	if err != nil {
		return p, err
	}
	stored, err := fillColumns(ctx, g, pg.URL)
	if err = errors.Join(err, pg.Stop()); err != nil {
		return p, err
	}
	fmt.Fprintf(out, "%d sessions: columns stored in %s\n", o.sessions, time.Since(start).Round(time.Second))
	if pg, err = servers.KeptPostgreSQL(folder, serving...); err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, pg.Stop()) }()
	m := &sizeMeasure{options: o, generator: g, database: pg.URL, asker: newAsker(g), counts: shortest{}, matrices: shortest{}, totals: shortest{}}
	m.point = point{Sessions: o.sessions, StoredMB: megabytes(stored)}
	err = m.run(ctx)
	fmt.Fprintf(out, "%+v\n", m.point)
	return m.point, err
}

// fillColumns stores the columns of all days, as a server does, and returns their bytes. There are no rows of sessions,
// which take ten times the room: counts read columns alone.
func fillColumns(ctx context.Context, g *generator, database string) (bytes int, err error) {
	s, err := store.Open(ctx, database, store.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if _, err := s.Migrate(ctx); err != nil {
		return 0, err
	}
	site := model.Site{Name: "Bench", Domains: []string{domain}, Timezone: "UTC"}
	if err := s.CreateSite(ctx, &site); err != nil {
		return 0, err
	}
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := fillPartitions(ctx, conn, site.ID, g); err != nil {
		return 0, err
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(daysAtOnce)
	for day := range g.perDay {
		group.Go(func() error { return saveColumns(within, s, site.ID, g, day) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	for _, statement := range []string{"VACUUM (ANALYZE) columns", "ANALYZE", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return 0, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return bytes, conn.QueryRow(ctx, "SELECT sum(octet_length(data)) FROM columns").Scan(&bytes)
}

func saveColumns(ctx context.Context, s *store.Store, site int64, g *generator, day int) error {
	id, revision := partitionID(day), store.Revision{Number: 1, Write: 1}
	sessions, columns := g.day(day), column.New()
	for ordinal := range sessions {
		columns.Put(g.session(&sessions[ordinal], model.SessionID{Site: site, Partition: id, Ordinal: int32(ordinal)}))
	}
	records, err := partition.SealColumns(id, revision, columns)
	if err != nil {
		return err
	}
	return s.SaveColumns(ctx, site, id, revision, column.Format, records)
}

// sizeMeasure measures one size.
type sizeMeasure struct {
	options
	*generator
	database string
	asker    *asker
	point    point

	counts, matrices, totals shortest
}

// shortest holds the shortest time of each question, in milliseconds.
type shortest map[int]float64

func (s shortest) add(question int, took time.Duration) {
	if before, found := s[question]; !found || millis(took) < before {
		s[question] = millis(took)
	}
}

// figure is the median over the questions.
func (s shortest) figure() float64 { return round(median(slices.Collect(maps.Values(s)))) }

// columnMemory is what docs/scale.md says that so many sessions need, in MiB.
func columnMemory(sessions int) int { return 64 + sessions/1_000_000*columnMemoryOfMillion }

// columnMemoryOfMillion is what a million sessions take, in MiB.
const columnMemoryOfMillion = 64

func (m *sizeMeasure) start(ctx context.Context) (*server, error) {
	return startServer(ctx, m.options, m.database, "--column-memory", strconv.Itoa(columnMemory(m.sessions)))
}

func (m *sizeMeasure) run(ctx context.Context) error {
	warmUps := m.asker.oneOfEach()
	questions := m.asker.questions(m.questions)
	var first question
	m.asker.matrix(&first)
	var load, totals []float64
	for n := range processes {
		if err := m.inNewProcess(ctx, func(s *server) error {
			took, err := m.askTotals(ctx, s, fmt.Sprintf("first-%d", n), definition{filters: []map[string]any{}})
			totals = append(totals, millis(took))
			return err
		}); err != nil {
			return err
		}
		if err := m.inNewProcess(ctx, func(s *server) error {
			body, err := s.define(ctx, first, fmt.Sprintf("load-%d", n))
			if err != nil {
				return err
			}
			_, took, err := s.matrix(ctx, body)
			load = append(load, millis(took))
			if err != nil {
				return err
			}
			loaded, err := s.metric(ctx, `goalgraph_columns_loaded_bytes_total{from="database"}`)
			if m.point.LoadedMB = megabytes(int(loaded)); err != nil {
				return err
			}
			return m.ask(ctx, s, n, warmUps, questions)
		}); err != nil {
			return err
		}
	}
	m.point.Load, m.point.FirstTotals = round(median(load)), round(median(totals))
	m.point.Count, m.point.Matrix, m.point.Totals = m.counts.figure(), m.matrices.figure(), m.totals.figure()
	return nil
}

func (m *sizeMeasure) inNewProcess(ctx context.Context, do func(*server) error) error {
	s, err := m.start(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.stop())
}

// ask asks the server of the nth process, which has loaded some columns, all questions.
func (m *sizeMeasure) ask(ctx context.Context, s *server, process int, warmUps []definition, questions []question) error {
	for _, parameter := range []string{"source", "medium", "campaign"} {
		warmUps = append(warmUps, definition{filters: []map[string]any{{"utm": map[string]any{parameter: []string{"none"}}}}})
	}
	for _, d := range append(slices.Clip(warmUps), definition{}) {
		count, _, err := s.one(ctx, d)
		if err == nil && len(d.filters) == 0 && count != m.sessions {
			err = fmt.Errorf("the server counts %d sessions", count)
		}
		if err != nil {
			return err
		}
	}
	for n := range 6 {
		if err := s.fillMemory(ctx, n); err != nil {
			return err
		}
	}
	for n, q := range questions {
		_, took, err := s.one(ctx, q.one)
		if err != nil {
			return err
		}
		m.counts.add(n, took)
		body, err := s.define(ctx, q, fmt.Sprintf("q%d-%d", process, n))
		if err != nil {
			return err
		}
		if _, took, err = s.matrix(ctx, body); err != nil {
			return err
		}
		m.matrices.add(n, took)
	}
	for n := range totalsAsked + 1 {
		// All sessions, and never asked before.
		d := definition{filters: []map[string]any{{"pageViews": map[string]any{"max": 1_000_000 + n}}}}
		took, err := m.askTotals(ctx, s, fmt.Sprintf("totals-%d-%d", process, n), d)
		if err != nil {
			return err
		}
		if n > 0 { // the first loads the visitors
			m.totals.add(n, took)
		}
	}
	return m.memory(ctx, s)
}

// memory notes how much memory the server takes. All columns must have room.
func (m *sizeMeasure) memory(ctx context.Context, s *server) error {
	bytes, err := s.metric(ctx, "goalgraph_columns_bytes")
	if err != nil {
		return err
	}
	days, err := s.metric(ctx, "goalgraph_columns_partitions")
	if err != nil {
		return err
	}
	if int(days) < m.days {
		return fmt.Errorf("the columns of %v days of %d are in memory; --column-memory is %d", days, m.days, columnMemory(m.sessions))
	}
	m.point.ColumnsMB = megabytes(int(bytes))
	m.point.ResidentMB, err = s.residentMB()
	m.point.ResidentMB = round(m.point.ResidentMB)
	return err
}

// askTotals asks for all sessions and visitors, and checks them. all is a definition that every session matches.
func (m *sizeMeasure) askTotals(ctx context.Context, s *server, key string, all definition) (took time.Duration, err error) {
	sessions, visitors, took, err := s.totals(ctx, all, key)
	if err == nil && (sessions != m.sessions || visitors != m.visitors()) {
		err = fmt.Errorf("the server counts %d sessions of %d visitors, want %d of %d", sessions, visitors, m.sessions, m.visitors())
	}
	return took, err
}

func megabytes(bytes int) float64 { return round(float64(bytes) / (1 << 20)) }
