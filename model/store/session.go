package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// sessionRow is a session as it is stored. Its zero value, but for the key and
// the revision, is an ordinal that was given up.
type sessionRow struct {
	bun.BaseModel `bun:"table:sessions,alias:sessions"`

	PartitionID int64 `bun:",pk"`
	Ordinal     int32 `bun:",pk"`
	Revision    int64
	VisitorID   int64
	SessionKey  string
	FirstVisit  bool
	StartedAt   int64
	EndedAt     int64
	PageViews   int
	IP          string
	Country     string
	Referrer    string
	EntryPage   string
	ExitPage    string
	Browser     string
	OS          string
	Device      string
	Language    string
	UTMSource   string
	UTMMedium   string
	UTMCampaign string
	UTMTerm     string
	UTMContent  string
	Pages       string
	Tags        string
	Events      string
	Properties  string
}

// sessionColumns are the columns in the order of scanSession and sessionRow.values.
var sessionColumns = []string{
	"partition_id", "ordinal", "revision", "visitor_id", "session_key", "first_visit", "started_at", "ended_at", "page_views",
	"ip", "country", "referrer", "entry_page", "exit_page", "browser", "os", "device", "language",
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "pages", "tags", "events", "properties",
}

func (r *sessionRow) fields() []any {
	return []any{
		&r.PartitionID, &r.Ordinal, &r.Revision, &r.VisitorID, &r.SessionKey, &r.FirstVisit, &r.StartedAt, &r.EndedAt, &r.PageViews,
		&r.IP, &r.Country, &r.Referrer, &r.EntryPage, &r.ExitPage, &r.Browser, &r.OS, &r.Device, &r.Language,
		&r.UTMSource, &r.UTMMedium, &r.UTMCampaign, &r.UTMTerm, &r.UTMContent, &r.Pages, &r.Tags, &r.Events, &r.Properties,
	}
}

func (r *sessionRow) values() []any {
	return []any{
		r.PartitionID, r.Ordinal, r.Revision, r.VisitorID, r.SessionKey, r.FirstVisit, r.StartedAt, r.EndedAt, r.PageViews,
		r.IP, r.Country, r.Referrer, r.EntryPage, r.ExitPage, r.Browser, r.OS, r.Device, r.Language,
		r.UTMSource, r.UTMMedium, r.UTMCampaign, r.UTMTerm, r.UTMContent, r.Pages, r.Tags, r.Events, r.Properties,
	}
}

// counted is true of the rows that are sessions which count: the others are
// ordinals that were given up, and traits that wait for a visit.
const counted = "sessions.visitor_id <> 0 AND (sessions.page_views > 0 OR sessions.events <> '')"

// eventJSON is how a session row holds an event.
type eventJSON struct {
	Name   string  `json:"name"`
	Count  int     `json:"count"`
	Values int     `json:"values,omitempty"`
	Sum    float64 `json:"sum,omitempty"`
}

func sessionRowOf(s *model.Session, revision int64) (sessionRow, error) {
	row := sessionRow{
		PartitionID: s.ID.Partition, Ordinal: s.ID.Ordinal, Revision: revision, VisitorID: s.Visitor, SessionKey: s.Key,
		FirstVisit: s.First, StartedAt: int64(s.Start), EndedAt: int64(s.End), PageViews: s.PageViews,
		IP: s.IP, Country: s.Country, Referrer: s.Referrer, EntryPage: s.EntryPage, ExitPage: s.ExitPage,
		Browser: s.Browser, OS: s.OS, Device: string(s.Device), Language: s.Language,
		UTMSource: s.UTM.Source, UTMMedium: s.UTM.Medium, UTMCampaign: s.UTM.Campaign, UTMTerm: s.UTM.Term, UTMContent: s.UTM.Content,
	}
	events := make([]eventJSON, len(s.Events))
	for i, e := range s.Events {
		events[i] = eventJSON(e)
	}
	for _, column := range []struct {
		to    *string
		n     int
		value any
	}{
		{&row.Pages, len(s.Pages), s.Pages},
		{&row.Tags, len(s.Tags), s.Tags},
		{&row.Events, len(events), events},
		{&row.Properties, len(s.Properties), s.Properties},
	} {
		if err := encodeJSON(column.to, column.n, column.value); err != nil {
			return sessionRow{}, err
		}
	}
	return row, nil
}

