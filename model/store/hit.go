package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/goalgraph/goalgraph/model"
)

// hitRow is a hit as it is stored, beside its session: what it shares with that is not stored again.
type hitRow struct {
	bun.BaseModel `bun:"table:hits,alias:hits"`

	SiteID      int64 `bun:",pk"`
	PartitionID int64 `bun:",pk"`
	Ordinal     int32 `bun:",pk"`
	At          int64 `bun:",pk"`
	IDHigh      int64 `bun:",pk"`
	IDLow       int64 `bun:",pk"`
	Place       int32
	Kind        model.HitKind
	Name        string
	Value       sql.NullInt64 // in micro-units
	Tags        string
	Properties  string
	Knows       hitKnows
	Origin      string
	UserID      string
}

// hitColumns are the columns in the order of hitRow.values.
var hitColumns = []string{
	"site_id", "partition_id", "ordinal", "at", "id_high", "id_low", "place", "kind", "name", "value", "tags", "properties", "knows", "origin", "user_id",
}

func (r *hitRow) values() ([]any, error) {
	return []any{
		r.SiteID, r.PartitionID, r.Ordinal, r.At, r.IDHigh, r.IDLow, r.Place, int16(r.Kind), r.Name, r.Value, r.Tags, r.Properties, int16(r.Knows), r.Origin, r.UserID,
	}, nil
}

// hitKnows packs what a hit knows of its origin, which parts of that are its session's, and whether it has the session's key.
type hitKnows int16

const (
	shareBits = 5
	keyed     = hitKnows(1) << (2 * shareBits)
)

func (k hitKnows) known() model.Knowledge { return model.Knowledge(k & (1<<shareBits - 1)) }
func (k hitKnows) shared() model.Knowledge {
	return model.Knowledge(k >> shareBits & (1<<shareBits - 1))
}

func hitRowOf(hit *model.Hit, session *model.Session) (hitRow, error) {
	high, low := halves(hit.ID)
	row := hitRow{
		SiteID: session.ID.Site, PartitionID: session.ID.Partition, Ordinal: session.ID.Ordinal, At: int64(hit.At), IDHigh: high, IDLow: low, Place: hit.Place,
		Kind: hit.Kind, Name: hit.Name, Value: sql.NullInt64{Int64: int64(hit.Value), Valid: hit.HasValue}, UserID: hit.UserID,
	}
	if err := encodeJSON(&row.Tags, len(hit.Tags), hit.Tags); err != nil {
		return hitRow{}, err
	}
	if err := encodeJSON(&row.Properties, len(hit.Properties), hit.Properties); err != nil {
		return hitRow{}, err
	}
	var err error
	row.Knows, row.Origin, err = shareOrigin(hit, session)
	return row, err
}

// shareOrigin returns what is stored of a hit's origin beside its session's.
func shareOrigin(hit *model.Hit, session *model.Session) (knows hitKnows, origin string, err error) {
	shared := hit.Shares(session.Origin)
	knows = hitKnows(hit.Knows) | hitKnows(shared)<<shareBits
	if hit.SessionKey != "" {
		knows |= keyed
	}
	rest := hit.Origin.Parts(hit.Knows &^ shared)
	if rest.EntryPage = ""; rest != (model.Origin{}) {
		err = encodeJSON(&origin, 1, rest)
	}
	return knows, origin, err
}

// hit returns the hit of a row. Where a session is given, it has what it shares with that.
func (r *hitRow) hit(session *model.Session) (model.Hit, error) {
	hit := model.Hit{
		ID: joined(r.IDHigh, r.IDLow), At: model.Millis(r.At), Place: r.Place, Kind: r.Kind, Name: r.Name,
		Value: model.Decimal(r.Value.Int64), HasValue: r.Value.Valid, Knows: r.Knows.known(), UserID: r.UserID,
	}
	err := errors.Join(decodeJSON(r.Tags, &hit.Tags), decodeJSON(r.Properties, &hit.Properties), decodeJSON(r.Origin, &hit.Origin))
	if err != nil {
		return model.Hit{}, fmt.Errorf("hit of session %d/%d: %w", r.PartitionID, r.Ordinal, err)
	}
	if session == nil {
		return hit, nil
	}
	hit.Origin = hit.Origin.With(session.Origin, r.Knows.shared())
	hit.Visitor = session.VisitorKey
	if r.Knows&keyed != 0 {
		hit.SessionKey = session.Key
	}
	return hit, nil
}

// halves returns the halves of an id as the database has them: signed numbers, which have not the order of ids.
func halves(id model.MessageID) (high, low int64) {
	return int64(binary.BigEndian.Uint64(id[:8])), int64(binary.BigEndian.Uint64(id[8:]))
}

func joined(high, low int64) (id model.MessageID) {
	binary.BigEndian.PutUint64(id[:8], uint64(high))
	binary.BigEndian.PutUint64(id[8:], uint64(low))
	return id
}

