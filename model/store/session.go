package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
)

// origins are the dimensions that a session takes from the first hits that know them: each is a column of
// texts.
var origins = dimension.Origins()

// sessionColumns are the columns in the order of sessionValues and sessionRow.places. The
// first three are the key.
var sessionColumns = func() []string {
	columns := []string{
		"site_id", "partition_id", "ordinal", "revision", "write_id", "visitor_id", "session_key", "first_visit", "started_at", "ended_at",
		"hits", "knows", "page_views", "exit_page",
		"pages", "tags", "events", "properties",
	}
	for _, d := range origins {
		columns = append(columns, d.SQL...)
	}
	return columns
}()

// counted is true of the rows that are sessions which count: the others are
// ordinals that were given up, and traits that wait for a visit.
const counted = "sessions.visitor_id <> 0 AND (sessions.page_views > 0 OR sessions.events <> '')"

// eventJSON is how a session row holds an event. The sum is a JSON number, which is written
// and read without a float. Rows of older versions hold floats: reading rounds them to the six
// digits that their values had.
type eventJSON struct {
	Name   string    `json:"name"`
	Count  int       `json:"count"`
	Values int       `json:"values,omitempty"`
	Sum    model.Sum `json:"sum,omitzero"`
}

// sessionValues returns the row of a session at a revision. A session with nothing but an ID
// is an ordinal that was given up.
func sessionValues(s *model.Session, revision Revision) ([]any, error) {
	events := make([]eventJSON, len(s.Events))
	for i, e := range s.Events {
		events[i] = eventJSON(e)
	}
	values := make([]any, 0, len(sessionColumns))
	values = append(values,
		s.ID.Site, s.ID.Partition, s.ID.Ordinal, revision.Number, revision.Write, s.Visitor, s.Key, s.First, int64(s.Start), int64(s.End),
		s.Hits, int16(s.Knows), s.PageViews, s.ExitPage)
	for _, column := range []struct {
		n     int
		value any
	}{{len(s.Pages), s.Pages}, {len(s.Tags), s.Tags}, {len(events), events}, {len(s.Properties), s.Properties}} {
		var text string
		if err := encodeJSON(&text, column.n, column.value); err != nil {
			return nil, err
		}
		values = append(values, text)
	}
	for _, d := range origins {
		values = append(values, *d.Origin(&s.Origin))
	}
	return values, nil
}

// sessionRow is a row of the table of sessions, as it is read.
type sessionRow struct {
	session                         *model.Session
	revision                        Revision
	pages, tags, events, properties string
}

// places appends to b where the columns of the next row go: most of them to a new session.
func (r *sessionRow) places(b []any) []any {
	s := &model.Session{}
	r.session = s
	b = append(b,
		&s.ID.Site, &s.ID.Partition, &s.ID.Ordinal, &r.revision.Number, &r.revision.Write, &s.Visitor, &s.Key, &s.First, (*int64)(&s.Start), (*int64)(&s.End),
		&s.Hits, (*uint8)(&s.Knows), &s.PageViews, &s.ExitPage,
		&r.pages, &r.tags, &r.events, &r.properties)
	for _, d := range origins {
		b = append(b, d.Origin(&s.Origin))
	}
	return b
}

// decode fills in what the row holds as JSON.
func (r *sessionRow) decode() error {
	s := r.session
	var events []eventJSON
	for _, column := range []struct {
		name, text string
		to         any
	}{
		{"pages", r.pages, &s.Pages},
		{"tags", r.tags, &s.Tags},
		{"events", r.events, &events},
		{"properties", r.properties, &s.Properties},
	} {
		if err := decodeJSON(column.text, column.to); err != nil {
			return fmt.Errorf("session %d/%d: %s: %w", s.ID.Partition, s.ID.Ordinal, column.name, err)
		}
	}
	for _, e := range events {
		s.Events = append(s.Events, model.EventSum(e))
	}
	return nil
}

// encodeJSON writes value as JSON, or nothing where it has no elements.
func encodeJSON(to *string, elements int, value any) error {
	if elements == 0 {
		*to = ""
		return nil
	}
	text, err := json.Marshal(value)
	*to = string(text)
	return err
}