func (r *sessionRow) session() (*model.Session, error) {
	s := &model.Session{
		ID:      model.SessionID{Partition: r.PartitionID, Ordinal: r.Ordinal},
		Visitor: r.VisitorID, Key: r.SessionKey, First: r.FirstVisit,
		Start: model.Millis(r.StartedAt), End: model.Millis(r.EndedAt), PageViews: r.PageViews, ExitPage: r.ExitPage,
		Origin: model.Origin{
			IP: r.IP, Country: r.Country, Referrer: r.Referrer, EntryPage: r.EntryPage, Browser: r.Browser, OS: r.OS,
			Device: model.Device(r.Device), Language: r.Language,
			UTM: model.UTM{Source: r.UTMSource, Medium: r.UTMMedium, Campaign: r.UTMCampaign, Term: r.UTMTerm, Content: r.UTMContent},
		},
	}
	var events []eventJSON
	for _, column := range []struct {
		name, text string
		to         any
	}{
		{"pages", r.Pages, &s.Pages},
		{"tags", r.Tags, &s.Tags},
		{"events", r.Events, &events},
		{"properties", r.Properties, &s.Properties},
	} {
		if err := decodeJSON(column.text, column.to); err != nil {
			return nil, fmt.Errorf("session %d/%d: %s: %w", r.PartitionID, r.Ordinal, column.name, err)
		}
	}
	for _, e := range events {
		s.Events = append(s.Events, model.EventSum(e))
	}
	return s, nil
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
// revision, in no order; with revision 0 that is every one. The session is nil
// where the ordinal counts nowhere. VisitorKey is not set. What do is given is its
// own to keep.
//
// newest is the revision that the partition was at when it was read: since revisions
// commit in order, what was read is the partition at that revision, whole.
func (s *Store) EachChange(ctx context.Context, partition, revision int64, do func(ordinal int32, session *model.Session) error) (newest int64, err error) {
	defer wrap(&err, "changes of partition %d after %d", partition, revision)
	query := s.db.NewSelect().Table("sessions").Column(sessionColumns...).Where("partition_id = ?", partition)
	if revision > 0 {
		query = query.Where("revision > ?", revision)
	}
	newest = revision
	err = eachRow(ctx, query, false, func(row *sessionRow, session *model.Session) error {
		newest = max(newest, row.Revision)
		if session.Visitor == 0 || !session.Counts() {
			return do(session.ID.Ordinal, nil)
		}
		return do(session.ID.Ordinal, session)
	})
	return newest, err
}

// SessionsAt returns those of a partition's sessions at the ordinals that count, in
// no order.
func (s *Store) SessionsAt(ctx context.Context, partition int64, ordinals []int32) (sessions []model.Session, err error) {
	defer wrap(&err, "%d sessions of partition %d", len(ordinals), partition)
	for chunk := range slices.Chunk(ordinals, insertChunk) {
		err := eachSession(ctx, s.keyedSessions().Where("partition_id = ? AND ordinal IN (?)", partition, bun.List(chunk)), true, func(session *model.Session) error {
			sessions = append(sessions, *session)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

// keyedSessions selects sessions that count, with their visitors' keys.
func (s *Store) keyedSessions() *bun.SelectQuery {
	query := s.db.NewSelect().Table("sessions").Where(counted).Join("JOIN visitors ON visitors.id = sessions.visitor_id")
	for _, column := range sessionColumns {
		query = query.ColumnExpr("sessions.?", bun.Ident(column))
	}
	return query.ColumnExpr("visitors.visitor")
}

// EachSession calls do with every session of a partition that counts, in the order of the
// ordinals, and stops at its first error. VisitorKey is set where withKeys is.
// What do is given is its own to keep.
func (s *Store) EachSession(ctx context.Context, partition int64, withKeys bool, do func(*model.Session) error) (err error) {
	defer wrap(&err, "sessions of partition %d", partition)
	query := s.db.NewSelect().Table("sessions").Column(sessionColumns...).Where(counted)
	if withKeys {
		query = s.keyedSessions()
	}
	return eachSession(ctx, query.Where("partition_id = ?", partition).Order("ordinal"), withKeys, do)
}

func eachSession(ctx context.Context, query *bun.SelectQuery, withKeys bool, do func(*model.Session) error) error {
	return eachRow(ctx, query, withKeys, func(_ *sessionRow, session *model.Session) error { return do(session) })
}

// eachRow calls do with each row and its session. The row is its only until it
// returns.
func eachRow(ctx context.Context, query *bun.SelectQuery, withKeys bool, do func(*sessionRow, *model.Session) error) error {
	rows, err := query.Rows(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row sessionRow
	var key string
	fields := row.fields()
	if withKeys {
		fields = append(fields, &key)
	}
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		session, err := row.session()
		if err != nil {
			return err
		}
		session.VisitorKey = key
		if err := do(&row, session); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Session returns a session by its id, or NotFound.
func (s *Store) Session(ctx context.Context, id model.SessionID) (session *model.Session, err error) {
	defer wrap(&err, "session %d/%d", id.Partition, id.Ordinal)
	err = eachSession(ctx, s.keyedSessions().Where("partition_id = ? AND ordinal = ?", id.Partition, id.Ordinal), true, func(found *model.Session) error {
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