// hitsOf returns the hits of sessions of a site, by session.
func hitsOf(ctx context.Context, db bun.IDB, site int64, sessions []model.Session) (map[model.SessionID][]model.Hit, error) {
	hits := make(map[model.SessionID][]model.Hit, len(sessions))
	const chunk = 500
	for len(sessions) > 0 {
		n := min(chunk, len(sessions))
		byID := make(map[model.SessionID]*model.Session, n)
		var keys strings.Builder
		for i, session := range sessions[:n] {
			byID[session.ID] = &sessions[i]
			if i > 0 {
				keys.WriteString(", ")
			}
			fmt.Fprintf(&keys, "(%d, %d)", session.ID.Partition, session.ID.Ordinal)
		}
		var rows []hitRow
		if err := db.NewSelect().Model(&rows).Where("site_id = ? AND (partition_id, ordinal) IN (VALUES ?)", site, bun.Safe(keys.String())).Scan(ctx); err != nil {
			return nil, err
		}
		for i := range rows {
			id := model.SessionID{Site: site, Partition: rows[i].PartitionID, Ordinal: rows[i].Ordinal}
			hit, err := rows[i].hit(byID[id])
			if err != nil {
				return nil, err
			}
			hits[id] = append(hits[id], hit)
		}
		sessions = sessions[n:]
	}
	return hits, nil
}

// HitPlace is the place of a hit among those of its session; the zero one is none.
type HitPlace struct {
	IsSet bool
	At    model.Millis
	Place int32
	ID    model.MessageID
}

// HitPage is a part of the hits of a session, in their order: those between two places, Limit at most. From the end it is the
// last ones, the last one first.
type HitPage struct {
	After, Before HitPlace
	FromEnd       bool
	Limit         int
}

// sessionsAtOnce is the hits of how many sessions are read by one statement.
const sessionsAtOnce = 500

// Hits returns, for each of some sessions of a site, a page of its hits as they are kept, with what they assign the visitor
// to. A session whose ordinal was given up meanwhile has none.
func (s *Store) Hits(ctx context.Context, site int64, sessions []*model.Session, page HitPage) (hits [][]model.Hit, err error) {
	defer wrap(&err, "hits of %d sessions of site %d", len(sessions), site)
	for chunk := range slices.Chunk(sessions, sessionsAtOnce) {
		some, err := s.hitsOf(ctx, site, chunk, page)
		if err != nil {
			return nil, err
		}
		hits = append(hits, some...)
	}
	return hits, nil
}

// hitOrder is model.Hit.Compare in SQL, and hitsFromEnd its reverse. Halves of ids are signed there, and are not in the order
// of ids.
const (
	hitOrder    = "at, place, id_high < 0, id_high, id_low < 0, id_low"
	hitsFromEnd = "at DESC, place DESC, id_high < 0 DESC, id_high DESC, id_low < 0 DESC, id_low DESC"
)

func (s *Store) hitsOf(ctx context.Context, site int64, sessions []*model.Session, page HitPage) ([][]model.Hit, error) {
	const pages = `SELECT numbered.*, assignments.experiment, assignments.variant FROM (
			SELECT ?, row_number() OVER (PARTITION BY partition_id, ordinal ORDER BY ?) AS number
			FROM hits WHERE site_id = ? AND (partition_id, ordinal) IN (VALUES ?) AND ? AND ?
		) AS numbered LEFT JOIN assignments ON assignments.site_id = numbered.site_id
			AND assignments.partition_id = numbered.partition_id AND assignments.ordinal = numbered.ordinal
			AND assignments.at = numbered.at AND assignments.id_high = numbered.id_high AND assignments.id_low = numbered.id_low
		WHERE number <= ? ORDER BY number`
	places := make(map[model.SessionID]int, len(sessions))
	var keys strings.Builder
	for i, session := range sessions {
		if places[session.ID] = i; i > 0 {
			keys.WriteString(", ")
		}
		fmt.Fprintf(&keys, "(%d, %d)", session.ID.Partition, session.ID.Ordinal)
	}
	var rows []struct {
		hitRow
		Number              int
		Experiment, Variant sql.NullString
	}
	order := bun.Safe(hitOrder)
	if page.FromEnd {
		order = hitsFromEnd
	}
	if err := s.reading.NewRaw(pages, bun.Safe(strings.Join(hitColumns, ", ")), order, site, bun.Safe(keys.String()),
		page.After.compared(">"), page.Before.compared("<"), page.Limit).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	hits := make([][]model.Hit, len(sessions))
	for i := range rows {
		row := &rows[i]
		place := places[model.SessionID{Site: site, Partition: row.PartitionID, Ordinal: row.Ordinal}]
		hit, err := row.hit(sessions[place])
		if err != nil {
			return nil, err
		}
		hit.Experiment, hit.Variant = row.Experiment.String, row.Variant.String
		hits[place] = append(hits[place], hit)
	}
	return hits, nil
}

// compared is the condition of the hits on one side of a place, of all where it is none.
func (p HitPlace) compared(operator string) schema.QueryAppender {
	if !p.IsSet {
		return bun.SafeQuery("1 = 1")
	}
	high, low := halves(p.ID)
	return bun.SafeQuery("("+hitOrder+") "+operator+" (?, ?, ?, ?, ?, ?)", int64(p.At), p.Place, high < 0, high, low < 0, low)
}