func decodeJSON(text string, to any) error {
	if text == "" {
		return nil
	}
	if list, ok := to.(*[]string); ok && !strings.Contains(text, `\`) {
		// encodeJSON wrote it: where nothing is escaped, a quote ends a string.
		*list = strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, `["`), `"]`), `","`)
		return nil
	}
	return json.Unmarshal([]byte(text), to)
}

// EachChange calls do with every session of a partition that was written after a
// revision, in no order; after the zero revision that is every one. The session is nil
// where the ordinal counts nowhere. VisitorKey is not set. What do is given is its
// own to keep. The error is ErrLost if the revision is not part of the database's history.
//
// newest is the revision that the partition was at when it was read: since revisions
// commit in order, what was read is the partition at that revision, whole.
func (s *Store) EachChange(ctx context.Context, site, partition int64, after Revision, do func(ordinal int32, session *model.Session) error) (newest Revision, err error) {
	defer wrap(&err, "changes of partition %d after %d", partition, after.Number)
	newest = after
	rows, err := s.changed(ctx, sessionsOf, sessionsAfter, site, partition, after)
	if err != nil {
		return newest, err
	}
	err = eachRow(rows, false, func(revision Revision, session *model.Session) error {
		if revision.Number > newest.Number {
			newest = revision
		}
		if session.Visitor == 0 || !session.Counts() {
			return do(session.ID.Ordinal, nil)
		}
		return do(session.ID.Ordinal, session)
	})
	if err == nil && newest == after && !after.IsZero() {
		err = s.mustHave(ctx, site, partition, after)
	}
	return newest, err
}

// EachSessionOf calls do with every session of some partitions of a site, in no order. The session is nil where the ordinal
// counts nowhere. VisitorKey is not set. What do is given is its own to keep.
//
// newest are the revisions that the partitions were at when they were read, by their ids, without those that have no
// ordinals: one statement reads them all, each whole.
func (s *Store) EachSessionOf(ctx context.Context, site int64, partitions []int64, do func(partition int64, ordinal int32, session *model.Session) error) (newest map[int64]Revision, err error) {
	defer wrap(&err, "sessions of %d partitions of site %d", len(partitions), site)
	newest = make(map[int64]Revision, len(partitions))
	query := s.db.NewSelect().Table("sessions").Column(sessionColumns...).Where("site_id = ? AND partition_id IN (?)", site, bun.List(partitions))
	rows, err := query.Rows(ctx)
	if err != nil {
		return nil, err
	}
	return newest, eachRow(rows, false, func(revision Revision, session *model.Session) error {
		id := session.ID
		if revision.Number > newest[id.Partition].Number {
			newest[id.Partition] = revision
		}
		if session.Visitor == 0 || !session.Counts() {
			session = nil
		}
		return do(id.Partition, id.Ordinal, session)
	})
}

// The conditions of a partition's sessions, and of those that were written after a revision: none if that was lost.
const (
	ofPartition = " FROM sessions WHERE site_id = ?1 AND partition_id = ?2"
	andAfter    = " AND revision > ?3 AND EXISTS (SELECT 1 FROM messages WHERE site_id = ?1 AND id_high = ?4 AND id_low = 0)"
)

var (
	sessionsOf    = bind("SELECT " + strings.Join(sessionColumns, ", ") + ofPartition)
	sessionsAfter = bind("SELECT " + strings.Join(sessionColumns, ", ") + ofPartition + andAfter)
)

// changed runs one statement for all sessions of a partition, or another for those written after a revision.
func (s *Store) changed(ctx context.Context, all, since bound, site, partition int64, after Revision) (*sql.Rows, error) {
	if after.IsZero() {
		return s.dialect.rows(ctx, s.reading, all, site, partition)
	}
	return s.dialect.rows(ctx, s.reading, since, site, partition, after.Number, after.Write)
}

// SessionsAt returns those of a partition's sessions at the ordinals that count, in
// no order.
func (s *Store) SessionsAt(ctx context.Context, site, partition int64, ordinals []int32) (sessions []model.Session, err error) {
	defer wrap(&err, "%d sessions of partition %d", len(ordinals), partition)
	for chunk := range slices.Chunk(ordinals, insertChunk) {
		err := eachSession(ctx, s.keyedSessions(site).Where("partition_id = ? AND ordinal IN (?)", partition, bun.List(chunk)), true, func(session *model.Session) error {
			sessions = append(sessions, *session)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

// keyedSessions selects sessions of a site that count, with their visitors' keys.
func (s *Store) keyedSessions(site int64) *bun.SelectQuery {
	query := s.reading.NewSelect().Table("sessions").Where("sessions.site_id = ?", site).Where(counted).
		Join("JOIN visitors ON visitors.site_id = sessions.site_id AND visitors.id = sessions.visitor_id")
	for _, column := range sessionColumns {
		query = query.ColumnExpr("sessions.?", bun.Ident(column))
	}
	return query.ColumnExpr("visitors.visitor")
}

// EachSession calls do with every session of a partition that counts, in the order of the
// ordinals, and stops at its first error. VisitorKey is set where withKeys is.
// What do is given is its own to keep.
func (s *Store) EachSession(ctx context.Context, site, partition int64, withKeys bool, do func(*model.Session) error) (err error) {
	defer wrap(&err, "sessions of partition %d", partition)
	query := s.db.NewSelect().Table("sessions").Column(sessionColumns...).Where("site_id = ?", site).Where(counted)
	if withKeys {
		query = s.keyedSessions(site)
	}
	return eachSession(ctx, query.Where("partition_id = ?", partition).Order("ordinal"), withKeys, do)
}

func eachSession(ctx context.Context, query *bun.SelectQuery, withKeys bool, do func(*model.Session) error) error {
	rows, err := query.Rows(ctx)
	if err != nil {
		return err
	}
	return eachRow(rows, withKeys, func(_ Revision, session *model.Session) error { return do(session) })
}

// eachRow calls do with the revision and the session of each row, and closes the rows.
func eachRow(rows *sql.Rows, withKeys bool, do func(revision Revision, session *model.Session) error) error {
	defer rows.Close()
	var row sessionRow
	var places []any
	for rows.Next() {
		places = row.places(places[:0])
		if withKeys {
			places = append(places, &row.session.VisitorKey)
		}
		if err := rows.Scan(places...); err != nil {
			return err
		}
		if err := row.decode(); err != nil {
			return err
		}
		if err := do(row.revision, row.session); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Session returns a session by its id, or NotFound.
func (s *Store) Session(ctx context.Context, id model.SessionID) (session *model.Session, err error) {
	defer wrap(&err, "session %d/%d", id.Partition, id.Ordinal)
	err = eachSession(ctx, s.keyedSessions(id.Site).Where("partition_id = ? AND ordinal = ?", id.Partition, id.Ordinal), true, func(found *model.Session) error {
		session = found
		return nil
	})
	if err == nil && session == nil {
		return nil, model.Errorf(model.NotFound, "there is no session with this id")
	}
	return session, err
}

// EachVisitor calls do with the number and the key of each of a site's visitors or, where keys is not nil, of those
// with the keys, in no order. It stops at do's first error.
func (s *Store) EachVisitor(ctx context.Context, site int64, keys []string, do func(number int64, key string) error) (err error) {
	defer wrap(&err, "visitors of site %d", site)
	if keys == nil {
		return s.eachVisitor(ctx, s.db.NewSelect().Where("site_id = ?", site), do)
	}
	for chunk := range slices.Chunk(keys, insertChunk) {
		if err := s.eachVisitor(ctx, s.db.NewSelect().Where("site_id = ? AND visitor IN (?)", site, bun.List(chunk)), do); err != nil {
			return err
		}
	}
	return nil
}

// EachVisitorOf calls do with the number and the key of each of the visitors of a site that have some numbers, in no order.
// It stops at do's first error.
func (s *Store) EachVisitorOf(ctx context.Context, site int64, numbers []int64, do func(number int64, key string) error) (err error) {
	defer wrap(&err, "%d visitors of site %d", len(numbers), site)
	for chunk := range slices.Chunk(numbers, insertChunk) {
		if err := s.eachVisitor(ctx, s.db.NewSelect().Where(s.dialect.ofSite, site).Where("id IN (?)", bun.List(chunk)), do); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) eachVisitor(ctx context.Context, query *bun.SelectQuery, do func(number int64, key string) error) error {
	rows, err := query.Table("visitors").Column("id", "visitor").Rows(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		var key string
		if err := rows.Scan(&number, &key); err != nil {
			return err
		}
		if err := do(number, key); err != nil {
			return err
		}
	}
	return rows.Err()
}
